// SPDX-License-Identifier: MIT
// Staging: one run's new objects, complete with mode, owner and label before anybody can see them,
// each on the file system where it will land. Made by the receiver and by rollback, handed to
// commit(). Until release() the destructor removes everything again, so a failed run leaves the
// tree and the staging area as they were; what a crash leaves, recovery removes. Staged objects are
// private: files 0600 while they are written, always inside directories of mode 0700.
// A failure to write, sync or close is final for the whole run: nothing is synced twice.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sync/areas.h"
#include "sync/disk.h"
#include "sync/plan.h"

namespace xs {

struct Staged {
  std::string path;  // below the destination root
  std::uint64_t inode = 0;
  bool operator==(const Staged&) const = default;
};

class Staging;

// A file being rebuilt, invisible until the commit. If it is destroyed before keep() (error, lost
// peer) it is unlinked.
class StagedFile {
 public:
  StagedFile(StagedFile&&) noexcept = default;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  void write(std::string_view bytes);
  std::uint64_t size() const { return size_; }
  // Its final attributes; from here on it belongs to the staging.
  Staged keep(const Attributes& final);

 private:
  friend class Staging;
  StagedFile(Staging& staging, std::string area, std::string path);

  Staging* staging_;
  std::string area_;
  std::string path_;
  std::unique_ptr<DiskFile> file_;
  std::uint64_t size_ = 0;
};

class Staging {
 public:
  // Up to here each file is fsynced by itself, which tells what failed; beyond, one syncfs costs
  // far less (2 ms against 1 s for 2,500 files).
  static constexpr std::size_t kSyncEach = 64;

  // `id` is new for every run, or an old journal could name a later run's objects.
  Staging(Disk& disk, Areas areas, std::uint64_t id);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  // More places where objects will land. Not while other threads stage.
  void widen(const Areas& areas);

  // What lands in this directory, which is new, is staged inside of one staged directory from here
  // on, so that all of it comes into the tree with one rename (prepare.h). Parents first; not while
  // other threads stage.
  void nest(const std::string& dir);
  // Where that directory is staged; nullptr when it is not nested.
  const std::string* nest_of(std::string_view dir) const;
  // Nothing is nested any more from here on; staged directories that would come along with one of
  // `whole` and are not of it are removed.
  void close_nests(const std::set<std::string>& whole);
  // Out of its directory: it will come into the tree by itself.
  Staged take_out(const std::string& path, const Staged& staged);

  // For what lands at `path`. Several threads may make and write files of their own.
  StagedFile create(std::string_view path);
  Staged make_dir(std::string_view path);
  Staged make_symlink(std::string_view path, const std::string& target, const Attributes& final);
  Staged make_special(std::string_view path, std::uint32_t mode_and_type, std::uint64_t rdev,
                      const Attributes& final);
  // Another name of a staged object or of one in the tree; it must be on the same file system.
  Staged make_link(std::string_view path, const std::string& from);
  // Another name of a file outside the tree.
  Staged make_link(std::string_view path, const Dir& dir, std::string_view name);
  // No longer wanted, for example because the source moved on.
  void drop(const Staged& staged);

  // Everything staged survives a crash. Called once, by the commit.
  void sync();
  // The journal speaks for it from here on: nothing is removed any more.
  void release() { released_ = true; }

  Disk& disk() const { return disk_; }
  const Areas& areas() const { return areas_; }
  std::uint64_t id() const { return id_; }

 private:
  friend class StagedFile;
  struct Volume {
    std::unique_ptr<DiskVolume> volume;
    std::vector<std::unique_ptr<DiskFile>> files;  // kept open for their own fsync
    bool whole = false;                            // too many, or of a kind that has no fsync
  };

  void prepare_area(const std::string& area);
  std::string new_name(const std::string& area);
  std::string name_for(std::string_view path);
  void take(const std::string& area, std::unique_ptr<DiskFile> file);
  void needs_whole(const std::string& area);
  void finish(DiskFile& file, bool sync);
  void sync_file(DiskFile& file);
  void sync_area(const std::string& area, Volume& volume);
  void discard() noexcept;

  Disk& disk_;
  Areas areas_;
  const std::uint64_t id_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex lock_;
  std::map<std::string, Volume> volumes_;
  std::map<std::string, std::string, std::less<>> nests_;  // by where they will be
  bool nests_closed_ = false;
  std::atomic<bool> failed_{false};
  bool released_ = false;
};

// What is still to be staged, and whether it fits beside what is there.
class SpaceNeeded {
 public:
  void add_file(const std::string& area, std::uint64_t size);
  void add_object(const std::string& area);
  // Refuses (Io, ENOSPC), naming what is needed and what there is.
  void check(Disk& disk) const;

 private:
  struct Need {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
  };
  std::map<std::string, Need> needs_;
};

// The same for the contents and objects of a plan; not for contents that are `staged` already.
// Called before anything is fetched.
void check_space(Disk& disk, const Areas& areas, const Plan& plan, const Entries& target,
                 const std::function<bool(const Entry&)>& staged = {});

}  // namespace xs
