// SPDX-License-Identifier: MIT
// Plan: the pure difference of two manifests: what contents are needed, and what a commit will do,
// in the order in which it will do it. Called by the receiver; carried out by staging and commit;
// nothing here touches a disk. The same manifests and rules always give the same plan, which is
// what makes a journal replayable.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"

namespace xs {

class TransferPolicy;

// In the order of a commit; each kind is one phase (design.md 5.7). Inside a phase: by path.
enum class ActionKind : std::uint8_t {
  Displace,  // a directory stands where something else is to come, or the reverse: the whole object
             // moves into the trash. Between all other types a rename replaces, without a gap
  MakeDir,   // a new directory, parents first, with a private mode until DirAttributes
  Install,   // a staged file is renamed onto the path
  Link,      // the path becomes another name of an entry that is in place by then
  Symlink,   // a new or retargeted symlink, by rename
  Special,   // a fifo, socket or device, by rename
  InstallIndex,   // as Install or Link, for the index files (they name others, so they come last)
                  // and for links to one that is new
  Delete,         // anything that is not a directory, index files first
  DeleteDir,      // children first
  DirAttributes,  // of a directory that is new or whose mode, owner or attributes differ, the root
                  // included; children first
};

// Where a staged file's bytes come from.
enum class Source : std::uint8_t {
  Remote,  // fetched: whole, or as a delta against the local file
  Local,   // our own file has the bytes already; only its metadata differ, and a live file is never
           // touched
  Inlined,  // the entry carries them
};

struct StagedContent {
  std::uint32_t entry = 0;  // into the target list
  Source source = Source::Remote;
  bool basis = false;  // there is a local regular file at the same path
  bool operator==(const StagedContent&) const = default;
};

struct Action {
  ActionKind kind{};
  std::string path;
  std::uint32_t entry = kNoEntry;  // into the target list; kNoEntry for Displace and the deletions
  static constexpr std::uint32_t kNoEntry = ~std::uint32_t{0};
  bool operator==(const Action&) const = default;
};

// One line of the itemised log: what changes about a path, in rsync's terms. `created` also where
// another type is replaced; no flag at all: only which names share the file changes.
struct Change {
  std::string path;
  EntryType type{};
  bool created = false, deleted = false;
  bool content = false, size = false, time = false, mode = false, owner = false, group = false;
  bool acl = false, xattr = false;
  bool operator==(const Change&) const = default;
};

struct Plan {
  std::vector<StagedContent>
      contents;  // every file that must be staged, in the order of the target list
  std::vector<Action> actions;
  std::vector<Change> changes;  // sorted by path
  std::vector<Problem>
      problems;  // what could not be planned, for example a type change over protected files
  // Directories that the source lacks and that stay because of something in them that stays; as
  // with rsync a message and no failure. What the local manifest does not show (a name that came
  // since, a hidden one that is not in `untouchable`) only the commit can find: rmdir then says
  // ENOTEMPTY.
  std::vector<Problem> kept;
  std::uint64_t creates = 0;   // names that were not there
  std::uint64_t replaces = 0;  // names that were, directories' attributes apart
  std::uint64_t deletes = 0;   // names that go, those inside a displaced directory too
  std::uint64_t bytes = 0;     // to be staged
  bool empty() const { return actions.empty(); }
};

struct PlanRules {
  Options options;
  bool remove =
      true;  // delete what the source does not have (inside directories that it does have)
  // Whether a local name that the source lacks is protected from deletion by the filter. Asked in
  // path order, never below a directory that is protected.
  std::function<bool(std::string_view path, bool is_dir)> is_protected = {};
  // Index files: installed after everything else, for example "signer/keyconf.xml".
  std::vector<std::string> index_files;
  // Paths that a problem at either side makes untouchable, with everything below them. Local names
  // that the filter hides from the scan belong here too: without them the plan cannot know that a
  // directory in the way of a file holds one, and would displace it.
  std::vector<std::string> untouchable;
  // As is_protected, inside a directory that is itself deleted or displaced, where perishable rules
  // are void; unset: is_protected decides there too.
  std::function<bool(std::string_view path, bool is_dir)> is_protected_when_deleting = {};
  // What is taken over, and as what; none: everything, as it is. Must outlive the planning.
  const TransferPolicy* policy = nullptr;
  // Where a removed file leaves a backup under this suffix beside it: its directory stays with it,
  // unless the name has the suffix already. Empty: nowhere.
  std::string backup_suffix;
};

// `local` and `target` as scanned or received, sorted, under the same options. Throws Protocol when
// `target` is not a tree: out of order, an entry without its directory, a link to nothing.
Plan make_plan(const Entries& local, const Entries& target, const PlanRules& rules);

}  // namespace xs
