// SPDX-License-Identifier: MIT
#include "sync/scan.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/attributes.h"
#include "sync/contents.h"

namespace xs {
namespace {

constexpr std::size_t kHeldDirs = 64;  // deeper directories are closed while one below them is read
constexpr std::size_t kChunk = 4096;
constexpr std::uint64_t kContentFiles = 5'000;
constexpr std::uint64_t kContentBytes = std::uint64_t{64} << 20;

// Entries while their number is unknown: a growing vector would hold everything twice at its last
// step.
class EntryLog {
 public:
  std::size_t size() const {
    return chunks_.empty() ? 0 : (chunks_.size() - 1) * kChunk + chunks_.back().size();
  }

  void push(Entry&& entry) {
    if (chunks_.empty() || chunks_.back().size() == kChunk) chunks_.emplace_back().reserve(kChunk);
    chunks_.back().push_back(std::move(entry));
  }

  void shrink(std::size_t size) {
    while (this->size() > size) {
      chunks_.back().pop_back();
      if (chunks_.back().empty()) chunks_.pop_back();
    }
  }

  std::vector<Entry> take() {
    std::vector<Entry> all;
    all.reserve(size());
    for (; !chunks_.empty(); chunks_.pop_front()) {
      std::move(chunks_.front().begin(), chunks_.front().end(), std::back_inserter(all));
    }
    return all;
  }

 private:
  std::deque<std::vector<Entry>> chunks_;
};

// Places in a table of principals, by number; neighbours mostly have the same owner.
class Places {
 public:
  template <class Look>
  std::uint32_t of(std::uint32_t id, std::vector<Principal>& table, Look look) {
    if (any_ && id == last_id_) return last_;
    const auto [at, is_new] = places_.try_emplace(id, static_cast<std::uint32_t>(table.size()));
    if (is_new) table.push_back(look(id));
    any_ = true;
    last_id_ = id;
    last_ = at->second;
    return last_;
  }

 private:
  std::unordered_map<std::uint32_t, std::uint32_t> places_;
  std::uint32_t last_id_ = 0;
  std::uint32_t last_ = 0;
  bool any_ = false;
};

struct Inode {
  std::uint64_t dev;
  std::uint64_t ino;
  bool operator==(const Inode&) const = default;
};
struct InodeHash {
  std::size_t operator()(const Inode& inode) const {
    return inode.ino * 0x9E3779B97F4A7C15U ^ inode.dev;
  }
};
struct FirstLink {
  std::size_t index;
  std::string path;
};

struct Level {  // a directory that is being walked
  std::optional<Dir> dir;
  std::string path;
  Listing names;
  FileStat stat;
  std::size_t next = 0;
  std::size_t index = 0;     // of its entry
  std::size_t problems = 0;  // that there were before it
  bool mount = false;
};

bool gone(int err) { return err == ENOENT || err == ENOTDIR || err == ELOOP || err == ESTALE; }

class Walker {
 public:
  Walker(const Dir& root, const ScanRequest& request)
      : root_(root), request_(request), names_(request.options.scan.has(Scan::NumericIds)) {}

  ScanResult run() {
    enter_root();
    while (!levels_.empty()) {
      Level& top = levels_.back();
      if (top.next == top.names.size()) {
        leave();
      } else if (top.dir || reopen(top)) {
        visit(top, top.names.name(top.next++));
      }
    }
    return finish();
  }

 private:
  bool keeps(Keep what) const { return request_.options.keep.has(what); }
  bool scans(Scan what) const { return request_.options.scan.has(what); }

  void problem(std::string_view path, std::string what) {
    result_.problems.push_back({std::string(path), std::move(what)});
  }

  bool hidden(std::string_view path, bool is_dir) const {
    return request_.hidden && request_.hidden(path, is_dir);
  }

  // ---- levels
  // ---------------------------------------------------------------------------------------------

  void enter_root() {
    Level level;
    level.dir = root_.walk("");
    level.mount = true;
    Entry entry;
    try {
      level.stat = level.dir->stat(Dir::kSelf);
      level.dir->list(level.names);
      entry = basics({}, level.stat);
      complete(entry, *level.dir, Dir::kSelf, level.stat);
    } catch (const Error& error) {
      throw Error(Fault::Partial, error.text(), error.code());
    }
    push(std::move(level), std::move(entry));
  }

  void push(Level&& level, Entry&& entry) {
    level.names.sort();
    level.index = log_.size();
    level.problems = result_.problems.size();
    add(std::move(entry), level.stat);
    if (levels_.size() > kHeldDirs) levels_.back().dir.reset();
    levels_.push_back(std::move(level));
    if (request_.enter) request_.enter(*levels_.back().dir);
  }

