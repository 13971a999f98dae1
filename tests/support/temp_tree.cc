// SPDX-License-Identifier: MIT
#include "tests/support/temp_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace xs::test {
namespace {

constexpr std::uint32_t kNobody = 65534;
constexpr int kThrew = 101;
constexpr int kDied = 102;

void check(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what + ": " + std::strerror(errno));
}

struct Handle {
  explicit Handle(int raw) : fd(raw) {}
  Handle(Handle&& other) noexcept : fd(other.fd) { other.fd = -1; }
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Handle() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

struct Spot {  // a parent directory and a name in it
  Handle parent;
  std::string name;
};

// The parent by single components, as the whole may be too long for the kernel.
Spot spot(const std::string& root, std::string_view path, bool make) {
  Handle at(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  check(at.fd >= 0, root);
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/')) {
    const std::string name(path.substr(0, slash));
    if (make && ::mkdirat(at.fd, name.c_str(), 0755) != 0) check(errno == EEXIST, "mkdir " + name);
    Handle next(::openat(at.fd, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    check(next.fd >= 0, "open " + name);
    at = std::move(next);
    path.remove_prefix(slash + 1);
  }
  return {std::move(at), std::string(path)};
}

std::vector<std::pair<std::string, bool>> names_of(int parent, const char* name) {
  std::vector<std::pair<std::string, bool>> names;
  const int fd =
      parent < 0 ? -1 : ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return names;
  DIR* stream = ::fdopendir(fd);
  if (stream == nullptr) return names;
  while (const dirent* one = ::readdir(stream)) {
    const std::string_view text(one->d_name);
    if (text != "." && text != "..") names.emplace_back(text, one->d_type == DT_DIR);
  }
  ::closedir(stream);
  return names;
}

// What is no directory, or not ours, stays as it is: the removal then fails, and says so.
void open_up(int dir, const std::string& name) {
  if (::fchmodat(dir, name.c_str(), 0700, 0) != 0) return;
}

// Lifts every directory to the top and empties it there, so depth costs neither descriptors nor
// stack.
void remove_all(const std::string& root) {
  const Handle top(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (top.fd < 0) return;
  unsigned long lifted = 0;
  for (bool found = true; found;) {
    found = false;
    for (const auto& [name, is_dir] : names_of(top.fd, ".")) {
      if (!is_dir && ::unlinkat(top.fd, name.c_str(), 0) == 0) continue;
      found = true;
      open_up(top.fd, name);
      const Handle sub(
          ::openat(top.fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (sub.fd < 0) return;
      for (const auto& [inner, inner_is_dir] : names_of(sub.fd, ".")) {
        if (!inner_is_dir) {
          ::unlinkat(sub.fd, inner.c_str(), 0);
          continue;
        }
        open_up(sub.fd, inner);  // moving a directory writes its ".."
        ::renameat(sub.fd, inner.c_str(), top.fd, (".lifted" + std::to_string(lifted++)).c_str());
      }
      if (::unlinkat(top.fd, name.c_str(), AT_REMOVEDIR) != 0) return;
    }
  }
  ::rmdir(root.c_str());
}

bool become_nobody() {
  if (::geteuid() != 0) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0;
}

int run_child(const std::function<int()>& body) {
  try {
    return body();
  } catch (...) {
    return kThrew;
  }
}

}  // namespace

TempTree::TempTree() {
  const char* base = std::getenv("TMPDIR");
  path_ = std::string(base != nullptr ? base : "/tmp") + "/xs-test-XXXXXX";
  check(::mkdtemp(path_.data()) != nullptr, path_);
  check(::chmod(path_.c_str(), 0755) == 0, path_);
}

TempTree::~TempTree() {
  ::chmod(path_.c_str(), 0700);
  remove_all(path_);
}

TempTree& TempTree::dir(std::string_view path, unsigned mode) {
  const Spot at = spot(path_, path, true);
  if (::mkdirat(at.parent.fd, at.name.c_str(), 0755) != 0) check(errno == EEXIST, at.name);
  return this->mode(path, mode);
}

TempTree& TempTree::file(std::string_view path, std::string_view bytes, unsigned mode) {
  const Spot at = spot(path_, path, true);
  const Handle file(
      ::openat(at.parent.fd, at.name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  check(file.fd >= 0, at.name);
  while (!bytes.empty()) {
    const ssize_t put = ::write(file.fd, bytes.data(), bytes.size());
    check(put > 0, at.name);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  check(::fchmod(file.fd, mode) == 0, at.name);
  return *this;
}

TempTree& TempTree::symlink(std::string_view path, std::string_view target) {
  const Spot at = spot(path_, path, true);
  check(::symlinkat(std::string(target).c_str(), at.parent.fd, at.name.c_str()) == 0, at.name);
  return *this;
}

TempTree& TempTree::hardlink(std::string_view path, std::string_view existing) {
  const Spot from = spot(path_, existing, false);
  const Spot at = spot(path_, path, true);
  check(::linkat(from.parent.fd, from.name.c_str(), at.parent.fd, at.name.c_str(), 0) == 0,
        at.name);
  return *this;
}

TempTree& TempTree::fifo(std::string_view path) {
  const Spot at = spot(path_, path, true);
  check(::mknodat(at.parent.fd, at.name.c_str(), S_IFIFO | 0644, 0) == 0, at.name);
  return *this;
}

TempTree& TempTree::socket(std::string_view path) {
  const Handle made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_of(path).copy(address.sun_path, sizeof address.sun_path - 1);
  check(::bind(made.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
        path_of(path));
  return *this;
}

TempTree& TempTree::mode(std::string_view path, unsigned mode) {
  const Spot at = spot(path_, path, false);
  check(::fchmodat(at.parent.fd, at.name.c_str(), mode, 0) == 0, at.name);
  return *this;
}

TempTree& TempTree::owner(std::string_view path, std::uint32_t uid, std::uint32_t gid) {
  const Spot at = spot(path_, path, false);
  check(::fchownat(at.parent.fd, at.name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) == 0, at.name);
  return *this;
}

TempTree& TempTree::mtime(std::string_view path, std::int64_t ns) {
  const Spot at = spot(path_, path, false);
  const timespec times[2]{{0, UTIME_OMIT}, {ns / 1'000'000'000, ns % 1'000'000'000}};
  check(::utimensat(at.parent.fd, at.name.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0, at.name);
  return *this;
}

TempTree& TempTree::remove(std::string_view path) {
  const Spot at = spot(path_, path, false);
  const bool gone = ::unlinkat(at.parent.fd, at.name.c_str(), 0) == 0 ||
                    ::unlinkat(at.parent.fd, at.name.c_str(), AT_REMOVEDIR) == 0;
  check(gone, at.name);
  return *this;
}

bool TempTree::exists(std::string_view path) const {
  const Spot at = spot(path_, path, false);
  struct stat st {};
  return ::fstatat(at.parent.fd, at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

struct stat TempTree::stat(std::string_view path) const {
  const Spot at = spot(path_, path, false);
  struct stat st {};
  check(::fstatat(at.parent.fd, at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0, at.name);
  return st;
}

std::string TempTree::read(std::string_view path) const {
  const Spot at = spot(path_, path, false);
  const Handle file(::openat(at.parent.fd, at.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  check(file.fd >= 0, at.name);
  std::string bytes;
  std::vector<char> buffer(65536);
  for (;;) {
    const ssize_t got = ::read(file.fd, buffer.data(), buffer.size());
    check(got >= 0, at.name);
    if (got == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

int as_nobody(const std::function<int()>& body) {
  return in_child([&body] { return become_nobody() ? body() : kDied; });
}

int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  check(child >= 0, "fork");
  if (child == 0) ::_exit(run_child(body));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) check(errno == EINTR, "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : kDied;
}

}  // namespace xs::test
