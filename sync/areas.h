// SPDX-License-Identifier: MIT
// Areas: where the staging areas of a destination are, and what they are called. One stands in the
// root, and one in every mount point below it that a commit changes, because a file must be staged
// on the file system where it will land: EXDEV can then never happen in a commit. Called by
// staging, commit, recovery and generations.
//
//   .xroad-sync/                0700; stays, with what it keeps:
//     lock                      who is at work (lock.h)
//     areas                     in the root only: the other areas, for whoever cleans up
//     journal, journal.new      in the root only: a commit under way (journal.h)
//     run-<id>/                 one run: s<n> staged objects, t<n> displaced ones; gone at its end
//     previous/<n>/             kept generations (generations.h)
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sync/disk.h"
#include "sync/scan.h"

namespace xs {

class Areas {
 public:
  Areas() = default;  // the root only
  // The root and these mount points below it; they are checked and sorted.
  explicit Areas(std::vector<std::string> mounts);
  // Where these objects will land: their directories and all above them are looked at, once each.
  static Areas find(Disk& disk, std::span<const std::string> paths);

  // The root first, as the empty path.
  const std::vector<std::string>& roots() const { return roots_; }
  // The area for an object that lands at `path`.
  const std::string& root_of(std::string_view path) const;
  // Whether one lies at or below the path.
  bool any_below(std::string_view path) const;
  bool operator==(const Areas&) const = default;

 private:
  std::vector<std::string> roots_{std::string()};
};

bool lies_within(std::string_view path, std::string_view dir);  // or is it itself
// Refuses (Protocol) a path that is no valid one, or that leads into a staging area.
void check_landing(std::string_view path);

std::string area_dir(std::string_view area);
std::string run_dir(std::string_view area, std::uint64_t id);

// Makes the staging area's own directory where it is missing, and refuses (Io) one that is not a
// directory or not ours. Sets its mode right where it is not.
void ensure_area(Disk& disk, const std::string& area);
// The area's name, and so all that will be in it, survives a crash from here on.
void sync_area_name(Disk& disk, const std::string& area);

// Writes down, durably, that there are areas besides the root's. Nothing to do when it is known.
void remember_areas(Disk& disk, const Areas& areas);
// The areas that were written down; the root's at least.
Areas remembered_areas(Disk& disk);

}  // namespace xs
