// SPDX-License-Identifier: MIT
#include "tests/xroad/watch.h"

#include <sys/inotify.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace xs::test {
namespace {

std::string kind(std::uint32_t mask) {
  switch (mask & ~static_cast<std::uint32_t>(IN_ISDIR)) {
    case IN_ATTRIB: return "attributes";
    case IN_MODIFY: return "written";
    case IN_MOVED_TO: return "moved-in";
    case IN_MOVED_FROM: return "moved-out";
    case IN_CREATE: return "made";
    case IN_DELETE: return "deleted";
    case IN_DELETE_SELF: return "itself-deleted";
    case IN_MOVE_SELF: return "itself-moved";
    case IN_IGNORED: return "watch-lost";
    default: return "event " + std::to_string(mask);
  }
}

}  // namespace

Watch::Watch(const std::string& root, const std::vector<std::string>& dirs)
    : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  constexpr std::uint32_t kMask =
      IN_ATTRIB | IN_MODIFY | IN_MOVE | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;
  for (const std::string& dir : dirs) {
    const int number = ::inotify_add_watch(fd_.get(), (root + "/" + dir).c_str(), kMask);
    if (number < 0) throw std::runtime_error("inotify_add_watch " + dir);
    dirs_[number] = dir;
  }
}

std::vector<std::string> Watch::take() {
  std::vector<std::string> out;
  std::array<char, 65'536> bytes;
  for (;;) {
    const ssize_t got = ::read(fd_.get(), bytes.data(), bytes.size());
    if (got <= 0) return out;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, bytes.data() + at, sizeof event);
      const char* name = bytes.data() + at + sizeof event;
      out.push_back(dirs_[event.wd] + (event.len == 0 ? "" : std::string("/") + name) + " " +
                    kind(event.mask));
      at += sizeof event + event.len;
    }
  }
}

}  // namespace xs::test
