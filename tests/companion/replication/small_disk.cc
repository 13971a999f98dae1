// SPDX-License-Identifier: MIT
#include "tests/companion/replication/small_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "base/error.h"
#include "base/fd.h"

namespace xs::test {
namespace {

bool set_apart() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

void must(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what + ": " + errno_text(errno));
}

}  // namespace

std::optional<std::string> SmallDisk::missing() {
  if (::geteuid() != 0) return "skipped: only root can mount a small file system";
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(set_apart() && ::mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m") == 0 ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status == 0) return std::nullopt;
  return "skipped: this machine lets not even root mount a file system";
}

SmallDisk::SmallDisk(unsigned mebibytes) {
  must(set_apart(), "a mount namespace of our own");
  const std::string options = "mode=0711,size=" + std::to_string(mebibytes) + "m";
  must(::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, options.c_str()) == 0, "mount");
  must(::chmod(dir_.path().c_str(), 0711) == 0, "chmod");
  if (const char* tmp = std::getenv("TMPDIR")) before_ = tmp;
  ::setenv("TMPDIR", dir_.path().c_str(), 1);
}

SmallDisk::~SmallDisk() {
  elsewhere();
  ::umount2(dir_.path().c_str(), MNT_DETACH);
}

void SmallDisk::elsewhere() {
  if (!here_) return;
  here_ = false;
  if (before_) {
    ::setenv("TMPDIR", before_->c_str(), 1);
  } else {
    ::unsetenv("TMPDIR");
  }
}

void SmallDisk::fill(unsigned mebibytes_left) {
  struct statvfs room {};
  must(::statvfs(dir_.path().c_str(), &room) == 0, "statvfs");
  const auto left = static_cast<std::uint64_t>(mebibytes_left) << 20U;
  const std::uint64_t free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  if (free <= left) return;
  const std::string path = dir_ / "ballast";
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  must(static_cast<bool>(file) &&
           ::fallocate(file.get(), 0, 0, static_cast<off_t>(free - left)) == 0,
       "fill the disk");
}

void SmallDisk::empty() { ::unlink((dir_ / "ballast").c_str()); }

}  // namespace xs::test
