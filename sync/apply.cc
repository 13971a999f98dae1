// SPDX-License-Identifier: MIT
#include "sync/apply.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "sync/seeded.h"
#include "sync/staging.h"

namespace xs {
namespace {

// The tree is not as the commit found it a moment ago: somebody else is at work in it. The step is
// left out and reported; the next run compares again.
bool is_conflict(const Error& error) {
  switch (error.code()) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ELOOP: return true;
    default: return false;
  }
}

// Attributes that the kernel does not let us set, which Inspector did not foresee. The tree is one
// state all the same; to stop here would leave it between two.
bool is_refusal(const Step& step, const Error& error) {
  return step.kind == ActionKind::DirAttributes &&
         (error.code() == EPERM || error.code() == EACCES);
}

class Applier {
 public:
  Applier(Disk& disk, bool redo, std::vector<Problem>& problems)
      : disk_(disk), redo_(redo), problems_(problems) {}

  void apply(const Step& step) {
    try {
      carry_out(step);
    } catch (const Error& error) {
      const bool refused = is_refusal(step, error);
      if (!refused && !is_conflict(error)) throw;
      problems_.push_back({step.path, (refused ? "its attributes could not be set: "
                                               : "changed by somebody else during the commit: ") +
                                          error.text().substr(0, limits::kText / 2)});
    }
  }

 private:
  void carry_out(const Step& step) {
    switch (step.kind) {
      case ActionKind::Displace: return displace(step);
      case ActionKind::MakeDir: return make_dir(step);
      case ActionKind::Install:
      case ActionKind::Link:
      case ActionKind::Symlink:
      case ActionKind::Special:
      case ActionKind::InstallIndex: return place(step);
      case ActionKind::Delete: return remove(step);
      case ActionKind::DeleteDir: return remove_dir(step);
      case ActionKind::DirAttributes: return disk_.set_dir_attributes(step.path, step.attributes);
    }
  }

  void displace(const Step& step) {
    const auto old = disk_.stat(step.path);
    const auto moved = redo_ ? disk_.stat(step.kept) : std::nullopt;
    if (!moved && old) return disk_.rename(step.path, step.kept);
    // A crash can leave a file under both names, never under none.
    if (moved && old && moved->same_inode(*old)) disk_.unlink(step.path);
  }

  bool is_done(const Step& step) {
    if (!redo_ || disk_.stat(step.staged)) return false;
    const auto now = disk_.stat(step.path);
    if (!now || now->ino != step.staged_inode) {
      spdlog::warn("{} is not what the commit put there; somebody changed it since",
                   quote(step.path));
    }
    return true;
  }

  void make_dir(const Step& step) {
    if (is_done(step)) return;
    const auto now = disk_.stat(step.path);
    // Somebody made it meanwhile; what it is like is set later. A rename onto one that is not empty
    // would fail, so what is inside of ours is then left out.
    if (now && now->is_dir() && disk_.list(step.staged).empty()) return;
    disk_.rename(step.staged, step.path);
  }

  void place(const Step& step) {
    if (is_done(step)) return;
    if (seeded(Seeded::UnlinkThenRename) && disk_.stat(step.path)) disk_.unlink(step.path);
    disk_.rename(step.staged, step.path);
    if (seeded(Seeded::KeepAfterRename) && !step.kept.empty()) disk_.link(step.path, step.kept);
  }

  bool is_old(const Step& step) {
    const auto now = disk_.stat(step.path);
    if (now && now->ino != step.old_inode) {
      problems_.push_back({step.path,
                           "not deleted: it was replaced by somebody else meanwhile, or "
                           "the whole tree is a copy"});
    }
    return now && now->ino == step.old_inode;
  }

  void remove(const Step& step) {
    if (is_old(step)) disk_.unlink(step.path);
  }
  void remove_dir(const Step& step) {
    if (is_old(step)) disk_.rmdir(step.path);
  }

  Disk& disk_;
  const bool redo_;
  std::vector<Problem>& problems_;
};

// The directories whose names or attributes change, made before the first change.
class ChangedDirs {
 public:
  ChangedDirs(Disk& disk, const Journal& journal) : disk_(disk), areas_(journal.areas) {
    for (const Step& step : journal.steps) {
      if (!step.path.empty()) dirs_.emplace(split_path(step.path).parent);
      const bool itself =
          step.kind == ActionKind::MakeDir || step.kind == ActionKind::DirAttributes;
      if (itself && !seeded(Seeded::NewDirNotSynced)) dirs_.insert(step.path);
    }
    if (dirs_.size() <= Staging::kSyncEach || !disk.volume_sync_reports()) return;
    for (const std::string& area : journal.areas.roots()) {
      volumes_.push_back(disk.open_volume(area_dir(area)));
    }
  }

  void sync() {
    if (seeded(Seeded::NoParentSync)) return;
    for (const auto& volume : volumes_) volume->sync();
    if (!volumes_.empty()) return;
    for (const std::string& dir : dirs_) {
      const auto st = disk_.stat(dir);  // deleted directories are told by their parents
      if (st && st->is_dir()) sync_dir(dir);
    }
  }

