// SPDX-License-Identifier: MIT
// Rights: what this process may do to objects whose directory it may write all the same. Asked by
// commit before its journal, so that what the kernel would refuse in the middle is refused, or left
// out, before the beginning. Values; only of_process() asks the system. Access control that is told
// nowhere (a security module) may still refuse.
#pragma once

#include <cstdint>
#include <vector>

#include "sync/file_stat.h"

namespace xs {

struct Rights {
  bool everything = true;             // root's
  std::uint32_t uid = 0;              // of the others
  std::vector<std::uint32_t> groups;  // all of one's own
  bool set_ids = true;                // false under RestrictSUIDSGID= of systemd

  static Rights of_process();
  // Mode and times may be set; it may be replaced and removed where the directory is sticky.
  bool owns(const FileStat& st) const { return everything || st.uid == uid; }
  bool has_group(std::uint32_t gid) const;
  // Whether a directory can get this mode; `gid` is its group then. Set-id bits of a group that is
  // not one's own are dropped by the kernel without a word.
  bool may_set_mode(std::uint32_t mode, std::uint32_t gid) const;
};

}  // namespace xs
