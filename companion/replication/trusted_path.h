// SPDX-License-Identifier: MIT
// A directory reached by descriptors, so that nobody who owns a part of its path leads root
// elsewhere: a link counts only where root made it in a directory of root's. Used for the files of
// a cluster, which lie in directories of root, of its owner and (/etc/xroad) of others. For who is
// not root every path is as good as his rights. Failures: Io (it is missing, or no directory),
// Refused (a link of somebody else's).
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"

namespace xs {

struct TrustedDirectory {
  Fd fd;  // O_PATH
  uid_t owner = 0;
  bool roots_alone = true;  // nobody but root can exchange it, or a directory above it
};
TrustedDirectory open_directory(const std::string& path);

}  // namespace xs
