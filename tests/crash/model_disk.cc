// SPDX-License-Identifier: MIT
#include "tests/crash/model_disk.h"

#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace xs::test {
namespace {

constexpr std::size_t kSector = 512;

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

struct Interned {
  std::unordered_map<std::string, Name, NameHash, std::equal_to<>> ids;
  std::deque<std::string> texts;
};

Interned& interned() {
  static Interned table;
  return table;
}

Names::const_iterator position(const Names& names, Name name) {
  return std::lower_bound(names.begin(), names.end(), name,
                          [](const auto& one, Name wanted) { return one.first < wanted; });
}

void set_name(Image& image, NodeId dir, Name name, NodeId node) {
  auto body = std::make_shared<Node>(*image[dir]);
  auto names = std::make_shared<Names>(*body->names);
  const auto at = names->begin() + (position(*names, name) - names->cbegin());
  const bool there = at != names->end() && at->first == name;
  if (node == kNoNode) {
    if (there) names->erase(at);
  } else if (there) {
    at->second = node;
  } else {
    names->insert(at, {name, node});
  }
  body->names = std::move(names);
  image[dir] = std::move(body);
}

std::shared_ptr<const Node> with_names_of(const Node& body, const Node& names) {
  auto made = std::make_shared<Node>(body);
  made->names = names.names;
  return made;
}

// What a disk may hold of bytes that were written and not synced.
std::shared_ptr<const std::string> torn(const std::string& before, const std::string& after,
                                        Random& random) {
  std::string bytes = after;
  switch (random() % 4) {
    case 0: bytes.resize(random() % (after.size() + 1)); break;
    case 1: std::fill(bytes.begin(), bytes.end(), '\0'); break;
    case 2: bytes = before; break;
    default:
      for (std::size_t at = 0; at < bytes.size(); at += kSector) {
        if (random() % 2 == 0) continue;
        const std::size_t end = std::min(at + kSector, bytes.size());
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                  bytes.begin() + static_cast<std::ptrdiff_t>(end), '\0');
      }
  }
  return std::make_shared<const std::string>(std::move(bytes));
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15ULL + (hash << 6) + (hash >> 2);
  return hash * 0xFF51AFD7ED558CCDULL;
}

}  // namespace

Name intern(std::string_view name) {
  Interned& table = interned();
  const auto found = table.ids.find(name);
  if (found != table.ids.end()) return found->second;
  table.texts.emplace_back(name);
  const auto id = static_cast<Name>(table.texts.size());
  table.ids.emplace(std::string(name), id);
  return id;
}

const std::string& text_of(Name name) { return interned().texts.at(name - 1); }

NodeId child(const Image& image, NodeId dir, Name name) {
  const Names& names = *image[dir]->names;
  const auto at = position(names, name);
  return at != names.end() && at->first == name ? at->second : kNoNode;
}

// ---- the inside

ModelDisk::ModelDisk() {
  Node root;
  root.type = EntryType::Dir;
  root.mode = 0755;
  root.names = std::make_shared<const Names>();
  now_ = {nullptr, std::make_shared<const Node>(root)};
  platter_ = now_;
}

void ModelDisk::put(const std::string& path, const Node& node) {
  const Place at = place(path, "put");
  const NodeId made = new_node(node);
  set_name(now_, at.dir, at.name, made);
  set_name(platter_, at.dir, at.name, made);
}

void ModelDisk::rot(const std::string& path, std::string bytes) {
  const NodeId node = find(path);
  auto body = std::make_shared<Node>(*now_[node]);
  body->data = std::make_shared<const std::string>(std::move(bytes));
  now_[node] = platter_[node] = std::move(body);
}

std::string ModelDisk::bytes_of(const std::string& path) const {
  const NodeId node = find(path);
  if (node == kNoNode) fail("read", path, ENOENT);
  return *now_[node]->data;
}

void ModelDisk::fail(std::string_view what, const std::string& path, int code) {
  throw_errno(what, path, code);
}

void ModelDisk::call(std::string_view what, const std::string& path) {
  const std::uint64_t number = calls++;
  if (number == fault.at || (fault.persistent && number > fault.at)) fail(what, path, fault.code);
}

void ModelDisk::change(std::string_view what, const std::string& path) {
  if (before_change) before_change(*this);
  call(what, path);
}

