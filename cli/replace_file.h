// SPDX-License-Identifier: MIT
// Replaces a small file as a whole, durably, or not at all, where somebody else may write beside it
// (base/io.h has the one for our own directories). Called by authorize, which writes as root into
// the home of an account.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sync/dir.h"

namespace xs::cli {

struct FileShape {
  unsigned mode = 0644;  // whatever the umask says
  bool root_owned = false;
};

// A whole new file under the old name, or the old file. What a run that was cut off left beside it
// is replaced; no symbolic link is ever written through. Throws Io.
void replace_file(const Dir& dir, const std::string& name, const std::string& contents,
                  const FileShape& shape = {});
// "/" for "/x", "." for "x".
std::string parent_of(const std::string& file);

}  // namespace xs::cli
