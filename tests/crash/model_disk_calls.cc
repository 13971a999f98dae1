// SPDX-License-Identifier: MIT
// ModelDisk as the engine sees it: the calls of Disk.
#include <sys/stat.h>

#include <algorithm>

#include "tests/crash/model_disk.h"

namespace xs::test {

// ---- handles

class ModelFile final : public DiskFile {
 public:
  ModelFile(ModelDisk& disk, NodeId node, std::string path)
      : disk_(disk), node_(node), path_(std::move(path)) {}
  void write(std::string_view bytes) override {
    try {
      disk_.change("write", path_);
    } catch (const Error&) {
      disk_.append(node_, bytes.substr(0, bytes.size() / 2));
      throw;
    }
    disk_.append(node_, bytes);
  }
  void set_attributes(const Attributes& attributes) override {
    disk_.change("set attributes", path_);
    disk_.set_body(node_, attributes);
  }
  void sync() override { disk_.sync_node(node_, path_); }
  void close() override { disk_.call("close", path_); }
  FileStat stat() override { return disk_.stat_of(node_); }

 private:
  ModelDisk& disk_;
  NodeId node_;
  std::string path_;
};

namespace {

class ModelReader final : public DiskReader {
 public:
  explicit ModelReader(std::shared_ptr<const std::string> data) : data_(std::move(data)) {}
  std::size_t read(std::span<char> into) override {
    const std::size_t count = std::min(into.size(), data_->size() - at_);
    data_->copy(into.data(), count, at_);
    at_ += count;
    return count;
  }

 private:
  std::shared_ptr<const std::string> data_;
  std::size_t at_ = 0;
};

}  // namespace

class ModelVolume final : public DiskVolume {
 public:
  ModelVolume(ModelDisk& disk, std::uint32_t dev, std::string path)
      : disk_(disk), dev_(dev), path_(std::move(path)) {}
  void sync() override { disk_.sync_volume(dev_, path_); }
  Space space() override { return {std::uint64_t{1} << 40, Space::kUnknown}; }