  void leave() {
    Level& top = levels_.back();
    if (request_.leave) request_.leave(top.path);
    const bool empty = log_.size() == top.index + 1 && result_.problems.size() == top.problems;
    if (empty && scans(Scan::PruneEmptyDirs) && !top.path.empty()) forget_from(top.index);
    spare_.push_back(std::move(top.names));
    levels_.pop_back();
  }

  // A directory that was closed on the way down; false: it is another one by now, and its level is
  // gone.
  bool reopen(Level& level) {
    const Level& held = levels_[kHeldDirs - 1];
    try {
      Dir dir = held.dir->walk(std::string_view(level.path).substr(held.path.size() + 1));
      if (dir.stat(Dir::kSelf).same_inode(level.stat)) {
        level.dir = std::move(dir);
        return true;
      }
    } catch (const Error& error) {
      if (exhausted(error.code())) throw;
    }
    problem(level.path, "the directory moved while it was read");
    forget_from(level.index);
    level.next = level.names.size();
    return false;
  }

  void forget_from(std::size_t index) {
    gave_up_ = true;
    log_.shrink(index);
    result_.stamps.resize(index);
    std::erase_if(first_links_, [index](const auto& item) { return item.second.index >= index; });
  }

  // ---- names
  // ----------------------------------------------------------------------------------------------

  void visit(Level& level, std::string_view name) {
    if (name == kStagingName) return level.mount ? void() : leave_to_its_owner(level);
    if (name.size() > limits::kName || level.path.size() + 1 + name.size() > limits::kPath) {
      return problem(level.path,
                     "holds a name that is too long to travel: " + excerpt(name, limits::kName));
    }
    std::string path = join_path(level.path, name);
    const auto listed_as_dir = level.names.is_dir(level.next - 1);
    if (listed_as_dir && hidden(path, *listed_as_dir)) return;
    std::optional<FileStat> st;
    if (!guarded(path, [&] { st = level.dir->stat_if_exists(name); })) return;
    if (!st) {
      ++result_.vanished;
      return;
    }
    if (listed_as_dir != st->is_dir() && hidden(path, st->is_dir())) return;
    if (st->is_dir()) {
      visit_dir(level, name, std::move(path), *st);
    } else {
      visit_leaf(level, name, std::move(path), *st);
    }
  }

  // Somebody's journal speaks of what is in here, and a copy of it would grow with every run.
  void leave_to_its_owner(Level& level) {
    problem(level.path, "is itself the destination of a sync (it holds '" +
                            std::string(kStagingName) + "') and is left alone; exclude it");
    forget_from(level.index);
    level.next = level.names.size();
  }

  // Runs `step`; false when it failed for this name only, which then is a problem or was counted.
  template <class Step>
  bool guarded(std::string_view path, Step step) {
    try {
      step();
      return true;
    } catch (const Error& error) {
      if (exhausted(error.code()) || error.fault() != Fault::Io) throw;
      if (gone(error.code())) {
        ++result_.vanished;
      } else {
        problem(path,
                "cannot be read: " + (error.code() != 0 ? errno_text(error.code())
                                                        : excerpt(error.text(), limits::kName)));
      }
      return false;
    }
  }

  void visit_dir(const Level& parent, std::string_view name, std::string path, const FileStat& st) {
    if (!scans(Scan::Recursive)) return problem(path, "directory not copied: recursion is off");
    if (scans(Scan::OneFileSystem) && st.dev != levels_.front().stat.dev) {
      // As rsync -x: the mount point is an entry, what is mounted there is not.
      result_.mounts.push_back(path);
      if (scans(Scan::PruneEmptyDirs)) return;
      Entry entry = basics(std::move(path), st);
      if (guarded(entry.path, [&] { complete(entry, *parent.dir, name, st); }))
        add(std::move(entry), st);
      return;
    }
    Level level;
    Entry entry;
    if (!spare_.empty()) {
      level.names = std::move(spare_.back());
      spare_.pop_back();
    }
    const bool readable = guarded(path, [&] {
      level.dir = parent.dir->open_dir(name);
      level.stat = level.dir->stat(Dir::kSelf);
      level.dir->list(level.names);
      entry = basics(path, level.stat);
      complete(entry, *level.dir, Dir::kSelf, level.stat);
    });
    if (!readable) return;
    level.mount = level.stat.mount_root || level.stat.dev != parent.stat.dev;
    level.path = std::move(path);
    push(std::move(level), std::move(entry));
  }

  std::string_view not_kept(EntryType type) const {
    switch (type) {
      case EntryType::Symlink: return keeps(Keep::Symlinks) ? "" : kLinkNotCopied;
      case EntryType::Fifo: return keeps(Keep::Specials) ? "" : "fifo not copied";
      case EntryType::Socket: return keeps(Keep::Specials) ? "" : "socket not copied";
      case EntryType::CharDevice:
      case EntryType::BlockDevice: return keeps(Keep::Devices) ? "" : "device not copied";
      default: return "";
    }
  }