NodeId ModelDisk::find(std::string_view path) const {
  NodeId at = kRootNode;
  while (!path.empty()) {
    if (now_[at]->type != EntryType::Dir) return kNoNode;
    const std::size_t slash = std::min(path.find('/'), path.size());
    at = child(now_, at, intern(path.substr(0, slash)));
    if (at == kNoNode) return kNoNode;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return at;
}

NodeId ModelDisk::find_dir(std::string_view path, std::string_view what) const {
  const NodeId dir = find(path);
  if (dir == kNoNode) fail(what, std::string(path), ENOENT);
  if (now_[dir]->type != EntryType::Dir) fail(what, std::string(path), ENOTDIR);
  return dir;
}

ModelDisk::Place ModelDisk::place(const std::string& path, std::string_view what) const {
  const SplitPath parts = split_path(path);
  Place at;
  at.dir = find_dir(parts.parent, what);
  at.name = intern(parts.name);
  at.node = child(now_, at.dir, at.name);
  return at;
}

NodeId ModelDisk::new_node(const Node& node) {
  auto made = std::make_shared<const Node>(node);
  now_.push_back(made);
  platter_.push_back(std::move(made));
  return static_cast<NodeId>(now_.size() - 1);
}

void ModelDisk::edit(NodeId dir, Name name, NodeId node, bool removal, bool coupled) {
  set_name(now_, dir, name, node);
  edits_.push_back({dir, name, node, removal, coupled});
}

void ModelDisk::set_body(NodeId node, const Attributes& attributes) {
  auto body = std::make_shared<Node>(*now_[node]);
  if (attributes.mode && body->type != EntryType::Symlink) body->mode = *attributes.mode;
  if (attributes.uid) body->uid = *attributes.uid;
  if (attributes.gid) body->gid = *attributes.gid;
  if (attributes.mtime_ns) body->mtime_ns = *attributes.mtime_ns;
  now_[node] = std::move(body);
}

void ModelDisk::append(NodeId node, std::string_view bytes) {
  auto body = std::make_shared<Node>(*now_[node]);
  auto data = std::make_shared<std::string>(*body->data);
  data->append(bytes);
  body->data = std::move(data);
  now_[node] = std::move(body);
}

FileStat ModelDisk::stat_of(NodeId node) const {
  const Node& body = *now_[node];
  FileStat st;
  st.dev = body.dev;
  st.ino = node;
  st.size = body.type == EntryType::File ? body.data->size() : 0;
  st.mtime_ns = body.mtime_ns;
  st.mode = body.mode;
  switch (body.type) {
    case EntryType::Dir: st.mode |= S_IFDIR; break;
    case EntryType::Symlink: st.mode |= S_IFLNK; break;
    case EntryType::Fifo: st.mode |= S_IFIFO; break;
    default: st.mode |= S_IFREG; break;
  }
  st.uid = body.uid;
  st.gid = body.gid;
  st.nlink = 1;
  return st;
}

// ---- what reaches the platter

void ModelDisk::sync_body(NodeId node) {
  if (std::find(lost_.begin(), lost_.end(), node) != lost_.end()) {
    auto body = std::make_shared<Node>(*now_[node]);
    body->data = platter_[node]->data;
    platter_[node] = with_names_of(*body, *platter_[node]);
    return;
  }
  if (now_[node]->type == EntryType::Dir) {
    platter_[node] = with_names_of(*now_[node], *platter_[node]);
  } else {
    platter_[node] = now_[node];
  }
}

void ModelDisk::lose_body(NodeId node) {
  if (now_[node]->data != platter_[node]->data) lost_.push_back(node);
}

// Adds what the kept edits cannot do without.
void ModelDisk::close_under(std::vector<bool>& kept) const {
  const auto keep = [&](std::size_t i) { return kept[i] ? false : (kept[i] = true); };
  for (bool grew = true; grew;) {
    grew = false;
    for (std::size_t i = edits_.size(); i-- > 0;) {
      if (!kept[i]) continue;
      if (edits_[i].removal) grew |= keep(i - 1);
      if (edits_[i].coupled && !edits_[i].removal) grew |= keep(i + 1);
      for (std::size_t j = 0; j < i; ++j) {
        if (edits_[j].dir == edits_[i].dir && edits_[j].name == edits_[i].name) grew |= keep(j);
      }
    }
  }
}

void ModelDisk::settle(const std::vector<bool>& kept) {
  std::vector<Edit> rest;
  for (std::size_t i = 0; i < edits_.size(); ++i) {
    if (kept[i]) {
      set_name(platter_, edits_[i].dir, edits_[i].name, edits_[i].node);
    } else {
      rest.push_back(edits_[i]);
      // Its first half is on the platter, so it stands alone now.
      if (rest.back().removal && kept[i - 1]) rest.back().removal = false;
    }
  }
  edits_ = std::move(rest);
}

void ModelDisk::sync_node(NodeId node, const std::string& path) {
  try {
    change("fsync", path);
  } catch (const Error&) {
    lose_body(node);
    throw;
  }
  sync_body(node);
  if (now_[node]->type != EntryType::Dir) return;
  std::vector<bool> kept(edits_.size());
  for (std::size_t i = 0; i < edits_.size(); ++i) kept[i] = edits_[i].dir == node;
  close_under(kept);
  settle(kept);
}

void ModelDisk::sync_volume(std::uint32_t dev, const std::string& path) {
  const auto each = [&](auto then) {
    for (NodeId node = kRootNode; node < now_.size(); ++node) {
      if (now_[node]->dev == dev) then(node);
    }
  };
  try {
    change("syncfs", path);
  } catch (const Error&) {
    each([&](NodeId node) { lose_body(node); });
    throw;
  }
  each([&](NodeId node) { sync_body(node); });
  std::vector<bool> kept(edits_.size());
  for (std::size_t i = 0; i < edits_.size(); ++i) kept[i] = now_[edits_[i].dir]->dev == dev;
  close_under(kept);
  settle(kept);
}

bool ModelDisk::has_dirty() const {
  for (NodeId node = kRootNode; node < now_.size(); ++node) {
    if (now_[node] != platter_[node] && !now_[node]->same_body(*platter_[node])) return true;
  }
  return false;
}

ModelDisk ModelDisk::crash(const std::vector<bool>& wished, int bodies, Random& random) const {
  ModelDisk after;
  after.now_ = platter_;
  // Only what can be kept: an edit without one that it needs is lost as well.
  std::vector<bool> kept(edits_.size());
  for (std::size_t i = 0; i < edits_.size(); ++i) {
    bool keeps = wished[i] || (edits_[i].removal && edits_[i].coupled && kept[i - 1]);
    if (edits_[i].removal) keeps = keeps && kept[i - 1];
    for (std::size_t j = 0; keeps && j < i; ++j) {
      keeps = kept[j] || edits_[j].dir != edits_[i].dir || edits_[j].name != edits_[i].name;
    }
    // The second half of a coupled pair must be possible too.
    if (keeps && edits_[i].coupled && !edits_[i].removal) {
      const Edit& half = edits_[i + 1];
      for (std::size_t j = 0; keeps && j < i; ++j) {
        keeps = kept[j] || edits_[j].dir != half.dir || edits_[j].name != half.name;
      }
    }
    kept[i] = keeps;
    if (keeps) set_name(after.now_, edits_[i].dir, edits_[i].name, edits_[i].node);
  }
  for (NodeId node = kRootNode; node < now_.size(); ++node) {
    const Node& seen = *now_[node];
    const Node& held = *platter_[node];
    if (now_[node] == platter_[node] || seen.same_body(held) || bodies == 0) continue;
    const bool lost = std::find(lost_.begin(), lost_.end(), node) != lost_.end();
    auto body = std::make_shared<Node>(*after.now_[node]);
    const auto take = [&] { return bodies == 1 || random() % 2 == 0; };
    if (take()) body->mode = seen.mode;
    if (take()) {
      body->uid = seen.uid;
      body->gid = seen.gid;
    }
    if (take()) body->mtime_ns = seen.mtime_ns;
    if (!lost && seen.data != held.data) {
      body->data = take() ? seen.data : torn(*held.data, *seen.data, random);
    }
    after.now_[node] = std::move(body);
  }
  after.platter_ = after.now_;
  return after;
}

std::uint64_t ModelDisk::fingerprint() const {
  std::uint64_t hash = 1;
  std::vector<NodeId> pending{kRootNode};
  while (!pending.empty()) {
    const NodeId id = pending.back();
    pending.pop_back();
    const Node& body = *now_[id];
    hash = mix(hash, id);
    hash = mix(hash, body.mode | std::uint64_t{body.uid} << 32);
    hash = mix(hash, static_cast<std::uint64_t>(body.mtime_ns) ^ std::uint64_t{body.gid} << 32);
    if (body.data) hash = mix(hash, std::hash<std::string>()(*body.data));
    if (!body.names) continue;
    for (const auto& [name, node] : *body.names) {
      hash = mix(hash, std::uint64_t{name} << 32 | node);
      pending.push_back(node);
    }
  }
  return hash;
}

}  // namespace xs::test
