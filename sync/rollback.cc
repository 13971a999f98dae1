// SPDX-License-Identifier: MIT
#include "sync/rollback.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.h"
#include "sync/generations.h"
#include "sync/staging.h"

namespace xs {
namespace {

constexpr Flags<Keep> kAllXattrs{Keep::Xattrs, Keep::Acls};

using Wanted = std::map<std::string, OldState>;  // parents stand before what is below them

std::vector<Generation> generations_from(Disk& disk, std::uint64_t number) {
  auto found = list_generations(disk);
  std::string names;
  for (const Generation& one : found) names += " " + std::to_string(one.number);
  const auto first = std::find_if(found.begin(), found.end(),
                                  [&](const Generation& one) { return one.number == number; });
  if (first == found.end()) {
    throw Error(Fault::Usage, "there is no kept generation " + std::to_string(number) +
                                  (names.empty() ? "; none is kept" : "; there are:" + names));
  }
  found.erase(found.begin(), first);
  return found;
}

FileStat stat_kept(Disk& disk, const std::string& kept) {
  const auto st = disk.stat(kept);
  if (st) return *st;
  throw Error(Fault::Io, "the kept object " + quote(kept) + " is missing; nothing was touched",
              ENOENT);
}

Attributes attributes_of(Disk& disk, const std::string& path, const FileStat& st) {
  Attributes attributes;
  attributes.mode = st.permissions();
  attributes.uid = st.uid;
  attributes.gid = st.gid;
  attributes.mtime_ns = st.mtime_ns;
  attributes.keep = kAllXattrs;
  attributes.xattrs = disk.xattrs(path, kAllXattrs);
  return attributes;
}

// A directory that was displaced whole, as what it was made of.
void add_tree(Disk& disk, const OldState& top, Wanted& wanted) {
  std::vector<OldState> pending{top};
  while (!pending.empty()) {
    OldState state = std::move(pending.back());
    pending.pop_back();
    const FileStat st = stat_kept(disk, state.kept);
    if (st.is_dir()) {
      for (const std::string& name : disk.list(state.kept)) {
        pending.push_back(
            {join_path(state.path, name), OldState::Kind::Kept, join_path(state.kept, name), {}});
      }
      state.attributes = attributes_of(disk, state.kept, st);
      state.kind = OldState::Kind::Dir;
      state.kept.clear();
    }
    const std::string path = state.path;
    wanted.emplace(path, std::move(state));
  }
}

Wanted compose(Disk& disk, const std::vector<Generation>& generations) {
  Wanted wanted;
  for (const Generation& generation : generations) {
    for (const OldState& state : generation.states) {
      if (state.kind == OldState::Kind::Kept) {
        add_tree(disk, state, wanted);
      } else {
        wanted.emplace(state.path, state);
      }
    }
  }
  return wanted;
}

class Undo {
 public:
  Undo(Staging& staging, const std::vector<std::string>& index_files)
      : staging_(staging),
        disk_(staging.disk()),
        index_files_(index_files.begin(), index_files.end()) {}

  std::vector<Step> steps(const Wanted& wanted) {
    for (const auto& [path, state] : wanted) add(state);
    std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) {
      if (a.kind != b.kind) return a.kind < b.kind;
      const bool children_first =
          a.kind == ActionKind::DeleteDir || a.kind == ActionKind::DirAttributes;
      return children_first && b.path < a.path;
    });
    return std::move(steps_);
  }

 private:
  void add(const OldState& state) {
    const auto now = under_displaced(state.path) ? std::nullopt : disk_.stat(state.path);
    const bool wants_dir = state.kind == OldState::Kind::Dir;
    if (state.kind == OldState::Kind::Absent) {
      if (now) push(now->is_dir() ? ActionKind::DeleteDir : ActionKind::Delete, state.path);
      return;
    }
    const bool displace = now && now->is_dir() != wants_dir;
    if (displace) {
      push(ActionKind::Displace, state.path);
      displaced_.insert(state.path);
    }
    if (!wants_dir) return install(state);
    if (!now || displace)
      push_staged(ActionKind::MakeDir, state.path, staging_.make_dir(state.path));
    push(ActionKind::DirAttributes, state.path).attributes = state.attributes;
  }

  bool under_displaced(std::string_view path) const {
    while (!path.empty()) {
      if (displaced_.find(path) != displaced_.end()) return true;
      path = split_path(path).parent;
    }
    return false;
  }

  Step& push(ActionKind kind, const std::string& path) {
    steps_.emplace_back();
    steps_.back().kind = kind;
    steps_.back().path = path;
    return steps_.back();
  }

  void push_staged(ActionKind kind, const std::string& path, const Staged& staged) {
    Step& step = push(kind, path);
    step.staged = staged.path;
    step.staged_inode = staged.inode;
  }

  void install(const OldState& state) {
    const FileStat st = stat_kept(disk_, state.kept);
    const bool index = index_files_.count(state.path) != 0;
    const auto first = first_names_.find({st.dev, st.ino});
    if (first != first_names_.end()) {
      return push_staged(index ? ActionKind::InstallIndex : ActionKind::Link, state.path,
                         staging_.make_link(state.path, first->second));
    }
    ActionKind kind = index ? ActionKind::InstallIndex : ActionKind::Install;
    if (st.type() == EntryType::Symlink) kind = ActionKind::Symlink;
    if (st.type() != EntryType::Symlink && !st.is_file()) kind = ActionKind::Special;
    const Staged staged = stage(state, st);
    first_names_.emplace(std::make_pair(st.dev, st.ino), staged.path);
    push_staged(kind, state.path, staged);
  }

  Staged stage(const OldState& state, const FileStat& st) {
    Attributes final = attributes_of(disk_, state.kept, st);
    if (disk_.stat(state.path)) final.label = disk_.label(state.path);
    if (!final.label) final.label = disk_.label(state.kept);
    if (st.type() == EntryType::Symlink) {
      return staging_.make_symlink(state.path, disk_.readlink(state.kept), final);
    }
    if (!st.is_file()) return staging_.make_special(state.path, st.mode, st.rdev, final);
    StagedFile file = staging_.create(state.path);
    const auto reader = disk_.open(state.kept);
    std::array<char, 65536> buffer;
    while (const std::size_t got = reader->read(buffer)) file.write({buffer.data(), got});
    return file.keep(final);
  }

  Staging& staging_;
  Disk& disk_;
  const std::set<std::string> index_files_;
  std::vector<Step> steps_;
  std::set<std::string, std::less<>> displaced_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names_;
};

}  // namespace

CommitResult rollback(Disk& disk, const Clock& clock, RollbackRequest request) {
  const Wanted wanted = compose(disk, generations_from(disk, request.number));
  std::vector<std::string> paths;
  for (const auto& [path, state] : wanted) paths.push_back(path);
  Staging staging(disk, Areas::find(disk, paths), request.id);
  CommitRequest commit_request;
  commit_request.steps = Undo(staging, request.index_files).steps(wanted);
  if (request.wake) commit_request.wake = request.wake(commit_request.steps);
  commit_request.on_wake = std::move(request.on_wake);
  commit_request.committed = std::move(request.committed);
  commit_request.keep = request.keep;
  return commit(staging, clock, std::move(commit_request));
}

}  // namespace xs
