// SPDX-License-Identifier: MIT
#include "sync/destination.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr mode_t kAsTheMaskAllows = 0777;

bool is_there(const std::string& path) {
  struct stat st {};
  // A link that leads nowhere is something: opening the destination will say what.
  return ::lstat(path.c_str(), &st) == 0;
}

bool make_one(const std::string& path) {
  if (::mkdir(path.c_str(), kAsTheMaskAllows) == 0) return true;
  if (errno == EEXIST) return false;
  throw_errno("mkdir", path);
}

}  // namespace

bool make_destination(const std::string& path, MakeDestination make) {
  std::string whole = path;
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  if (make == MakeDestination::Never || whole.empty() || is_there(whole)) return false;
  const std::size_t slash = whole.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : whole.substr(0, slash + 1);
  if (!is_there(parent)) {
    if (make == MakeDestination::Last) {
      throw Error(Fault::Io,
                  "the destination " + quote(path) + " cannot be made: " + quote(parent) +
                      " is not there either; make it, or use --mkpath",
                  ENOENT);
    }
    make_destination(parent, make);
  }
  return make_one(whole);
}

}  // namespace xs
