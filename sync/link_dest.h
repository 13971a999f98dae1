// SPDX-License-Identifier: MIT
// LinkDest: --link-dest. A file that the plan would make new, and that one of these directories has
// just as the source has it (contents, and everything that is preserved, its time included),
// becomes another name of the file there instead of a copy. Called by the receiver before it
// fetches. Directories are looked at in their order; one that is not there is a warning. Where no
// link is possible (another file system, too many links) the file is fetched.
#pragma once

#include <string>
#include <vector>

#include "protocol/messages.h"
#include "sync/dir.h"
#include "sync/plan.h"
#include "sync/staging.h"

namespace xs {

class TransferPolicy;

class LinkDest {
 public:
  static constexpr std::size_t kMost = 20;  // directories, as in rsync

  // Relative ones are below the destination. Usage: too many; Selection: no directory.
  LinkDest(const std::vector<std::string>& dirs, const std::string& destination);

  struct Found {
    std::string path;
    Staged staged;
  };
  // What could be staged as a link, of all files that the plan makes.
  std::vector<Found> stage(Staging& staging, const Plan& plan, const Entries& target,
                           const Options& options, const TransferPolicy& policy) const;

 private:
  std::vector<Dir> dirs_;
};

}  // namespace xs
