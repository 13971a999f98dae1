// SPDX-License-Identifier: MIT
#include "sync/recovery.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/areas.h"
#include "sync/generations.h"
#include "sync/journal.h"
#include "sync/seeded.h"

namespace xs {
namespace {

bool stays(std::string_view name) {
  return name == "lock" || name == "areas" || name == "journal" || name == "previous";
}

std::vector<std::string> leftovers(Disk& disk, const std::string& area) {
  std::vector<std::string> found;
  const auto st = disk.stat(area_dir(area));
  if (!st || !st->is_dir() || !disk.owned_by_us(*st)) return found;
  for (const std::string& name : disk.list(area_dir(area))) {
    if (!stays(name)) found.push_back(join_path(area_dir(area), name));
  }
  return found;
}

bool clean_leftovers(Disk& disk) {
  const Areas areas = remembered_areas(disk);
  bool found = false;
  for (const std::string& area : areas.roots()) {
    const auto names = leftovers(disk, area);
    // A journal that ended must not come back once what it names is gone.
    if (!names.empty() && !found) disk.sync_dir(area_dir(""));
    for (const std::string& name : names) remove_tree(disk, name);
    found = found || !names.empty();
  }
  drop_unconfirmed(disk, areas);
  return found;
}

// Nothing may be carried out while part of what the journal names is out of reach.
void check_in_reach(Disk& disk, const Journal& journal) {
  for (const std::string& area : journal.areas.roots()) {
    const std::string dir = run_dir(area, journal.id);
    if (disk.stat(dir)) continue;
    throw Error(Fault::Io,
                "an unfinished commit needs " + quote(dir) +
                    ", and it is not there; nothing was touched. Is a file system not "
                    "mounted? Mount it and run again",
                ENOENT);
  }
}

// What the commit has changed, whichever run did which part of it. A new directory came with all
// that is in it, of which the journal has no steps.
class Changes {
 public:
  Changes(Disk& disk, const std::vector<Problem>& problems) : disk_(disk) {
    for (const Problem& problem : problems) left_.insert(problem.path);
  }

  void add(const Step& step) {
    Change change;
    change.path = step.path;
    switch (step.kind) {
      case ActionKind::Displace: return;  // something takes its place
      case ActionKind::Delete:
      case ActionKind::DeleteDir:
        change.deleted = true;
        change.type = step.kind == ActionKind::Delete ? EntryType::File : EntryType::Dir;
        break;
      case ActionKind::DirAttributes:
        change.type = EntryType::Dir;
        change.mode = true;
        break;
      default:
        change.created = step.old_inode == 0 || step.kind == ActionKind::MakeDir;
        change.content = true;
        if (!look(change)) return;
    }
    put(change);
    if (step.kind == ActionKind::MakeDir) add_below(step.path);
  }

  std::vector<Change> take() {
    std::vector<Change> all;
    all.reserve(found_.size());
    for (auto& [path, change] : found_) all.push_back(std::move(change));
    std::sort(all.begin(), all.end(),
              [](const Change& a, const Change& b) { return path_less(a.path, b.path); });
    return all;
  }

 private:
  bool look(Change& change) {
    const auto st = disk_.stat(change.path);
    if (st) change.type = st->type();
    return st.has_value();
  }

  void add_below(const std::string& dir) {
    for (const std::string& name : disk_.list(dir)) {
      Change change;
      change.path = join_path(dir, name);
      change.created = change.content = true;
      if (!look(change)) continue;
      put(change);
      if (change.type == EntryType::Dir) add_below(change.path);
    }
  }

  void put(const Change& change) {
    if (left_.count(change.path) == 0) found_.try_emplace(change.path, change);
  }

  Disk& disk_;
  std::set<std::string> left_;
  std::map<std::string, Change> found_;
};

// Nobody needs to know more than that there was a recovery, if this fails.
std::vector<Change> changes_of(Disk& disk, const Journal& journal,
                               const std::vector<Problem>& problems) {
  Changes changes(disk, problems);
  try {
    for (const Step& step : journal.steps) changes.add(step);
  } catch (const Error& error) {
    spdlog::warn("{}; not all that the completed commit has changed can be told", error.text());
  }
  return changes.take();
}

}  // namespace

Recovery recover(Disk& disk, const Clock& clock, const RecoveryRules& rules) {
  Recovery result;
  const auto area = disk.stat(area_dir(""));
  if (!area) return result;
  ensure_area(disk, "");
  if (seeded(Seeded::RecoveryDropsStaging)) {
    for (const std::string& name : leftovers(disk, "")) remove_tree(disk, name);
    if (disk.stat(journal_path())) disk.unlink(journal_path());
  }
  if (const auto journal = read_journal(disk)) {
    check_in_reach(disk, *journal);
    // We may see a journal that is not on the disk yet: its writer was killed, or its last sync
    // failed. A new file under the name leaves no doubt.
    if (!seeded(Seeded::RecoveryKeepsNoOrder)) write_journal(disk, *journal);
    const FinishRules finish{true, rules.on_wake, rules.committed, rules.keep};
    result.problems = finish_commit(disk, clock, *journal, finish).problems;
    result.completed = true;
    result.changes = changes_of(disk, *journal, result.problems);
  }
  result.cleaned = clean_leftovers(disk);
  return result;
}

bool has_unfinished_commit(const std::string& destination) {
  return ::access((destination + "/" + journal_path()).c_str(), F_OK) == 0;
}

void refuse_unfinished(Disk& disk) {
  if (!disk.stat(journal_path())) return;
  throw Error(Fault::Io, "an unfinished commit is here (" + quote(journal_path()) +
                             "), so the tree may be between two states: xroad-sync completes it");
}

bool has_staging(const Dir& root) { return root.stat_if_exists(kStagingName).has_value(); }

}  // namespace xs
