// SPDX-License-Identifier: MIT
// Detail: what a report says of a change beyond the Change itself, and rsync's orders of them.
// Made by the caller of Receiver::run() inside PullRequest::approve, where plan, local and target
// lists are at hand (the last plan approved is the one that is committed), or from a Preview.
// Values, no disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/messages.h"
#include "sync/plan.h"

namespace xs {

struct ChangeDetail {
  Change change;
  std::string target;      // symlink: where it points to; hard link: the name that it repeats
  std::uint64_t size = 0;  // file: its bytes; symlink: of its target; of what goes for a deletion
  std::int64_t mtime_ns = 0;
  std::uint16_t mode = 0;
  std::uint32_t uid = 0, gid = 0;  // as the source numbers them
  std::optional<Digest> digest;    // of a file's bytes, where it is known
  bool operator==(const ChangeDetail&) const = default;
};

// One for each change of the plan, in its order (by path).
std::vector<ChangeDetail> details_of(const std::vector<Change>& changes, const Entries& local,
                                     const Entries& target);

// When deletions are told, in the words of rsync's options.
enum class DeletionsTold : std::uint8_t { First, Last };  // --delete-before/-during, -delay/-after

// In the order in which rsync tells them: in each directory its files before its directories;
// what is deleted directory by directory, each from its last name to its first, children first.
void order_as_rsync(std::vector<ChangeDetail>& details, DeletionsTold deletions);

}  // namespace xs
