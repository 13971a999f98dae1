// SPDX-License-Identifier: MIT
#include "sync/recovery.h"

#include <string>

#include "base/text.h"
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
  }
  result.cleaned = clean_leftovers(disk);
  return result;
}

bool has_staging(const Dir& root) { return root.stat_if_exists(kStagingName).has_value(); }

}  // namespace xs
