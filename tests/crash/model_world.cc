// SPDX-License-Identifier: MIT
#include "tests/crash/model_world.h"

#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "protocol/entries.h"
#include "sync/hash.h"

namespace xs::test {
namespace {

constexpr char kLocalFile[] = "local.properties";  // excluded: in no manifest
constexpr std::int64_t kOldTime = 1'000;
constexpr std::int64_t kNewTime = 2'000;

std::uint32_t other_user() { return ::geteuid() == 0 ? 7 : 0; }

Options options() {
  Options made;
  made.compare = Compare::Content;
  made.keep = {Keep::Permissions, Keep::Owner, Keep::Group, Keep::Symlinks, Keep::Hardlinks};
  made.scan = {Scan::Recursive, Scan::NumericIds};
  return made;
}

Entries entries_of(const Tree& tree, std::int64_t time) {
  Entries made;
  std::map<std::uint32_t, std::uint32_t> users;
  made.groups.push_back({"", 0});
  for (const auto& [path, thing] : tree) {
    const auto [at, is_new] = users.try_emplace(thing.uid, made.users.size());
    if (is_new) made.users.push_back({"", thing.uid});
    Entry entry;
    entry.path = path;
    entry.type = thing.type;
    entry.mode = static_cast<std::uint16_t>(thing.mode);
    entry.owner = at->second;
    entry.mtime_ns = time;
    if (thing.type == EntryType::File) {
      entry.size = thing.data.size();
      entry.digest = digest_of(thing.data);
    }
    if (thing.type == EntryType::Symlink) {
      entry.content = thing.data;
      entry.mode = 0777;
    }
    if (!thing.link.empty()) {
      entry.type = EntryType::Hardlink;
      entry.size = 0;
      entry.digest.reset();
      entry.content = thing.link;
    }
    made.list.push_back(std::move(entry));
  }
  std::sort(made.list.begin(), made.list.end(),
            [](const Entry& a, const Entry& b) { return path_less(a.path, b.path); });
  return made;
}

bool is(const Node& node, const Thing& thing) {
  if (node.type != thing.type || node.uid != thing.uid) return false;
  if (node.type != EntryType::Symlink && node.mode != thing.mode) return false;
  return node.type == EntryType::Dir || *node.data == thing.data;
}

NodeId find(const Image& image, std::string_view path) {
  NodeId at = kRootNode;
  while (!path.empty() && at != kNoNode) {
    if (image[at]->type != EntryType::Dir) return kNoNode;
    const std::size_t slash = std::min(path.find('/'), path.size());
    at = child(image, at, intern(path.substr(0, slash)));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return at;
}

const Thing* thing_at(const Tree& tree, const std::string& path) {
  const auto found = tree.find(path);
  return found == tree.end() ? nullptr : &found->second;
}

bool stands(const ModelDisk& disk, const Tree& tree, const std::string& path) {
  const Thing* thing = thing_at(tree, path);
  const NodeId node = find(disk.now(), path);
  if (thing == nullptr || node == kNoNode) return thing == nullptr && node == kNoNode;
  return is(*disk.now()[node], *thing);
}

Edit make(std::string name, std::function<void(Tree&)> change) {
  return {std::move(name), std::move(change)};
}

void if_there(Tree& tree, const std::string& path, const std::function<void(Thing&)>& change) {
  const auto found = tree.find(path);
  if (found != tree.end()) change(found->second);
}

bool has_dir(const Tree& tree, const std::string& path) {
  const Thing* thing = thing_at(tree, path);
  return thing != nullptr && thing->type == EntryType::Dir;
}

}  // namespace

Thing file(std::string data, std::uint32_t mode) {
  return {EntryType::File, mode, 0, std::move(data), {}};
}
Thing dir(std::uint32_t mode) { return {EntryType::Dir, mode, 0, {}, {}}; }
Thing symlink_to(std::string target) {
  return {EntryType::Symlink, 0777, 0, std::move(target), {}};
}

void erase_tree(Tree& tree, const std::string& path) {
  for (auto at = tree.begin(); at != tree.end();) {
    const bool below = at->first.substr(0, path.size() + 1) == path + "/";
    at = at->first == path || below ? tree.erase(at) : std::next(at);
  }
}

Tree base_tree() {
  return {{"", dir(0755)},
          {"a", file(std::string(600, 'a'))},
          {"b", file("bbb", 0600)},
          {"d", dir()},
          {"d/x", file("xxx")},
          {"d/y", file("yyy", 0600)},
          {kIndexFile, file("index")},
          {"l", symlink_to("a")}};
}

const std::vector<Edit>& all_edits() {
  static const std::vector<Edit> edits{
      make("create n", [](Tree& t) { t["n"] = file("nnn"); }),
      make("replace a",
           [](Tree& t) { if_there(t, "a", [](Thing& a) { a.data = std::string(700, 'A'); }); }),
      make("delete b", [](Tree& t) { erase_tree(t, "b"); }),
      make("mkdir e", [](Tree& t) { t["e"] = dir(0700); }),
      make("rmdir d", [](Tree& t) { erase_tree(t, "d"); }),
      make("retarget l", [](Tree& t) { t["l"] = symlink_to("b"); }),
      make("file to dir a",
           [](Tree& t) {
             erase_tree(t, "a");
             t["a"] = dir();
             t["a/z"] = file("zzz");
           }),
      make("dir to file d",
           [](Tree& t) {
             erase_tree(t, "d");
             t["d"] = file("ddd");
           }),
      make("chmod a", [](Tree& t) { if_there(t, "a", [](Thing& a) { a.mode = 0600; }); }),
      make("chmod d", [](Tree& t) { if_there(t, "d", [](Thing& d) { d.mode = 0700; }); }),
      make("replace index", [](Tree& t) { t[kIndexFile] = file("INDEX"); }),
      make("create d/n",
           [](Tree& t) {
             if (has_dir(t, "d")) t["d/n"] = file("new");
           }),
      make("link to file l", [](Tree& t) { t["l"] = file("lll"); }),
      make("file to link b", [](Tree& t) { t["b"] = symlink_to("d/x"); }),
      make("delete l", [](Tree& t) { erase_tree(t, "l"); }),
      make("rename d to g",
           [](Tree& t) {
             if (!has_dir(t, "d")) return;
             t["g"] = t["d"];
             for (const char* name : {"x", "y"}) {
               const std::string old = std::string("d/") + name;
               if (t.count(old) != 0) t[std::string("g/") + name] = t[old];
             }
             erase_tree(t, "d");
           }),
      make("mkdir e/e/f",
           [](Tree& t) {
             t["e"] = dir();
             t["e/e"] = dir();
             t["e/e/f"] = file(std::string(513, 'f'));
           }),
      make("chown b",
           [](Tree& t) {
             if_there(t, "b", [](Thing& b) {
               b.uid = other_user();
               b.mode = 0640;
             });
           }),
      make("replace d/x",
           [](Tree& t) {
             if (has_dir(t, "d")) t["d/x"] = file("zzz");
           }),
      make("link to dir l", [](Tree& t) { t["l"] = dir(); }),
      make("hard link h to b",
           [](Tree& t) {
             const Thing* b = thing_at(t, "b");
             if (b == nullptr || b->type != EntryType::File) return;
             t["h"] = *b;
             t["h"].link = "b";
           }),
  };
  return edits;
}

Tree random_tree(Random& random, std::size_t size, bool mount) {
  Tree tree = base_tree();
  if (mount) tree["m"] = dir();
  const std::size_t wanted = 1 + random() % size;
  for (std::size_t i = 0; i < wanted; ++i) tree = random_successor(tree, random, mount);
  return tree;
}

namespace {

std::string random_path(const Tree& tree, Random& random, bool mount) {
  std::vector<std::string> dirs;
  for (const auto& [path, thing] : tree) {
    if (thing.type == EntryType::Dir) dirs.push_back(path);
  }
  std::string parent = dirs[random() % dirs.size()];
  if (mount && random() % 3 == 0) parent = "m";
  return join_path(parent, std::string(1, static_cast<char>('a' + random() % 26)));
}

Thing random_thing(Random& random) {
  const auto mode = static_cast<std::uint32_t>(random() % 2 == 0 ? 0640 : 0600);
  switch (random() % 8) {
    case 0: return dir(random() % 2 == 0 ? 0750 : 0700);
    case 1: return symlink_to(std::string(1, static_cast<char>('a' + random() % 26)));
    default:
      return file(std::string(random() % 1200, static_cast<char>('a' + random() % 26)), mode);
  }
}

}  // namespace

// One to a few dozen changes.
Tree random_successor(const Tree& tree, Random& random, bool mount) {
  Tree after = tree;
  const std::size_t changes = 1 + random() % (random() % 4 == 0 ? 90 : 6);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::string path = random_path(after, random, mount);
    if (path == kIndexFile) {
      after[path] = file("index " + std::to_string(random() % 100));
      continue;
    }
    if (path == "m" || path == kLocalFile) continue;
    erase_tree(after, path);
    if (random() % 4 != 0) after[path] = random_thing(random);
  }
  return after;
}

World::World(Tree before, Tree after, std::string wake, bool mount)
    : before_(std::move(before)), after_(std::move(after)), wake_(std::move(wake)), mount_(mount) {}

ModelDisk World::disk() const {
  ModelDisk made;
  const auto put = [&](const std::string& path, const Thing& thing) {
    Node node;
    node.type = thing.type;
    node.mode = thing.mode;
    node.uid = thing.uid;
    node.mtime_ns = kOldTime;
    node.dev = mount_ && (path == "m" || path.substr(0, 2) == "m/") ? 2 : 1;
    node.data = std::make_shared<const std::string>(thing.data);
    if (thing.type == EntryType::Dir) {
      node.data = nullptr;
      node.names = std::make_shared<const std::vector<std::pair<Name, NodeId>>>();
    }
    made.put(path, node);
  };
  for (const auto& [path, thing] : before_) {
    if (!path.empty()) put(path, thing);
  }
  put(kLocalFile, file("local", 0604));
  put(".xroad-sync", dir(0700));
  put(".xroad-sync/lock", file(""));
  return made;
}

CommitResult World::run(ModelDisk& disk, std::uint64_t id, const Wake& on_wake,
                        const std::function<void()>& committed) const {
  const Entries target = entries_of(after_, kNewTime);
  PlanRules rules;
  rules.options = options();
  rules.index_files = {kIndexFile};
  const Plan plan = make_plan(entries_of(before_, kOldTime), target, rules);
  std::vector<std::string> paths;
  paths.reserve(plan.actions.size());
  for (const Action& action : plan.actions) paths.push_back(action.path);
  Staging staging(disk, Areas::find(disk, paths), id);
  for (const Action& action : plan.actions) {
    if (action.kind == ActionKind::MakeDir) staging.nest(action.path);
  }
  FinalAttributes attributes(disk, target, rules.options);
  StagedFiles staged;
  for (const StagedContent& content : plan.contents) {
    const Entry& entry = target.list[content.entry];
    StagedFile one = staging.create(entry.path);
    one.write(after_.at(entry.path).data);
    staged.emplace(content.entry, one.keep(attributes.of(entry)));
  }
  CommitRequest request;
  Prepared prepared = prepare(staging, plan, target, staged, attributes);
  request.steps = std::move(prepared.steps);
  request.inside = std::move(prepared.inside);
  request.wake = wake_;
  request.on_wake = on_wake;
  request.committed = committed;
  return commit_and_note(staging, disk.fault.code, std::move(request));
}

// Attributes of a directory that the kernel refuses are left out and told. Until it is known of
// which they may be any one's; a commit that failed has left none out: the next run sets them.
CommitResult World::commit_and_note(Staging& staging, int fault, CommitRequest request) const {
  unset_.clear();
  if (fault == EPERM || fault == EACCES) {
    for (const auto& [path, thing] : after_) unset_.insert(path);
  }
  std::set<std::string> told;
  try {
    CommitResult done = commit(staging, SteadyClock(), std::move(request));
    for (const Problem& problem : done.problems) {
      if (problem.what.starts_with("its attributes could not be set")) told.insert(problem.path);
    }
    unset_ = std::move(told);
    return done;
  } catch (...) {
    unset_.clear();
    throw;
  }
}

// ---- the oracle

std::string World::difference(const ModelDisk& disk, const Tree& tree) const {
  std::size_t seen = 0;
  std::vector<std::pair<std::string, NodeId>> pending{{"", kRootNode}};
  while (!pending.empty()) {
    const auto [path, id] = std::move(pending.back());
    pending.pop_back();
    const Node& node = *disk.now()[id];
    const Thing* thing = thing_at(tree, path);
    if (thing == nullptr) return path + " should not be there";
    const bool told =
        unset_.count(path) != 0 && node.type == EntryType::Dir && thing->type == EntryType::Dir;
    if (!told && !is(node, *thing)) return path + " is not as it should be";
    if (links_matter_ && !thing->link.empty() && find(disk.now(), thing->link) != id) {
      return path + " is not the file that it should be a name of";
    }
    ++seen;
    if (node.type != EntryType::Dir) continue;
    for (const auto& [name, below] : *node.names) {
      const std::string& text = text_of(name);
      if (text == ".xroad-sync" || (path.empty() && text == kLocalFile)) continue;
      pending.emplace_back(join_path(path, text), below);
    }
  }
  return seen == tree.size() ? "" : "something is missing";
}

World World::reversed() const {
  World back(after_, before_, wake_, mount_);
  back.links_matter_ = false;
  return back;
}

std::string World::difference_but_links(const ModelDisk& disk, const Tree& tree) const {
  World lenient = *this;
  lenient.links_matter_ = false;
  return lenient.difference(disk, tree);
}

Holds World::holds(const ModelDisk& disk) const {
  if (difference(disk, after_).empty()) return Holds::New;
  return difference(disk, before_).empty() ? Holds::Old : Holds::Neither;
}

std::string World::missing_or_torn(const ModelDisk& disk) const {
  for (const auto& [path, thing] : before_) {
    if (thing.type != EntryType::File) continue;
    const Thing* then = thing_at(after_, path);
    if (then == nullptr || then->type != EntryType::File) continue;
    const NodeId node = find(disk.now(), path);
    if (node == kNoNode) return path + " is missing";
    if (!is(*disk.now()[node], thing) && !is(*disk.now()[node], *then)) return path + " is torn";
  }
  return "";
}

std::string World::out_of_order(const ModelDisk& disk) const {
  const std::string index = kIndexFile;
  const bool index_changed =
      thing_at(after_, index) != nullptr &&
      (thing_at(before_, index) == nullptr || *thing_at(before_, index) != after_.at(index));
  std::string unfinished;
  for (const auto& [path, thing] : after_) {
    if (thing.type != EntryType::Dir && !stands(disk, after_, path)) unfinished = path;
    const bool early = !unfinished.empty() && unfinished != index && index_changed;
    if (early && stands(disk, after_, index)) return unfinished + " is not new, and the index is";
  }
  for (const auto& [path, thing] : before_) {
    const bool deleted =
        after_.count(path) == 0 && has_dir(after_, std::string(split_path(path).parent));
    if (!deleted || thing.type == EntryType::Dir || unfinished.empty()) continue;
    if (find(disk.now(), path) == kNoNode)
      return unfinished.append(" is not new, and gone is ").append(path);
  }
  return "";
}

std::string World::untouched(const ModelDisk& disk) const {
  const NodeId node = find(disk.now(), kLocalFile);
  if (node == kNoNode) return "the local file is gone";
  if (!is(*disk.now()[node], file("local", 0604)) || disk.now()[node]->mtime_ns != kOldTime) {
    return "the local file was touched";
  }
  const NodeId area = find(disk.now(), ".xroad-sync");
  if (area == kNoNode || disk.now()[area]->mode != 0700) return "the staging area is not private";
  return "";
}

std::string World::leftovers(const ModelDisk& disk) {
  for (const char* dir : {".xroad-sync", "m/.xroad-sync"}) {
    const NodeId area = find(disk.now(), dir);
    if (area == kNoNode) continue;
    for (const auto& [name, node] : *disk.now()[area]->names) {
      const std::string& text = text_of(name);
      if (text != "lock" && text != "previous" && text != "areas") return text + " was left";
    }
  }
  return "";
}

}  // namespace xs::test
