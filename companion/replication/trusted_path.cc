// SPDX-License-Identifier: MIT
#include "companion/replication/trusted_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr int kMostLinks = 40;  // as the kernel's own

std::string link_target(const Fd& link, const std::string& path) {
  std::array<char, PATH_MAX> words{};
  const ssize_t size = ::readlinkat(link.get(), "", words.data(), words.size());
  if (size <= 0) throw_errno("readlink", path);
  return {words.data(), static_cast<std::size_t>(size)};
}

struct Walk {
  const std::string& path;
  TrustedDirectory at;
  std::string rest;  // still to be walked
  int links = 0;

  void from_root() {
    at.fd = open_file("/", O_PATH | O_DIRECTORY);
    at.owner = 0;
    at.roots_alone = true;
  }

  void follow(const Fd& link, uid_t maker) {
    if (::getuid() == 0 && (!at.roots_alone || maker != 0)) {
      throw Error(Fault::Refused, quote(path) +
                                      " leads over a link that is not root's alone: name the "
                                      "directory itself");
    }
    if (++links > kMostLinks) throw Error(Fault::Io, quote(path) + " has too many links");
    const std::string target = link_target(link, path);
    rest = target + "/" + rest;
    if (target.starts_with('/')) from_root();
  }

  void step(const std::string& name) {
    const int raw = ::openat(at.fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (raw < 0) throw_errno("open", path);
    Fd next(raw);
    struct stat st {};
    if (::fstat(next.get(), &st) != 0) throw_errno("fstat", path);
    if (S_ISLNK(st.st_mode)) return follow(next, st.st_uid);
    if (!S_ISDIR(st.st_mode)) throw Error(Fault::Io, quote(path) + " is no directory");
    at.owner = st.st_uid;
    const bool open_to_others = (st.st_mode & 0022U) != 0 && (st.st_mode & S_ISVTX) == 0;
    at.roots_alone = at.roots_alone && st.st_uid == 0 && !open_to_others;
    at.fd = std::move(next);
  }
};

}  // namespace

TrustedDirectory open_directory(const std::string& path) {
  Walk walk{path, {}, path, 0};
  walk.from_root();
  while (!walk.rest.empty()) {
    const std::size_t slash = std::min(walk.rest.find('/'), walk.rest.size());
    const std::string name = walk.rest.substr(0, slash);
    walk.rest.erase(0, slash + 1);
    if (!name.empty() && name != ".") walk.step(name);
  }
  return std::move(walk.at);
}

}  // namespace xs
