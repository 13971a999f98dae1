// SPDX-License-Identifier: MIT
#include "sync/commit.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "sync/seeded.h"

namespace xs {
namespace {

// Whether the tree is still what the plan was made for. What is found here is stopped here, before
// anything is touched; what is not would stop a commit half-way, until an operator helps.
class Inspector {
 public:
  Inspector(Disk& disk, const Areas& areas) : disk_(disk), areas_(areas), rights_(disk.rights()) {}

  // What stands at the path of each step; steps that have nothing left to do are taken out.
  std::vector<std::optional<FileStat>> inspect(std::vector<Step>& steps) {
    std::vector<std::optional<FileStat>> old;
    std::vector<Step> kept;
    for (Step& step : steps) {
      check_landing(step.path);
      const auto st = look(step);
      const bool deletes = step.kind == ActionKind::Delete || step.kind == ActionKind::DeleteDir;
      if (deletes && !st) continue;
      check_parent(step);
      check_kind(step, st);
      const bool itself = step.kind == ActionKind::DirAttributes;
      if (!itself && st) check_replaceable(step.path, *st);
      if (itself && !trim(step, st)) continue;
      step.old_inode = st ? st->ino : 0;
      old.push_back(st);
      kept.push_back(std::move(step));
    }
    steps = std::move(kept);
    return old;
  }

  // What is left out of the attributes of directories.
  std::vector<Problem> problems;
  std::vector<std::string> as_they_were;

 private:
  // Nothing where the commit itself will have made room by then.
  std::optional<FileStat> look(const Step& step) {
    if (step.kind != ActionKind::Displace && is_gone(step.path)) return std::nullopt;
    const bool itself = step.kind == ActionKind::DirAttributes;
    if (is_made(itself ? step.path : split_path(step.path).parent)) return std::nullopt;
    return disk_.stat(step.path);
  }

  // A new directory, or one that comes inside of it.
  bool is_made(std::string_view dir) const {
    for (; !made_.empty() && !dir.empty(); dir = split_path(dir).parent) {
      if (made_.find(dir) != made_.end()) return true;
    }
    return false;
  }

  bool is_gone(std::string_view path) const {
    if (displaced_.empty()) return false;
    for (;;) {
      if (displaced_.find(path) != displaced_.end()) return true;
      if (path.empty()) return false;
      path = split_path(path).parent;
    }
  }

  void check_parent(const Step& step) {
    if (step.path.empty()) return;
    const std::string parent(split_path(step.path).parent);
    if (is_made(parent) || parents_.count(parent) != 0) return;
    const auto st = disk_.stat(parent);
    if (is_gone(parent) || !st || !st->is_dir()) changed(step, "its directory is not there");
    if (st->immutable) refuse_flags(parent, step.path);
    check_writable(parent, step.path);
    parents_.emplace(parent, *st);
  }

  // The kernel would refuse it in the middle of the commit, on this run and on every next one.
  void check_replaceable(const std::string& path, const FileStat& st) const {
    if (st.immutable || st.append_only) refuse_flags(path, path);
    const auto at = parents_.find(std::string(split_path(path).parent));
    if (at == parents_.end()) return;
    const FileStat& parent = at->second;
    if (parent.append_only) refuse_flags(at->first, path);
    if ((parent.mode & S_ISVTX) == 0 || rights_.owns(parent) || rights_.owns(st)) return;
    throw Error(Fault::Io,
                quote(path) + " must be replaced or deleted, and belongs to user " +
                    std::to_string(st.uid) + " in a sticky directory, where only that user may; " +
                    "nothing was touched. Correct its owner, or the mode of its directory",
                EPERM);
  }

  [[noreturn]] static void refuse_flags(const std::string& locked, const std::string& path) {
    throw Error(Fault::Io,
                quote(path) + " must change, and " +
                    (locked == path   ? std::string("it")
                     : locked.empty() ? std::string("the destination")
                                      : "its directory") +
                    " is immutable or append-only; nothing was touched. See lsattr; chattr -i -a "
                    "lets it change, an exclude leaves it as it is",
                EPERM);
  }

  // Leaves out what we may not set; false when nothing is left to do. Where only attributes are
  // concerned the rest of the tree must not wait for them.
  bool trim(Step& step, const std::optional<FileStat>& st) {
    Attributes& wanted = step.attributes;
    if (st && !differs(step, *st)) return true;  // its time, once its names have changed
    if (st && (st->immutable || st->append_only)) {
      return leave(step, "it is immutable or append-only (lsattr)");
    }
    if (st && !rights_.owns(*st)) {
      return leave(step, "it belongs to user " + std::to_string(st->uid) + "; correct its owner");
    }
    if (!wanted.mode || (st && *wanted.mode == st->permissions())) return true;
    if (rights_.may_set_mode(*wanted.mode, group_then(wanted, st))) return true;
    problems.push_back({step.path, std::string("its set-id bits cannot be set: ") +
                                       (rights_.set_ids ? "its group is none of ours"
                                                        : "this process may not set such bits "
                                                          "(RestrictSUIDSGID= of its unit)")});
    const std::uint32_t bits = S_ISUID | S_ISGID;
    if (st && (st->mode & bits) != 0) {
      wanted.mode.reset();  // chmod would take those away that it has
    } else {
      *wanted.mode &= ~bits;
    }
    if (!st || differs(step, *st)) return true;
    as_they_were.push_back(step.path);
    return false;
  }

  bool leave(const Step& step, const std::string& why) {
    problems.push_back({step.path, "its attributes stay as they are: " + why});
    as_they_were.push_back(step.path);
    return false;
  }

