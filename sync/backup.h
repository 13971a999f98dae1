// SPDX-License-Identifier: MIT
// Backup: -b, --backup-dir and --suffix. What a plan replaces or deletes gets its backup name by
// steps of the same commit: a hard link to the old object is staged and renamed into place, so the
// journal covers it, a crash cannot lose it, and the file is missing under neither name at any
// instant. Called by the receiver: the names are pure, the steps are staged before the commit.
// As with rsync a change of attributes alone makes no backup, and what has the suffix already is
// deleted without one.
#pragma once

#include <string>
#include <vector>

#include "sync/filter.h"
#include "sync/journal.h"
#include "sync/plan.h"
#include "sync/staging.h"
#include "sync/transfer.h"

namespace xs {

struct BackupRules {
  bool wanted = false;
  std::string dir;     // below the root; empty: beside the file
  std::string suffix;  // may be empty where there is a dir
};

// Usage: a suffix that is no part of a name, a directory outside the destination.
BackupRules backup_rules(const TransferRules& rules, const std::string& destination);

// The filters of a run that keeps such backups: they are safe from deletion (rsync's "P *~" at the
// end), and the backup directory takes no part at all.
FilterList with_backups(const FilterList& filters, const BackupRules& rules, bool delete_excluded);

struct Backup {
  std::string from, to;
};
struct Backups {
  std::vector<Backup> list;
  std::vector<Problem> problems;  // what gets none, because its backup name is taken
};
Backups plan_backups(const Plan& plan, const Entries& local, const Entries& target,
                     const BackupRules& rules);

// Puts the steps of the backups where they belong among those of the plan. A name that is taken by
// a directory is a Problem; everything else that fails ends the run before anything is touched.
void add_backup_steps(Staging& staging, const Backups& backups, std::vector<Step>& steps,
                      std::vector<Problem>& problems);

}  // namespace xs
