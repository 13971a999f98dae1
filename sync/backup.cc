// SPDX-License-Identifier: MIT
#include "sync/backup.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/areas.h"
#include "sync/dir.h"
#include "sync/files_from.h"

namespace xs {
namespace {

const Entry* find(const Entries& entries, std::string_view path) {
  const auto at = std::lower_bound(
      entries.list.begin(), entries.list.end(), path,
      [](const Entry& entry, std::string_view wanted) { return path_less(entry.path, wanted); });
  return at != entries.list.end() && at->path == path ? &*at : nullptr;
}

// Relative to the destination; an absolute path may lead into it.
std::string below_destination(const std::string& dir, const std::string& destination) {
  const auto refuse = [&dir](const std::string& why) {
    throw Error(Fault::Usage, "--backup-dir=" + quote(dir) + ": " + why +
                                  "; backups are part of the commit, so name a directory below the "
                                  "destination, relative to it");
  };
  std::string_view rest = dir;
  if (rest.starts_with('/')) {
    std::string_view root = destination;
    while (root.ends_with('/')) root.remove_suffix(1);
    if (!rest.starts_with(root) || rest.substr(root.size(), 1) != "/") refuse("lies outside");
    rest.remove_prefix(root.size());
  }
  std::string path;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (name.empty() || name == ".") continue;
    if (!valid_name(name)) refuse("leads outside");
    path = join_path(path, name);
  }
  if (path.empty()) refuse("is the destination itself");
  if (lies_within(path, kStagingName)) refuse("is the staging area");
  return path;
}

bool is_replaced(const Change& change) {
  return change.deleted || change.created || change.content || change.size;
}

// The steps of one commit's backups, staged.
class BackupStager {
 public:
  BackupStager(Staging& staging, const std::vector<Step>& steps)
      : staging_(staging), disk_(staging.disk()) {
    for (const Step& step : steps) {
      if (step.kind == ActionKind::MakeDir) made_.insert(step.path);
    }
  }

  void add(const Backup& backup, std::vector<Problem>& problems) {
    const auto taken = disk_.stat(backup.to);
    if (taken && taken->is_dir()) {
      problems.push_back({backup.from, "gets no backup: a directory has its backup name"});
      return;
    }
    make_parents(std::string(split_path(backup.to).parent));
    push(ActionKind::Link, backup.to, stage(backup));
  }

  std::vector<Step> take() { return std::move(steps_); }

 private:
  void push(ActionKind kind, const std::string& path, const Staged& staged) {
    Step& step = steps_.emplace_back();
    step.kind = kind;
    step.path = path;
    step.staged = staged.path;
    step.staged_inode = staged.inode;
  }

  // Private ones: old versions of secrets are secrets.
  void make_parents(const std::string& dir) {
    if (dir.empty() || made_.count(dir) != 0) return;
    if (const auto st = disk_.stat(dir)) {
      if (st->is_dir()) return;
      throw Error(Fault::Io, quote(dir) + " is in the way of backups: it is no directory", ENOTDIR);
    }
    make_parents(std::string(split_path(dir).parent));
    push(ActionKind::MakeDir, dir, staging_.make_dir(dir));
    made_.insert(dir);
  }

  Staged stage(const Backup& backup) {
    try {
      return staging_.make_link(backup.to, backup.from);
    } catch (const Error& error) {
      const auto st = disk_.stat(backup.from);
      const bool no_link = error.code() == EXDEV || error.code() == EMLINK || error.code() == EPERM;
      if (!no_link || !st || !st->is_file()) throw;
      return copy(backup, *st);
    }
  }

  // Where the file system does not let us link, or the backup is to be on another one.
  Staged copy(const Backup& backup, const FileStat& st) {
    Attributes final;
    final.mode = st.permissions();
    final.uid = st.uid;
    final.gid = st.gid;
    final.mtime_ns = st.mtime_ns;
    final.keep = {Keep::Xattrs, Keep::Acls};
    final.xattrs = disk_.xattrs(backup.from, final.keep);
    StagedFile file = staging_.create(backup.to);
    const auto reader = disk_.open(backup.from);
    std::array<char, 65536> buffer;
    while (const std::size_t got = reader->read(buffer)) file.write({buffer.data(), got});
    return file.keep(final);
  }

  Staging& staging_;
  Disk& disk_;
  std::set<std::string> made_;
  std::vector<Step> steps_;
};

}  // namespace

BackupRules backup_rules(const TransferRules& rules, const std::string& destination) {
  BackupRules made;
  made.wanted = rules.backup;
  if (!made.wanted) return made;
  if (!rules.backup_dir.empty()) made.dir = below_destination(rules.backup_dir, destination);
  made.suffix = rules.suffix.empty() && made.dir.empty() ? "~" : rules.suffix;
  if (made.suffix.find('/') != std::string::npos || made.suffix.size() > limits::kName) {
    throw Error(Fault::Usage, "--suffix=" + quote(made.suffix) + ": cannot end a file's name");
  }
  return made;
}

FilterList with_backups(const FilterList& filters, const BackupRules& rules, bool delete_excluded) {
  if (!rules.wanted) return filters;
  FilterList list;
  if (!rules.dir.empty()) {
    list.filter("-sr /" + exact_pattern(rules.dir));
  }
  for (const std::string& rule : filters.to_wire()) list.filter(rule);
  if (rules.dir.empty() && !delete_excluded) list.filter("P *" + escape_pattern(rules.suffix));
  FilterList fence;
  for (const FilterRule& rule : filters.mandatory()) fence.filter(to_string(rule));
  return list.with_mandatory(fence);
}

Backups plan_backups(const Plan& plan, const Entries& local, const Entries& target,
                     const BackupRules& rules) {
  Backups backups;
  if (!rules.wanted) return backups;
  for (const Change& change : plan.changes) {
    const Entry* old = find(local, change.path);
    if (old == nullptr || old->type == EntryType::Dir || !is_replaced(change)) continue;
    const bool is_backup = rules.dir.empty() && change.path.ends_with(rules.suffix);
    if (change.deleted && is_backup) continue;
    std::string to = rules.dir.empty() ? change.path + rules.suffix
                                       : join_path(rules.dir, change.path + rules.suffix);
    if (!valid_path(to) || to.size() > limits::kPath) {
      backups.problems.push_back({change.path, "gets no backup: its name would be too long"});
    } else if (find(target, to) != nullptr) {
      backups.problems.push_back(
          {change.path, "gets no backup: the source has something under its backup name"});
    } else {
      backups.list.push_back({change.path, std::move(to)});
    }
  }
  return backups;
}

void add_backup_steps(Staging& staging, const Backups& backups, std::vector<Step>& steps,
                      std::vector<Problem>& problems) {
  if (backups.list.empty()) return;
  BackupStager stager(staging, steps);
  for (const Backup& backup : backups.list) stager.add(backup, problems);
  // Behind the directories that the plan makes, before anything that it replaces.
  const auto place = std::find_if(steps.begin(), steps.end(), [](const Step& step) {
    return step.kind != ActionKind::Displace && step.kind != ActionKind::MakeDir;
  });
  std::vector<Step> more = stager.take();
  steps.insert(place, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace xs