  void visit_leaf(const Level& level, std::string_view name, std::string path, const FileStat& st) {
    if (const std::string_view what = not_kept(st.type()); !what.empty()) {
      return problem(path, std::string(what));
    }
    const bool linked = keeps(Keep::Hardlinks) && st.is_file() && st.nlink > 1;
    if (linked) {
      const auto [first, is_new] =
          first_links_.try_emplace({st.dev, st.ino}, FirstLink{log_.size(), path});
      if (!is_new) return add(repeat(first->second.path, std::move(path), st), st);
    }
    Entry entry = basics(std::move(path), st);
    if (guarded(entry.path, [&] { complete(entry, *level.dir, name, st); })) {
      add(std::move(entry), st);
    } else if (linked) {
      first_links_.erase({st.dev, st.ino});
    }
  }

  // ---- entries
  // --------------------------------------------------------------------------------------------

  Entry basics(std::string path, const FileStat& st) {
    Entry entry;
    entry.path = std::move(path);
    entry.type = st.type();
    entry.mode = st.permissions();
    entry.mtime_ns = st.mtime_ns;
    entry.owner = users_.of(
        keeps(Keep::Owner) ? st.uid : 0, result_.entries.users,
        [this](std::uint32_t id) { return keeps(Keep::Owner) ? names_.user(id) : Principal{}; });
    entry.group = groups_.of(
        keeps(Keep::Group) ? st.gid : 0, result_.entries.groups,
        [this](std::uint32_t id) { return keeps(Keep::Group) ? names_.group(id) : Principal{}; });
    return entry;
  }

  Entry repeat(const std::string& first, std::string path, const FileStat& st) {
    Entry entry = basics(std::move(path), st);
    entry.type = EntryType::Hardlink;
    entry.content = first;
    return entry;
  }

  // What is not in the stat; throws when it cannot be read.
  void complete(Entry& entry, const Dir& dir, std::string_view name, const FileStat& st) const {
    if (entry.type == EntryType::File) entry.size = st.size;
    if (entry.type >= EntryType::CharDevice) entry.size = st.rdev;
    if (entry.type == EntryType::Symlink) entry.content = link_target(dir, name);
    if (keeps(Keep::Acls) || keeps(Keep::Xattrs)) {
      entry.xattrs = read_xattrs(dir, name, request_.options.keep);
    }
  }

  static std::string link_target(const Dir& dir, std::string_view name) {
    std::string target = dir.readlink(name);
    if (target.size() > limits::kPath) throw_errno("readlink", dir.subject(name), ENAMETOOLONG);
    target.shrink_to_fit();
    return target;
  }

  void add(Entry&& entry, const FileStat& st) {
    if (log_.size() >= request_.max_entries) {
      throw Error(Fault::Memory,
                  "the tree has more than " + std::to_string(request_.max_entries) + " entries");
    }
    log_.push(std::move(entry));
    result_.stamps.push_back(st.stamp());
  }

  ScanResult finish() {
    result_.entries.list = log_.take();
    result_.stamps.shrink_to_fit();
    // The walk meets owners in the order of the list; only an entry that was given up leaves a gap.
    if (gave_up_ || !result_.problems.empty() || result_.vanished > 0)
      renumber_owners(result_.entries);
    const bool digests = request_.options.compare == Compare::Content;
    if (digests || request_.options.inline_limit > 0) {
      read_contents(root_, result_,
                    {.digests = digests, .inline_limit = request_.options.inline_limit});
    }
    for (const Entry& entry : result_.entries.list) {
      result_.files += entry.type == EntryType::File ? 1 : 0;
      result_.bytes += entry.type == EntryType::File ? entry.size : 0;
    }
    std::sort(result_.problems.begin(), result_.problems.end(),
              [](const Problem& a, const Problem& b) { return path_less(a.path, b.path); });
    return std::move(result_);
  }

  const Dir& root_;
  const ScanRequest& request_;
  Names names_;
  Places users_;
  Places groups_;
  EntryLog log_;
  ScanResult result_;
  bool gave_up_ = false;
  std::deque<Level> levels_;
  std::vector<Listing> spare_;
  std::unordered_map<Inode, FirstLink, InodeHash> first_links_;
};

}  // namespace

ScanResult scan(const Dir& root, const ScanRequest& request) { return Walker(root, request).run(); }

Compare suitable_compare(const ScanResult& tree) {
  const bool small = tree.files <= kContentFiles && tree.bytes <= kContentBytes;
  return small ? Compare::Content : Compare::Quick;
}

}  // namespace xs
