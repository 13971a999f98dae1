// SPDX-License-Identifier: MIT
// block_recorder MOUNTPOINT MEGABYTES LOG [IMAGE]
// A disk that remembers: a FUSE file system with the file `disk`, to be used as a loop device, and
// the file `mark`. Each write and flush of the disk and each line written to `mark` goes to LOG
// before it is answered, so LOG is complete whenever nobody uses the disk. The disk is
// empty, or begins as IMAGE, which then begins the LOG. Returns once it is mounted and ends with
// fusermount3 -u.
#define FUSE_USE_VERSION 31
#include <fcntl.h>
#include <fuse.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tests/crash/block_log.h"

namespace {

using xs::test::BlockKind;
using xs::test::BlockRecord;

struct Disk {
  char* bytes = nullptr;
  std::size_t size = 0;
  int log = -1;
};

Disk& disk() { return *static_cast<Disk*>(fuse_get_context()->private_data); }

// A failed write to the log must not look like a disk that worked.
int append(int log, BlockKind kind, off_t offset, const char* bytes, std::size_t size) {
  BlockRecord record{kind, static_cast<std::uint32_t>(size), static_cast<std::uint64_t>(offset)};
  const iovec parts[] = {{&record, sizeof record}, {const_cast<char*>(bytes), size}};
  const ssize_t written = ::writev(log, parts, size == 0 ? 1 : 2);
  return written == static_cast<ssize_t>(sizeof record + size) ? 0 : -EIO;
}

bool is_disk(std::string_view path) { return path == "/disk"; }
bool is_mark(std::string_view path) { return path == "/mark"; }

int on_getattr(const char* path, struct stat* st, fuse_file_info*) {
  std::memset(st, 0, sizeof *st);
  st->st_nlink = 1;
  if (std::string_view(path) == "/") {
    st->st_mode = S_IFDIR | 0700;
    return 0;
  }
  if (!is_disk(path) && !is_mark(path)) return -ENOENT;
  st->st_mode = S_IFREG | 0600;
  st->st_size = is_disk(path) ? static_cast<off_t>(disk().size) : 0;
  return 0;
}

// Without the page cache, so that what the loop device does arrives here in its order.
int on_open(const char*, fuse_file_info* info) {
  info->direct_io = 1;
  return 0;
}

int on_read(const char* path, char* into, std::size_t size, off_t offset, fuse_file_info*) {
  const auto at = static_cast<std::size_t>(offset);
  if (!is_disk(path) || at >= disk().size) return 0;
  const std::size_t count = std::min(size, disk().size - at);
  std::memcpy(into, disk().bytes + at, count);
  return static_cast<int>(count);
}

int on_write(const char* path, const char* bytes, std::size_t size, off_t offset, fuse_file_info*) {
  if (is_mark(path)) {
    const int failed = append(disk().log, BlockKind::Mark, 0, bytes, size);
    return failed != 0 ? failed : static_cast<int>(size);
  }
  const auto at = static_cast<std::size_t>(offset);
  if (at > disk().size || size > disk().size - at) return -ENOSPC;
  if (const int failed = append(disk().log, BlockKind::Write, offset, bytes, size); failed != 0)
    return failed;
  std::memcpy(disk().bytes + at, bytes, size);
  return static_cast<int>(size);
}

int on_fsync(const char* path, int, fuse_file_info*) {
  return is_disk(path) ? append(disk().log, BlockKind::Flush, 0, nullptr, 0) : 0;
}

// For the shell's `> mark`.
int on_truncate(const char*, off_t, fuse_file_info*) { return 0; }

// Whole blocks of zeros are what a new disk has anyway.
bool load(Disk& disk, const char* image) {
  constexpr std::size_t kBlock = 4096;
  const int file = ::open(image, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  bool good = true;
  for (std::size_t at = 0; good && at < disk.size; at += kBlock) {
    char* block = disk.bytes + at;
    good = ::pread(file, block, kBlock, static_cast<off_t>(at)) == static_cast<ssize_t>(kBlock);
    if (!good || std::all_of(block, block + kBlock, [](char byte) { return byte == 0; })) continue;
    good = append(disk.log, BlockKind::Write, static_cast<off_t>(at), block, kBlock) == 0;
  }
  ::close(file);
  return good;
}

fuse_operations calls() {
  fuse_operations table{};
  table.getattr = on_getattr;
  table.open = on_open;
  table.read = on_read;
  table.write = on_write;
  table.fsync = on_fsync;
  table.truncate = on_truncate;
  return table;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fputs("usage: block_recorder MOUNTPOINT MEGABYTES LOG [IMAGE]\n", stderr);
    return 1;
  }
  Disk disk;
  disk.size = std::strtoul(argv[2], nullptr, 10) << 20;
  void* memory =
      ::mmap(nullptr, disk.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  disk.bytes = static_cast<char*>(memory);
  disk.log = ::open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (memory == MAP_FAILED || disk.log < 0 || (argc == 5 && !load(disk, argv[4]))) {
    std::perror("block_recorder");
    return 1;
  }
  const fuse_operations table = calls();
  char single[] = "-s";
  char* words[] = {argv[0], single, argv[1], nullptr};
  return fuse_main(3, words, &table, &disk);
}
