// SPDX-License-Identifier: MIT
#include "sync/rights.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace xs {

Rights Rights::of_process() {
  Rights rights;
  rights.uid = ::geteuid();
  rights.everything = rights.uid == 0;
  const int count = ::getgroups(0, nullptr);
  if (count < 0) throw_errno("getgroups", "this process");
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  const int got = ::getgroups(count, groups.data());
  if (got < 0) throw_errno("getgroups", "this process");
  groups.resize(static_cast<std::size_t>(got));
  groups.push_back(::getegid());
  rights.groups.assign(groups.begin(), groups.end());
  // A filter of system calls looks at the mode before the kernel looks for the file.
  rights.set_ids = ::chmod("", S_ISGID | 0700) == 0 || errno != EPERM;
  return rights;
}

bool Rights::has_group(std::uint32_t gid) const {
  return everything || std::find(groups.begin(), groups.end(), gid) != groups.end();
}

bool Rights::may_set_mode(std::uint32_t mode, std::uint32_t gid) const {
  if ((mode & (S_ISUID | S_ISGID)) == 0) return true;
  return set_ids && ((mode & S_ISGID) == 0 || has_group(gid));
}

}  // namespace xs
