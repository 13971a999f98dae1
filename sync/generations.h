// SPDX-License-Identifier: MIT
// Generations: what a commit replaces or deletes is kept, so that it can be rolled back
// (rollback.h). Called by commit before its journal, by apply, and by recovery.
// Each file, link or device is hard-linked into previous/<n>/ of its staging area before anything
// is renamed, so no reader misses anything, and the links are durable before the journal is. A
// directory that is displaced is moved there whole. What a hard link cannot do (EMLINK, EPERM) a
// copy does; where that fails too, or where it would be larger than the policy allows, the commit
// goes on without, says so, and ends the older generations, because no way leads back through it.
// A link shares mode and owner with the old inode: the directories'
// mode 0700 is what keeps it private.
//   previous/<n>/<step>    an old object
//   previous/<n>/pending   in the root's area: the manifest, before the commit is complete
//   previous/<n>/manifest  the same, after: only this makes a generation
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sync/areas.h"
#include "sync/disk.h"
#include "sync/journal.h"

namespace xs {

struct KeepPolicy {
  std::size_t count = 3;                           // generations; 0: none is kept
  std::uint64_t bytes = std::uint64_t{256} << 20;  // in all of them together
};

// What a path was before the commit.
struct OldState {
  enum class Kind : std::uint8_t { Absent, Kept, Dir };
  std::string path;
  Kind kind = Kind::Absent;
  std::string kept;       // Kept: where it is
  Attributes attributes;  // Dir: what the directory was like; its contents speak for themselves
  bool operator==(const OldState&) const = default;
};

struct Generation {
  std::uint64_t number = 0;
  std::int64_t made_ns = 0;  // when its commit was prepared, as the file system's clock has it
  std::uint64_t bytes = 0;
  Areas areas;
  std::vector<OldState> states;
};

// A generation in the making: gone again unless release() is called.
class KeptGeneration {
 public:
  // `old` has what stands at the path of each step now; nothing does where something of `inside`
  // comes. Fills in Step::kept where it keeps, and for Displace in any case.
  KeptGeneration(Disk& disk, Journal& journal, const std::vector<std::optional<FileStat>>& old,
                 const std::vector<std::string>& inside, const KeepPolicy& policy);
  KeptGeneration(const KeptGeneration&) = delete;
  KeptGeneration& operator=(const KeptGeneration&) = delete;
  ~KeptGeneration();

  std::uint64_t number() const { return number_; }  // 0: nothing is kept
  const std::vector<Problem>& problems() const { return problems_; }
  void release() { released_ = true; }

 private:
  Disk& disk_;
  const Areas& areas_;
  std::uint64_t number_ = 0;
  std::vector<Problem> problems_;
  bool released_ = false;
};

void confirm_generation(Disk& disk, const Areas& areas, std::uint64_t number);

// Complete ones, the oldest first. One whose manifest cannot be used is an Error (Io).
std::vector<Generation> list_generations(Disk& disk);
// Removes the oldest until the policy holds.
void prune_generations(Disk& disk, const KeepPolicy& policy);
// What a commit that never happened left behind.
void drop_unconfirmed(Disk& disk, const Areas& areas);

std::string encode_generation(const Generation& generation);
Generation decode_generation(std::string_view sealed);

}  // namespace xs
