// SPDX-License-Identifier: MIT
#include "companion/replication/owned_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/trusted_path.h"

namespace xs {
namespace {

constexpr std::size_t kLimit = 1U << 20;

std::string octal(unsigned mode) {
  std::string out;
  for (int shift = 9; shift >= 0; shift -= 3)
    out += static_cast<char>('0' + ((mode >> shift) & 7U));
  return out;
}

std::string read_text(const std::string& path, const Cluster& cluster) {
  const auto text = read_owned(path, cluster);
  if (!text) throw Error(Fault::Io, quote(path) + " is missing");
  return *text;
}

void keep_copy(const std::string& path, const std::string& bytes, const Cluster& cluster) {
  const std::string copy = path + ".before-xroad-companion";
  struct stat st {};
  if (::lstat(copy.c_str(), &st) == 0) return;
  if (::stat(path.c_str(), &st) != 0) throw_errno("stat", path);
  write_owned(copy, bytes, st.st_mode & 0777U, cluster);
}

// Of a directory that is being made: nobody else gives it this mode. A run that was killed before
// the directory had its owner leaves it so, and the next one goes on with it.
constexpr mode_t kUnfinished = S_ISVTX | S_IRWXU;

// By `st` of lstat().
bool is_unfinished(const struct stat& st) {
  return S_ISDIR(st.st_mode) && (st.st_mode & 07777U) == kUnfinished;
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Every text that is replaced, since nobody else may have it: a key above all.
void keep_old(const std::string& path, const std::string& bytes, const Cluster& cluster) {
  constexpr int kMost = 100;
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) throw_errno("stat", path);
  for (int i = 0; i < kMost; ++i) {
    const std::string copy =
        path + ".before-xroad-companion" + (i == 0 ? "" : "." + std::to_string(i));
    const auto there = read_owned(copy, cluster);
    if (there == bytes) return;
    if (there) continue;
    return write_owned(copy, bytes, st.st_mode & 0777U, cluster);
  }
  throw Error(Fault::Io, "there are too many copies of " + quote(path) + ": move them away");
}

void remove_owned(const std::string& path, const Cluster& cluster) {
  const TrustedDirectory parent = open_directory(parent_of(path));
  const AsOwner rights(directory_user(parent_of(path), cluster));
  if (::unlinkat(parent.fd.get(), name_of(path).c_str(), 0) != 0 && errno != ENOENT) {
    throw_errno("unlink", path);
  }
}

// Also in a directory that is neither root's nor the cluster's (/etc/xroad is xroad's): all of it
// is done by descriptors. `last`: it is to be the cluster's; the ones above it are of whoever owns
// the directory that they are made in, else root's, as a package would make them.
void make_directory(const std::string& path, unsigned mode, bool last, const Cluster& cluster) {
  struct stat st {};
  const bool there = ::lstat(path.c_str(), &st) == 0;
  if (there && !is_unfinished(st)) return;
  const TrustedDirectory parent = open_directory(parent_of(path));
  const std::string name = name_of(path);
  const AsOwner rights(parent.owner == cluster.user.uid ? cluster.user : user_of_process());
  if (!there && ::mkdirat(parent.fd.get(), name.c_str(), kUnfinished) != 0) {
    throw_errno("mkdir", path);
  }
  const int raw =
      ::openat(parent.fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (raw < 0) throw_errno("open", path);
  const Fd made(raw);
  if (::fstat(made.get(), &st) != 0) throw_errno("fstat", path);
  const bool ours = st.st_uid == ::geteuid() || (there && st.st_uid == cluster.user.uid);
  if (!ours || (there && !is_unfinished(st))) {
    throw Error(Fault::Refused, quote(path) + " was exchanged");
  }
  if (last && ::fchown(made.get(), cluster.user.uid, cluster.user.gid) != 0) {
    throw_errno("chown", path);
  }
  if (::fchmod(made.get(), mode) != 0) throw_errno("chmod", path);
}

}  // namespace

bool path_exists(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

ChildUser directory_user(const std::string& directory, const Cluster& cluster) {
  const TrustedDirectory found = open_directory(directory);
  if (found.owner == cluster.user.uid) return cluster.user;
  if (found.owner == 0 && (found.roots_alone || ::getuid() != 0)) return user_of_process();
  throw Error(Fault::Refused, quote(directory) + " belongs neither to root" +
                                  (found.owner == 0 ? " alone" : "") + " nor to " +
                                  quote(cluster.owner) + ": nothing is written there");
}

std::optional<std::string> read_owned(const std::string& path, const Cluster& cluster) {
  const std::string directory = parent_of(path);
  if (!path_exists(directory)) return std::nullopt;
  const TrustedDirectory parent = open_directory(directory);
  const AsOwner rights(directory_user(directory, cluster));
  const int raw =
      ::openat(parent.fd.get(), name_of(path).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (raw < 0 && errno == ENOENT) return std::nullopt;
  if (raw < 0) throw_errno("open", path);
  const Fd fd(raw);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("fstat", path);
  if (!S_ISREG(st.st_mode)) throw Error(Fault::Io, quote(path) + " is not a regular file");
  return read_all(fd.get(), kLimit, path);
}

void write_owned(const std::string& path, const std::string& bytes, unsigned mode,
                 const Cluster& cluster) {
  const TrustedDirectory parent = open_directory(parent_of(path));
  const AsOwner rights(directory_user(parent_of(path), cluster));
  struct stat st {};
  const bool there =
      ::fstatat(parent.fd.get(), name_of(path).c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && !S_ISREG(st.st_mode)) throw Error(Fault::Io, quote(path) + " is no regular file");
  FileOwner owner{cluster.user.uid, cluster.user.gid};
  if (there) {
    owner = {st.st_uid, st.st_gid};
    mode = st.st_mode & 07777U;
  }
  replace_file(path, bytes, mode, owner);
}

void check_keeps_owner(const std::string& path, const Cluster& cluster) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return;  // who reads it will say so
  if (directory_user(parent_of(path), cluster).uid == 0) return;
  const ChildUser& user = cluster.user;
  const bool group = st.st_gid == user.gid || std::find(user.groups.begin(), user.groups.end(),
                                                        st.st_gid) != user.groups.end();
  if (st.st_uid == user.uid && group) return;
  throw Error(Fault::Refused,
              quote(path) + " is not " + quote(cluster.owner) +
                  "'s, but lies in his directory, where it can only be changed with "
                  "his rights: chown " +
                  cluster.owner + ": " + shell_words({path}));
}

WorkStep edit_step(const std::string& path, const Cluster& cluster, const std::string& what,
                   const std::function<std::string(const std::string&)>& edit) {
  check_keeps_owner(path, cluster);
  const auto before = std::make_shared<std::optional<std::string>>();
  WorkStep step;
  step.what = what;
  step.detail = [=] {
    const std::string text = read_text(path, cluster);
    return unified_diff(path, text, edit(text));
  };
  step.done = [=] {
    const std::string text = read_text(path, cluster);
    return edit(text) == text;
  };
  step.act = [=] {
    const std::string text = read_text(path, cluster);
    keep_copy(path, text, cluster);
    *before = text;
    write_owned(path, edit(text), 0600, cluster);
  };
  step.undo = [=] {
    if (*before) write_owned(path, **before, 0600, cluster);
  };
  return step;
}

WorkStep file_step(const std::string& path, const std::string& bytes, unsigned mode, bool secret,
                   const Cluster& cluster, OldFile old) {
  WorkStep step;
  step.what = "write " + escape(path);
  step.detail = [=] {
    const auto before = read_owned(path, cluster);
    const std::string head = (before ? "changed: " : "new: ") + escape(path) + ", mode " +
                             octal(mode) + ", owner " + cluster.owner +
                             (before && old == OldFile::Keep ? ", the old one is kept" : "");
    return secret ? head + ", contents not shown\n"
                  : head + "\n" + unified_diff(path, before.value_or(""), bytes);
  };
  step.done = [=] { return read_owned(path, cluster) == bytes; };
  const auto before = std::make_shared<std::optional<std::optional<std::string>>>();
  step.act = [=] {
    const auto there = read_owned(path, cluster);
    if (there && old == OldFile::Keep) keep_old(path, *there, cluster);
    *before = there;
    write_owned(path, bytes, mode, cluster);
  };
  step.undo = [=] {
    if (!*before) return;
    if (**before) {
      write_owned(path, ***before, mode, cluster);
    } else {
      remove_owned(path, cluster);
    }
  };
  return step;
}

WorkStep directory_step(const std::string& path, unsigned mode, const Cluster& cluster) {
  WorkStep step;
  step.what = "make the directory " + escape(path);
  step.detail = [=] {
    return "$ install -d -m " + octal(mode) + " -o " + cluster.owner + " " + shell_words({path}) +
           "\n";
  };
  step.done = [=] {
    struct stat st {};
    return ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && !is_unfinished(st);
  };
  step.act = [=] {
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      const bool last = slash == std::string::npos;
      make_directory(path.substr(0, slash), last ? mode : 0755, last, cluster);
      if (last) return;
    }
  };
  return step;
}

}  // namespace xs
