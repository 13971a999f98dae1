// SPDX-License-Identifier: MIT
#include "sync/disk.h"

#include <array>

#include "base/text.h"

namespace xs {
namespace {

constexpr std::uint32_t kPrivateDir = 0700;

std::vector<std::string> list_opened_up(Disk& disk, const std::string& path, const FileStat& st) {
  if ((st.mode & kPrivateDir) != kPrivateDir) {
    Attributes open_up;
    open_up.mode = kPrivateDir;
    disk.set_attributes(path, open_up);
  }
  return disk.list(path);
}

}  // namespace

void Disk::link_from(const Dir&, std::string_view name, const std::string&) {
  throw_errno("link", name, EXDEV);
}

void Disk::set_dir_attributes(const std::string& path, const Attributes& attributes) {
  const auto st = stat(path);
  if (!st || !st->is_dir()) throw_errno("set attributes", path, st ? ENOTDIR : ENOENT);
  set_attributes(path, attributes);
}

std::optional<std::string> read_if_exists(Disk& disk, const std::string& path, std::size_t limit) {
  if (!disk.stat(path)) return std::nullopt;
  const auto reader = disk.open(path);
  std::string bytes;
  std::array<char, 65536> buffer;
  while (const std::size_t got = reader->read(buffer)) {
    if (got > limit - bytes.size()) {
      throw Error(Fault::Io,
                  "read " + quote(path) + ": larger than " + std::to_string(limit) + " bytes",
                  EFBIG);
    }
    bytes.append(buffer.data(), got);
  }
  return bytes;
}

void remove_tree(Disk& disk, const std::string& path) {
  // A list instead of recursion: what a peer made us build may be deep.
  std::vector<std::string> pending{path};
  while (!pending.empty()) {
    const std::string at = pending.back();
    const auto st = disk.stat(at);
    if (!st) {
      pending.pop_back();
    } else if (!st->is_dir()) {
      disk.unlink(at);
      pending.pop_back();
    } else {
      const auto names = list_opened_up(disk, at, *st);
      if (names.empty()) {
        disk.rmdir(at);
        pending.pop_back();
      }
      for (const std::string& name : names) pending.push_back(join_path(at, name));
    }
  }
}

}  // namespace xs
