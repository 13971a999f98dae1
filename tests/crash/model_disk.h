// SPDX-License-Identifier: MIT
// ModelDisk: a disk in memory that promises what POSIX promises and nothing more. What every
// program sees (`now`) and what the platter holds (`platter`) are two images. In between stand
// directory edits and file contents that nobody synced: a crash keeps any subset of them that
// respects
//   - the order of edits of one name in one directory (no other order holds),
//   - that a rename never loses its object: the new name may be kept without the removal of the old
//     one, never the reverse; of a directory both or neither,
//   - fsync of a file: its bytes and attributes, not its name,
//   - fsync of a directory: the names in it and its attributes, not its own name,
//   - syncfs: everything of that file system.
// Unsynced bytes may be absent, cut, zero, or torn at 512 bytes; unsynced attributes old or new. A
// failed fsync loses the bytes for good and the next one succeeds, as on Linux. A copy of a
// ModelDisk is another universe: exploring crashes needs no second run of the program.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/disk.h"

namespace xs::test {

using Random = std::mt19937_64;
using Name = std::uint32_t;  // an interned name
Name intern(std::string_view name);
const std::string& text_of(Name name);

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0;
inline constexpr NodeId kRootNode = 1;
using Names = std::vector<std::pair<Name, NodeId>>;  // sorted

struct Node {
  EntryType type = EntryType::File;
  std::uint32_t mode = 0;  // permission bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t dev = 1;
  std::int64_t mtime_ns = 0;
  std::shared_ptr<const std::string> data;  // bytes of a file, target of a link
  std::shared_ptr<const Names> names;       // of a directory

  bool same_body(const Node& other) const {
    return type == other.type && mode == other.mode && uid == other.uid && gid == other.gid &&
           mtime_ns == other.mtime_ns && data == other.data;
  }
};

using Image = std::vector<std::shared_ptr<const Node>>;  // by NodeId; 0 is empty

NodeId child(const Image& image, NodeId dir, Name name);

struct InjectedFault {
  std::uint64_t at = ~std::uint64_t{0};  // the call, counted from 0
  int code = 0;
  bool persistent = false;
};

class ModelDisk final : public Disk {
 public:
  ModelDisk();

  // ---- what a test does with it
  const Image& now() const { return now_; }
  // Makes objects that are on the platter from the beginning; parents first.
  void put(const std::string& path, const Node& node);
  // Other bytes, on the platter too: what a failing disk may do.
  void rot(const std::string& path, std::string bytes);
  std::string bytes_of(const std::string& path) const;
  // Called before every change, with nothing of it done.
  std::function<void(ModelDisk&)> before_change;
  InjectedFault fault;
  std::uint64_t calls = 0;  // all calls, faulty ones included

  // How many unsynced edits there are, and whether any bytes are unsynced.
  std::size_t pending() const { return edits_.size(); }
  bool has_dirty() const;
  // What is left after a crash that keeps the wished edits, as far as they can be kept; `bodies`
  // decides about unsynced bytes and attributes: 0 old, 1 new, 2 each at random.
  ModelDisk crash(const std::vector<bool>& wished, int bodies, Random& random) const;
  std::uint64_t fingerprint() const;  // of the names and bodies that can be reached in now()

  // ---- Disk
  std::unique_ptr<DiskFile> create(const std::string& path, std::uint32_t mode) override;
  std::unique_ptr<DiskReader> open(const std::string& path) override;
  std::optional<FileStat> stat(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  std::string readlink(const std::string& path) override;
  std::optional<std::string> label(const std::string&) override { return std::nullopt; }
  std::vector<Xattr> xattrs(const std::string&, Flags<Keep>) override { return {}; }
  void mkdir(const std::string& path, std::uint32_t mode) override;
  void make_private_dir(const std::string& path) override { mkdir(path, 0700); }
  void hand_over(const std::string&) override {}  // all of it is ours
  void take_over(const std::string&) override {}
  void symlink(const std::string& target, const std::string& path) override;
  void mknod(const std::string& path, std::uint32_t mode_and_type, std::uint64_t rdev) override;
  void link(const std::string& from, const std::string& to) override;
  void rename(const std::string& from, const std::string& to) override;
  void unlink(const std::string& path) override;
  void rmdir(const std::string& path) override;
  void set_attributes(const std::string& path, const Attributes& attributes) override;
  void sync_dir(const std::string& path) override;
  std::unique_ptr<DiskVolume> open_volume(const std::string& path) override;
  bool same_volume(const std::string& dir, const std::string& other_dir) override;
  bool volume_sync_reports() override { return true; }
  bool writable(const std::string&) override { return true; }
  bool owned_by_us(const FileStat&) override { return true; }

 private:
  friend class ModelFile;
  friend class ModelVolume;
  struct Edit {
    NodeId dir;
    Name name;
    NodeId node;   // kNoNode: the name is removed
    bool removal;  // the second half of a rename: kept only with the edit before it
    bool coupled;  // and that one only with this
  };
  struct Place {
    NodeId dir = kNoNode;
    Name name = 0;
    NodeId node = kNoNode;
  };

  void call(std::string_view what, const std::string& path);    // counts; may fail
  void change(std::string_view what, const std::string& path);  // and is a point to crash at
  [[noreturn]] static void fail(std::string_view what, const std::string& path, int code);
  NodeId find(std::string_view path) const;
  NodeId find_dir(std::string_view path, std::string_view what) const;
  Place place(const std::string& path, std::string_view what) const;
  NodeId new_node(const Node& node);
  void edit(NodeId dir, Name name, NodeId node, bool removal = false, bool coupled = false);
  void set_body(NodeId node, const Attributes& attributes);
  void append(NodeId node, std::string_view bytes);
  void sync_body(NodeId node);
  void lose_body(NodeId node);
  void sync_node(NodeId node, const std::string& path);
  void sync_volume(std::uint32_t dev, const std::string& path);
  void close_under(std::vector<bool>& kept) const;
  void settle(const std::vector<bool>& kept);
  FileStat stat_of(NodeId node) const;

  Image now_;
  Image platter_;
  std::vector<Edit> edits_;
  std::vector<NodeId> lost_;  // bytes that a failed fsync gave up
};

}  // namespace xs::test