 private:
  void sync_dir(const std::string& dir) {
    try {
      disk_.sync_dir(dir);
    } catch (const Error& error) {
      if (error.code() != EACCES) throw;
      // Its new mode keeps even us from opening it.
      disk_.open_volume(area_dir(areas_.root_of(join_path(dir, "x"))))->sync();
    }
  }

  Disk& disk_;
  const Areas& areas_;
  std::set<std::string> dirs_;
  std::vector<std::unique_ptr<DiskVolume>> volumes_;
};

// A destination root that gets another owner takes its staging areas along, or that owner's runs
// would refuse them. In between they are root's, whom no next run of root refuses.
class AreaOwner {
 public:
  AreaOwner(Disk& disk, const Journal& journal) : disk_(disk), areas_(journal.areas) {
    for (const Step& step : journal.steps) {
      if (step.kind == ActionKind::DirAttributes && step.path.empty()) moves_ = changes(step);
    }
    if (!moves_) return;
    for (const std::string& area : areas_.roots()) {
      disk_.take_over(area_dir(area));
      disk_.sync_dir(area_dir(area));
    }
  }

  void hand_over() {
    if (!moves_) return;
    for (const std::string& area : areas_.roots()) hand_over(area_dir(area));
  }

 private:
  bool changes(const Step& step) const {
    const auto now = disk_.stat("");
    const auto area = disk_.stat(area_dir(""));
    const std::uint32_t uid = step.attributes.uid.value_or(now->uid);
    const std::uint32_t gid = step.attributes.gid.value_or(now->gid);
    return uid != now->uid || gid != now->gid || (area && (area->uid != uid || area->gid != gid));
  }

  // All that is ours. What generations keep is not: it shares its owner with the tree.
  void hand_over(const std::string& dir) {
    for (const std::string& name : disk_.list(dir)) {
      const std::string path = join_path(dir, name);
      const bool ours = dir_names_.count(name) != 0 || file_names_.count(name) != 0;
      const bool numbered = split_path(dir).name == "previous";
      if (!ours && !numbered) continue;
      if (numbered || dir_names_.count(name) != 0) {
        hand_over(path);
      } else {
        disk_.hand_over(path);
      }
    }
    disk_.hand_over(dir);
  }

  Disk& disk_;
  const Areas& areas_;
  bool moves_ = false;
  const std::set<std::string> dir_names_{"previous"};
  const std::set<std::string> file_names_{"lock", "areas", "journal", "manifest", "pending"};
};

// Seeded::DeleteFirst and IndexFirst.
[[maybe_unused]] std::vector<Step> in_seeded_order(std::vector<Step> steps) {
  std::stable_partition(steps.begin(), steps.end(), [](const Step& step) {
    if (seeded(Seeded::IndexFirst)) return step.kind == ActionKind::InstallIndex;
    return step.kind == ActionKind::Delete || step.kind == ActionKind::DeleteDir;
  });
  return steps;
}

void wake(const Journal& journal, const FinishRules& rules) {
  if (seeded(Seeded::WakeForgotten) && rules.redo) return;
  if (!journal.wake.empty() && rules.wake) rules.wake(journal.wake);
}

void clean_run(Disk& disk, const Journal& journal) {
  for (const std::string& area : journal.areas.roots()) {
    remove_tree(disk, run_dir(area, journal.id));
  }
}

// The commit is done by now; what is left over costs space until the next run and nothing else.
void clean_up(Disk& disk, const Journal& journal, const KeepPolicy& keep) {
  try {
    clean_run(disk, journal);
    if (journal.generation != 0) prune_generations(disk, keep);
  } catch (const Error& error) {
    spdlog::warn("{}; the next run cleans up", error.text());
  }
}

FinishResult finish(Disk& disk, const Clock& clock, const Journal& journal,
                    const FinishRules& rules) {
  FinishResult result;
  if (seeded(Seeded::WakeBeforeApply)) wake(journal, rules);
  ChangedDirs changed(disk, journal);
  AreaOwner owner(disk, journal);
  Applier applier(disk, rules.redo, result.problems);
  const Instant begin = clock.now();
  if constexpr (seeded(Seeded::DeleteFirst) || seeded(Seeded::IndexFirst)) {
    for (const Step& step : in_seeded_order(journal.steps)) applier.apply(step);
  } else {
    for (const Step& step : journal.steps) applier.apply(step);
  }
  result.window = clock.now() - begin;
  if (seeded(Seeded::DropBeforeParentSync)) drop_journal(disk);
  changed.sync();
  if (journal.generation != 0) {
    confirm_generation(disk, journal.areas, journal.generation);
  } else {
    // Older generations lead back from a tree that is no more: without this commit's own there is
    // no way back through it.
    prune_generations(disk, {0, 0});
  }
  owner.hand_over();
  if (!seeded(Seeded::WakeBeforeApply)) wake(journal, rules);
  if (seeded(Seeded::CleanBeforeDrop)) clean_run(disk, journal);
  if (!seeded(Seeded::DropBeforeParentSync)) drop_journal(disk);
  return result;
}

}  // namespace

FinishResult finish_commit(Disk& disk, const Clock& clock, const Journal& journal,
                           const FinishRules& rules) {
  FinishResult result = finish(disk, clock, journal, rules);
  if (rules.committed && !seeded(Seeded::AcknowledgeEarly)) rules.committed();
  clean_up(disk, journal, rules.keep);
  return result;
}

}  // namespace xs