 private:
  ModelDisk& disk_;
  std::uint32_t dev_;
  std::string path_;
};

// ---- Disk

std::unique_ptr<DiskFile> ModelDisk::create(const std::string& path, std::uint32_t mode) {
  change("create", path);
  const Place at = place(path, "create");
  if (at.node != kNoNode) fail("create", path, EEXIST);
  Node node;
  node.mode = mode;
  node.dev = now_[at.dir]->dev;
  node.data = std::make_shared<const std::string>();
  const NodeId made = new_node(node);
  edit(at.dir, at.name, made);
  return std::make_unique<ModelFile>(*this, made, path);
}

std::unique_ptr<DiskReader> ModelDisk::open(const std::string& path) {
  call("open", path);
  const NodeId node = place(path, "open").node;
  if (node == kNoNode) fail("open", path, ENOENT);
  if (now_[node]->type != EntryType::File) fail("open", path, EINVAL);
  return std::make_unique<ModelReader>(now_[node]->data);
}

std::optional<FileStat> ModelDisk::stat(const std::string& path) {
  call("stat", path);
  const NodeId node = find(path);
  if (node == kNoNode) return std::nullopt;
  return stat_of(node);
}

std::vector<std::string> ModelDisk::list(const std::string& path) {
  call("list", path);
  std::vector<std::string> names;
  for (const auto& [name, node] : *now_[find_dir(path, "list")]->names) {
    names.push_back(text_of(name));
  }
  return names;
}

std::string ModelDisk::readlink(const std::string& path) {
  call("readlink", path);
  const NodeId node = find(path);
  if (node == kNoNode) fail("readlink", path, ENOENT);
  if (now_[node]->type != EntryType::Symlink) fail("readlink", path, EINVAL);
  return *now_[node]->data;
}

void ModelDisk::mkdir(const std::string& path, std::uint32_t mode) {
  change("mkdir", path);
  const Place at = place(path, "mkdir");
  if (at.node != kNoNode) fail("mkdir", path, EEXIST);
  Node node;
  node.type = EntryType::Dir;
  node.mode = mode;
  node.dev = now_[at.dir]->dev;
  node.names = std::make_shared<const Names>();
  edit(at.dir, at.name, new_node(node));
}

void ModelDisk::symlink(const std::string& target, const std::string& path) {
  change("symlink", path);
  const Place at = place(path, "symlink");
  if (at.node != kNoNode) fail("symlink", path, EEXIST);
  Node node;
  node.type = EntryType::Symlink;
  node.mode = 0777;
  node.dev = now_[at.dir]->dev;
  node.data = std::make_shared<const std::string>(target);
  edit(at.dir, at.name, new_node(node));
}

void ModelDisk::mknod(const std::string& path, std::uint32_t mode, std::uint64_t) {
  change("mknod", path);
  const Place at = place(path, "mknod");
  if (at.node != kNoNode) fail("mknod", path, EEXIST);
  Node node;
  node.type = EntryType::Fifo;
  node.mode = mode & 07777U;
  node.dev = now_[at.dir]->dev;
  edit(at.dir, at.name, new_node(node));
}

void ModelDisk::link(const std::string& from, const std::string& to) {
  change("link", to);
  const Place source = place(from, "link");
  const Place target = place(to, "link");
  if (source.node == kNoNode) fail("link", from, ENOENT);
  if (now_[source.node]->type == EntryType::Dir) fail("link", from, EPERM);
  if (target.node != kNoNode) fail("link", to, EEXIST);
  if (now_[source.node]->dev != now_[target.dir]->dev) fail("link", to, EXDEV);
  edit(target.dir, target.name, source.node);
}

void ModelDisk::rename(const std::string& from, const std::string& to) {
  change("rename", to);
  const Place source = place(from, "rename");
  const Place target = place(to, "rename");
  if (source.node == kNoNode) fail("rename", from, ENOENT);
  const Node& moved = *now_[source.node];
  if (moved.dev != now_[target.dir]->dev) fail("rename", to, EXDEV);
  if (source.node == target.node) return;
  const bool is_dir = moved.type == EntryType::Dir;
  if (target.node != kNoNode) {
    const Node& there = *now_[target.node];
    if (there.type == EntryType::Dir && !is_dir) fail("rename", to, EISDIR);
    if (there.type != EntryType::Dir && is_dir) fail("rename", to, ENOTDIR);
    if (is_dir && !there.names->empty()) fail("rename", to, ENOTEMPTY);
  }
  edit(target.dir, target.name, source.node, false, is_dir);
  edit(source.dir, source.name, kNoNode, true, is_dir);
}

void ModelDisk::unlink(const std::string& path) {
  change("unlink", path);
  const Place at = place(path, "unlink");
  if (at.node == kNoNode) fail("unlink", path, ENOENT);
  if (now_[at.node]->type == EntryType::Dir) fail("unlink", path, EISDIR);
  edit(at.dir, at.name, kNoNode);
}

void ModelDisk::rmdir(const std::string& path) {
  change("rmdir", path);
  const Place at = place(path, "rmdir");
  if (at.node == kNoNode) fail("rmdir", path, ENOENT);
  if (now_[at.node]->type != EntryType::Dir) fail("rmdir", path, ENOTDIR);
  if (!now_[at.node]->names->empty()) fail("rmdir", path, ENOTEMPTY);
  edit(at.dir, at.name, kNoNode);
}

void ModelDisk::set_attributes(const std::string& path, const Attributes& attributes) {
  change("set attributes", path);
  const NodeId node = find(path);
  if (node == kNoNode) fail("set attributes", path, ENOENT);
  set_body(node, attributes);
}

void ModelDisk::sync_dir(const std::string& path) { sync_node(find_dir(path, "fsync"), path); }

std::unique_ptr<DiskVolume> ModelDisk::open_volume(const std::string& path) {
  call("open", path);
  return std::make_unique<ModelVolume>(*this, now_[find_dir(path, "open")]->dev, path);
}

bool ModelDisk::same_volume(const std::string& dir, const std::string& other) {
  return now_[find_dir(dir, "stat")]->dev == now_[find_dir(other, "stat")]->dev;
}

}  // namespace xs::test
