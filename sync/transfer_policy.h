// SPDX-License-Identifier: MIT
// TransferPolicy: TransferRules, parsed: which entries of the source are taken over at all, and as
// what. Made by the receiver before the connection; asked by plan and prepare. The entries
// themselves never change: they are what the server seals, so whoever compares or makes something
// asks here what a mode or an owner is to be. Pure once it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "sync/id_map.h"
#include "sync/mode_spec.h"
#include "sync/transfer.h"

namespace xs {

class TransferPolicy {
 public:
  TransferPolicy() = default;
  // Usage: a specification that is wrong, or rules that cannot go together. `mask`: the umask.
  TransferPolicy(const TransferRules& rules, const Options& options, std::uint32_t mask);

  // Whether entries are taken over as something else than they are: equal trees are then no proof
  // that there is nothing to do.
  bool adapts() const { return !modes_.empty() || maps_owners(); }
  // Whether the source's own numbers and times count, which an entry of ours does not have although
  // it is equal.
  bool needs_own_entries() const { return maps_owners() || rules_.update; }

  std::uint32_t mode(const Entry& entry) const;
  // What the tables of owners are here.
  std::vector<Principal> users(std::vector<Principal> table) const;
  std::vector<Principal> groups(std::vector<Principal> table) const;
  // The number that a file of ours can be given for somebody of those tables. Nothing: a name that
  // is unknown here, or not ours to give; without effect then, as with rsync: neither compared nor
  // set.
  std::optional<std::uint32_t> user_number(const Principal& user) const;
  std::optional<std::uint32_t> group_number(const Principal& group) const;

  // Whether the entry, with everything below it, is left alone. `file` describes the file of which
  // it is a name (itself unless it is a hard link); `ours` is what stands at its path, or nullptr.
  bool leaves(const Entry& entry, const Entry& file, const Entry* ours) const;

  bool same_time(std::int64_t a_ns, std::int64_t b_ns) const;
  // --force, where nothing may be deleted otherwise.
  bool forces() const { return rules_.force; }

 private:
  bool maps_owners() const { return !users_.empty() || !groups_.empty(); }
  bool out_of_size(std::uint64_t size) const;
  bool is_up_to_date(std::int64_t ours_ns, std::int64_t theirs_ns) const;

  TransferRules rules_;
  bool numeric_ = false;
  bool privileged_ = true;
  std::vector<std::uint32_t> own_groups_;  // without privilege: those that files may get
  ModeSpec modes_;
  IdMap users_;
  IdMap groups_;
};

// The options that a run with these rules has: owner maps want owners to be managed, and without
// privilege no owner is, since no file can be given away.
Options options_under(const TransferRules& rules, Options options);

// Whether a symbolic link at `path` may lead out of the tree: its target is empty or absolute,
// climbs above the top, or goes up anywhere but at its beginning.
bool is_unsafe_link(std::string_view path, std::string_view target);

// The umask of the process.
std::uint32_t current_umask();

}  // namespace xs
