// SPDX-License-Identifier: MIT
#include "sync/root_path.h"

#include <fcntl.h>
#include <unistd.h>

#include <string_view>
#include <vector>

#include "base/text.h"
#include "protocol/limits.h"
#include "sync/dir.h"

namespace xs {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel counts

// The components still to be walked, the next one last.
void push_components(std::string_view path, std::vector<std::string>& pending) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view last = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!last.empty() && last != ".") pending.emplace_back(last);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
}

Fd starting_point(std::string_view path, const std::string& root) {
  const char* start = path.front() == '/' ? "/" : ".";
  Fd fd(::open(start, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno(Fault::Partial, "open", root);
  return fd;
}

std::string target_if_trusted(const Fd& link, const FileStat& st, const std::string& root) {
  if (st.uid != 0 && st.uid != ::geteuid()) {
    throw Error(Fault::Selection, quote(root) +
                                      " leads through a symbolic link that belongs to user " +
                                      std::to_string(st.uid) + "; use the real path");
  }
  // The held link is read, not its name, so what was checked is what is followed.
  auto target = read_link(link.get(), "");
  if (!target) throw_errno(Fault::Partial, "readlink", root);
  if (target->empty()) throw_errno(Fault::Partial, "readlink", root, ENOENT);
  return std::move(*target);
}

}  // namespace

// Opening waits on a network or FUSE file system, and then a signal can interrupt it.
int open_retried(int fd, const char* name, int flags, unsigned mode) {
  for (;;) {
    const int opened = ::openat(fd, name, flags, mode);
    if (opened >= 0 || errno != EINTR) return opened;
  }
}

std::optional<std::string> read_link(int fd, const char* name) {
  std::string target(limits::kPath + 1, '\0');
  const ssize_t length = ::readlinkat(fd, name, target.data(), target.size());
  if (length < 0) return std::nullopt;
  target.resize(static_cast<std::size_t>(length));
  return target;
}

Fd resolve_root(const std::string& root) {
  if (root.empty()) throw Error(Fault::Selection, "the path of the root is empty");
  std::vector<std::string> pending;
  push_components(root, pending);
  Fd at = starting_point(root, root);
  int links = 0;
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    Fd next(open_retried(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next && errno == ENOTDIR) throw_errno(Fault::Selection, "open", root);
    if (!next) throw_errno(Fault::Partial, "open", root);
    const FileStat st = stat_fd(next, root);
    if (st.type() != EntryType::Symlink) {
      at = std::move(next);
      continue;
    }
    if (++links > kMaxLinks) throw_errno(Fault::Selection, "open", root, ELOOP);
    const std::string target = target_if_trusted(next, st, root);
    push_components(target, pending);
    if (target.front() == '/') at = starting_point(target, root);
  }
  return at;
}

}  // namespace xs