  bool differs(const Step& step, const FileStat& st) const {
    const Attributes& wanted = step.attributes;
    return wanted.mode.value_or(st.permissions()) != st.permissions() ||
           wanted.uid.value_or(st.uid) != st.uid || wanted.gid.value_or(st.gid) != st.gid ||
           wanted.mtime_ns.value_or(st.mtime_ns) != st.mtime_ns ||
           (wanted.keep.bits() != 0 && disk_.xattrs(step.path, wanted.keep) != wanted.xattrs);
  }

  std::uint32_t group_then(const Attributes& wanted, const std::optional<FileStat>& st) const {
    if (wanted.gid && rights_.has_group(*wanted.gid)) return *wanted.gid;
    if (st) return st->gid;
    return rights_.groups.empty() ? 0 : rights_.groups.back();
  }

  void check_writable(const std::string& dir, const std::string& path) const {
    if (disk_.writable(dir)) return;
    throw Error(Fault::Io,
                (dir.empty() ? "the destination" : "the directory " + quote(dir)) +
                    " cannot be read and written, and " + quote(path) +
                    " must change: " + errno_text(EACCES) + "; correct its owner or mode",
                EACCES);
  }

  void check_kind(const Step& step, const std::optional<FileStat>& st) {
    if (st && step.kind != ActionKind::DirAttributes) refuse_mount(step, *st);
    switch (step.kind) {
      case ActionKind::Displace:
        if (!st) changed(step, "what it replaces is gone");
        if (st->is_dir()) check_writable(step.path, step.path);  // its ".." will change
        displaced_.insert(step.path);
        return;
      case ActionKind::MakeDir:
        if (st) changed(step, "something stands where a directory is to be made");
        made_.insert(step.path);
        return;
      case ActionKind::Delete:
        if (st->is_dir()) changed(step, "it became a directory");
        return;
      case ActionKind::DeleteDir:
        if (!st->is_dir()) changed(step, "it is no directory any more");
        return;
      case ActionKind::DirAttributes:
        if (!is_made(step.path) && (!st || !st->is_dir())) {
          changed(step, "it is no directory any more");
        }
        return;
      default:
        if (st && st->is_dir()) changed(step, "it became a directory");
        return;
    }
  }

  void refuse_mount(const Step& step, const FileStat& st) const {
    const bool moves = step.kind == ActionKind::Displace || step.kind == ActionKind::DeleteDir;
    if (!st.mount_root && !(moves && areas_.any_below(step.path))) return;
    throw Error(Fault::Io,
                quote(step.path) +
                    " must be replaced or deleted, and is a mount point or has "
                    "one below it; unmount it or leave it out",
                EBUSY);
  }

  [[noreturn]] static void changed(const Step& step, const std::string& what) {
    throw Error(Fault::Io,
                quote(step.path) + " was changed by somebody else during the run: " + what +
                    "; nothing was touched, run again",
                ESTALE);
  }

  Disk& disk_;
  const Areas& areas_;
  std::set<std::string, std::less<>> displaced_;
  std::set<std::string, std::less<>> made_;
  std::map<std::string, FileStat> parents_;
  const Rights rights_;
};

// Seeded::JournalLate.
void place_early(Disk& disk, const Journal& journal) {
  for (const Step& step : journal.steps) {
    if (!step.staged.empty()) return disk.rename(step.staged, step.path);
  }
}

// Once this returns, the commit has happened. When it throws and a journal is there all the same,
// only the next run can tell, so everything that the journal names must stay.
void write_or_keep_all(Disk& disk, const Journal& journal, Staging& staging, KeptGeneration& kept) {
  const auto keep_all = [&] {
    staging.release();
    kept.release();
  };
  try {
    write_journal(disk, journal);
  } catch (const Error& error) {
    bool gone = false;
    try {
      gone = !disk.stat(journal_path());
    } catch (const Error&) {
      gone = false;
    }
    if (gone) throw;
    keep_all();
    throw Error(error.fault(),
                error.text() +
                    "; the tree was not touched yet, and the next run decides from "
                    "what the disk kept: it completes the commit or drops it",
                error.code());
  }
  keep_all();
}

FinishResult finish_or_explain(Disk& disk, const Clock& clock, const Journal& journal,
                               const FinishRules& rules) {
  try {
    return finish_commit(disk, clock, journal, rules);
  } catch (const Error& error) {
    throw Error(error.fault(),
                error.text() + "; the commit is in the journal, and the next run completes it",
                error.code());
  }
}

}  // namespace

CommitResult commit(Staging& staging, const Clock& clock, CommitRequest request) {
  CommitResult result;
  if (request.steps.empty()) return result;
  Disk& disk = staging.disk();
  Journal journal{staging.id(), 0, staging.areas(), std::move(request.wake),
                  std::move(request.steps)};
  Inspector inspector(disk, journal.areas);
  const auto old = inspector.inspect(journal.steps);
  result.problems = std::move(inspector.problems);
  result.as_they_were = std::move(inspector.as_they_were);
  if (journal.steps.empty() && !result.problems.empty()) return result;
  KeptGeneration kept(disk, journal, old, request.inside, request.keep);
  journal.generation = kept.number();
  staging.sync();
  if (request.last_word) request.last_word();
  if (seeded(Seeded::AcknowledgeEarly) && request.committed) request.committed();
  if (seeded(Seeded::JournalLate)) place_early(disk, journal);
  write_or_keep_all(disk, journal, staging, kept);
  const FinishRules rules{false, request.on_wake, request.committed, request.keep};
  FinishResult finished = finish_or_explain(disk, clock, journal, rules);
  result.generation = journal.generation;
  result.window = finished.window;
  result.problems.insert(result.problems.end(), finished.problems.begin(), finished.problems.end());
  // The tree is as it should be all the same.
  for (const Problem& problem : kept.problems()) result.notes.push_back(problem.what);
  return result;
}

}  // namespace xs
