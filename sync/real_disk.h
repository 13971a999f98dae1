// SPDX-License-Identifier: MIT
// RealDisk: the Disk that is one, over Dir. Made by the receiver and by rollback, one a run;
// several threads may use it. It holds the directories that were used last, each opened component
// by component without following links.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "sync/disk.h"

namespace xs {

class RealDisk final : public Disk {
 public:
  explicit RealDisk(const Dir& root);

  std::unique_ptr<DiskFile> create(const std::string& path, std::uint32_t mode) override;
  std::unique_ptr<DiskReader> open(const std::string& path) override;
  std::optional<FileStat> stat(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  std::string readlink(const std::string& path) override;
  std::optional<std::string> label(const std::string& path) override;
  std::vector<Xattr> xattrs(const std::string& path, Flags<Keep> keep) override;
  void mkdir(const std::string& path, std::uint32_t mode) override;
  void make_private_dir(const std::string& path) override;
  void hand_over(const std::string& path) override;
  void take_over(const std::string& path) override;
  void symlink(const std::string& target, const std::string& path) override;
  void mknod(const std::string& path, std::uint32_t mode_and_type, std::uint64_t rdev) override;
  void link(const std::string& from, const std::string& to) override;
  void link_from(const Dir& dir, std::string_view name, const std::string& to) override;
  void rename(const std::string& from, const std::string& to) override;
  void unlink(const std::string& path) override;
  void rmdir(const std::string& path) override;
  void set_attributes(const std::string& path, const Attributes& attributes) override;
  void set_dir_attributes(const std::string& path, const Attributes& attributes) override;
  void sync_dir(const std::string& path) override;
  std::unique_ptr<DiskVolume> open_volume(const std::string& path) override;
  bool same_volume(const std::string& dir, const std::string& other_dir) override;
  bool volume_sync_reports() override { return volume_sync_reports_; }
  bool writable(const std::string& dir) override;
  Rights rights() override { return Rights::of_process(); }
  bool owned_by_us(const FileStat& st) override;

 private:
  using Held = std::shared_ptr<const Dir>;
  struct Place {  // where a path stands: its directory, and its name in it (kSelf for the root)
    Held dir;
    std::string name;
  };

  Held hold(std::string_view dir);
  Place place(std::string_view path);
  std::optional<Place> place_if_exists(std::string_view path);
  void forget(std::string_view path);

  const Dir root_;
  const bool volume_sync_reports_;
  std::mutex lock_;
  std::list<Held> held_;  // the directories used last, the newest first
};

}  // namespace xs
