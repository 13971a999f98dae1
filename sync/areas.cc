// SPDX-License-Identifier: MIT
#include "sync/areas.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/durable.h"
#include "sync/seeded.h"

namespace xs {
namespace {

constexpr std::string_view kMagic = "XSAREAS1";
constexpr std::string_view kFile = "areas";
constexpr std::size_t kLimit = std::size_t{16} << 20;
constexpr std::size_t kMaxAreas = 4096;

bool leads_into_area(std::string_view path) {
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    if (rest.substr(0, slash) == kStagingName) return true;
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  return false;
}

// Looks at each directory once, from the root down.
class MountFinder {
 public:
  explicit MountFinder(Disk& disk) : disk_(disk) { device_[""] = disk.stat("")->dev; }

  // The device of a directory; one that does not exist yet will be on its parent's.
  std::uint64_t visit(const std::string& dir) {
    const auto known = device_.find(dir);
    if (known != device_.end()) return known->second;
    const std::uint64_t above = visit(std::string(split_path(dir).parent));
    const auto st = disk_.stat(dir);
    std::uint64_t device = above;
    if (st && st->is_dir() && (st->dev != above || st->mount_root)) {
      mounts_.push_back(dir);
      device = st->dev;
    }
    device_[dir] = device;
    return device;
  }
  std::vector<std::string> take() { return std::move(mounts_); }

 private:
  Disk& disk_;
  std::map<std::string, std::uint64_t> device_;
  std::vector<std::string> mounts_;
};

}  // namespace

bool lies_within(std::string_view path, std::string_view dir) {
  if (dir.empty()) return true;
  return path.substr(0, dir.size()) == dir &&
         (path.size() == dir.size() || path[dir.size()] == '/');
}

void check_landing(std::string_view path) {
  if (valid_path(path) && !leads_into_area(path)) return;
  throw Error(Fault::Protocol, quote(path) + " is not a path that a commit may touch");
}

Areas::Areas(std::vector<std::string> mounts) : roots_(std::move(mounts)) {
  for (const std::string& mount : roots_) check_landing(mount);
  roots_.emplace_back();
  std::sort(roots_.begin(), roots_.end());
  roots_.erase(std::unique(roots_.begin(), roots_.end()), roots_.end());
}

Areas Areas::find(Disk& disk, std::span<const std::string> paths) {
  MountFinder finder(disk);
  for (const std::string& path : paths) finder.visit(std::string(split_path(path).parent));
  return Areas(finder.take());
}

const std::string& Areas::root_of(std::string_view path) const {
  const std::string* best = &roots_.front();
  for (const std::string& root : roots_) {
    if (root.size() >= best->size() && path != root && lies_within(path, root)) best = &root;
  }
  return *best;
}

bool Areas::any_below(std::string_view path) const {
  return std::any_of(roots_.begin(), roots_.end(),
                     [&](const std::string& root) { return lies_within(root, path); });
}

std::string area_dir(std::string_view area) { return join_path(area, kStagingName); }

std::string run_dir(std::string_view area, std::uint64_t id) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(id >> shift & 0xFF);
  return join_path(area_dir(area), "run-" + hex(bytes));
}

void ensure_area(Disk& disk, const std::string& area) {
  const std::string dir = area_dir(area);
  const auto st = disk.stat(dir);
  if (!st) return disk.make_private_dir(dir);
  if (!st->is_dir()) {
    throw Error(Fault::Io, quote(dir) + " is not a directory; move it away and run again", ENOTDIR);
  }
  if (!disk.owned_by_us(*st)) {
    throw Error(Fault::Io,
                quote(dir) + " belongs to user " + std::to_string(st->uid) +
                    "; give it with all that is in it to the account that runs this (chown -R), "
                    "or, where it holds no journal, remove it, and run again",
                EPERM);
  }
  if (!disk.same_volume(area, dir)) {
    throw Error(Fault::Io, quote(dir) + " is on another file system than its parent; unmount it",
                EXDEV);
  }
  Attributes only_us;
  only_us.mode = 0700;
  if (st->permissions() != 0700) disk.set_attributes(dir, only_us);
}

void sync_area_name(Disk& disk, const std::string& area) {
  if (!seeded(Seeded::NoAreaSync)) disk.sync_dir(area);
}

void remember_areas(Disk& disk, const Areas& areas) {
  if (areas.roots().size() == 1 || remembered_areas(disk) == areas) return;
  std::string payload;
  wire::put_number(payload, areas.roots().size() - 1);
  for (std::size_t i = 1; i < areas.roots().size(); ++i) {
    wire::put_bytes(payload, areas.roots()[i]);
  }
  write_durably(disk, area_dir(""), std::string(kFile), seal(kMagic, payload));
}

Areas remembered_areas(Disk& disk) {
  const auto sealed = read_if_exists(disk, join_path(area_dir(""), kFile), kLimit);
  if (!sealed) return Areas();
  try {
    wire::Reader reader(unseal(kMagic, *sealed));
    std::vector<std::string> mounts(reader.count(kMaxAreas));
    for (std::string& mount : mounts) mount = reader.bytes(limits::kPath, "path");
    reader.expect_end();
    return Areas(std::move(mounts));
  } catch (const Error& error) {
    throw Error(Fault::Io, quote(join_path(area_dir(""), kFile)) +
                               " cannot be used: " + error.text() + "; remove it and run again");
  }
}

}  // namespace xs
