// SPDX-License-Identifier: MIT
// FilterWalk: which names of one tree take part, and which are protected from deletion, under a
// FilterList. Pure; per-directory files are read through a callback. Made by whoever walks a tree:
// it asks for every name on the way down, enters only directories that are not hidden, and calls
// enter() and leave() around each. The first rule that matches decides; no match: included. The
// rules never apply to the root itself.
// Where this differs from rsync, on purpose:
//   - a leading slash in a per-directory file stands for that directory, byte for byte; rsync makes
//     the directory's name part of the pattern, whose wildcards and backslashes then count;
//   - "hide" and its like keep their side in a merge file that a per-directory file names; rsync
//     forgets it there, and a hidden name is then protected as well;
//   - a rule that is too long or holds a NUL byte is refused; rsync drops or cuts it;
//   - what lies outside the root (a parent scan, an absolute merge file) is up to the callback;
//   - per-directory files are read line by line even where --from0 was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/filter.h"
#include "sync/wildmatch.h"

namespace xs {

// The contents of a per-directory file, or nothing where there is none. The path is relative to the
// root, or absolute when it lies outside; a caller that must not leave its root answers nothing to
// an absolute one.
using FilterLookup = std::function<std::optional<std::string>(const std::string& path)>;

class FilterWalk {
 public:
  static constexpr std::size_t kDirMerges = 64;  // names of per-directory files at work at once

  struct Config {
    std::string root;  // absolute path of the tree's root on this host, without a trailing slash
    bool delete_excluded = false;  // rules that name no side hide, and protect nothing
    // The questions that this walk will answer; per-directory rules for the other side alone are
    // not even read.
    bool sender = true;
    bool receiver = true;
    // Of all matches together; more is an Error of class Protocol. 0: no limit.
    std::uint64_t max_steps = 0;
  };

  FilterWalk(const FilterList& list, Config config);

  // Around every directory, the root ("") first. Without dir-merge rules they cost nothing and may
  // be left out. A malformed rule in a per-directory file throws Usage; a merge file that such a
  // file names and that is not there throws Io; the walk is of no further use then.
  void enter(std::string_view dir, const FilterLookup& lookup);
  void leave();

  // The sender's question: is this name left out? Asked about a name whose parents are not hidden.
  bool hidden(std::string_view path, bool is_dir);
  // The receiver's question: is this name, which the source does not have, safe from deletion?
  // `deleting`: it lies in a directory that is itself being deleted, where perishable rules are
  // void.
  bool is_protected(std::string_view path, bool is_dir, bool deleting = false);
  // hidden(), asked about every directory on the way as well: for a name that did not come from a
  // walk. Answers by the list and by the per-directory files entered so far.
  bool hidden_with_parents(std::string_view path, bool is_dir);
  // Whether a mandatory rule hides this name or a directory on the way to it, whatever else holds.
  bool fenced(std::string_view path, bool is_dir);
  // The same two questions about the name of an extended attribute; nothing: no rule for attributes
  // matches.
  std::optional<bool> xattr_hidden(std::string_view name);
  std::optional<bool> xattr_protected(std::string_view name);

 private:
  enum class Side : std::uint8_t { Sender, Receiver };
  struct Compiled;
  using Rules = std::vector<std::shared_ptr<const Compiled>>;
  // The name of a per-directory file, and its rules at work in the current directory.
  struct Slot {
    FilterRule rule;
    std::string name;
    bool scan_parents = false;
    std::shared_ptr<const Rules> rules;
  };
  struct Level {  // what to go back to
    std::size_t slots;
    std::vector<std::shared_ptr<const Rules>> rules;
  };
  struct Question {
    Side side;
    bool xattr;
    bool deleting;
    PathSubject subject;
  };

  std::shared_ptr<const Compiled> compile(const FilterRule& rule, bool mandatory);
  void add_rules(Rules& to, const std::vector<FilterRule>& rules, bool mandatory);
  bool has_slot(std::string_view name) const;
  std::shared_ptr<const Rules> merged(const Slot& slot, const std::string& dir, bool parent,
                                      std::shared_ptr<const Rules> inherited,
                                      const FilterLookup& lookup);
  std::shared_ptr<const Rules> scan_parents(Slot& slot, const std::string& dir,
                                            const FilterLookup& lookup);
  std::string lookup_path(const std::string& absolute) const;
  FilterReader merge_reader(const std::string& dir, const FilterLookup& lookup) const;

  Question ask(Side side, std::string_view path, bool is_dir, bool xattr, bool deleting);
  std::optional<bool> excludes(const Question& question) const;
  std::optional<bool> excludes(const Rules& rules, const Question& question) const;

  Config config_;
  std::string buffer_;  // the subject of the question at hand: root + "/" + path + "/"
  std::vector<Slot> slots_;
  std::vector<Level> levels_;
  Rules mandatory_;
  Rules rules_;
  mutable std::uint64_t steps_ = 0;
};

}  // namespace xs
