// SPDX-License-Identifier: MIT
// Takeover: all that the TransferRules of a run mean, parsed and in one place. Made by the receiver
// before it touches anything (Usage, Selection: a rule that is wrong), and asked at each of its
// steps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sync/backup.h"
#include "sync/files_from.h"
#include "sync/filter.h"
#include "sync/link_dest.h"
#include "sync/plan.h"
#include "sync/transfer_policy.h"

namespace xs {

class Takeover {
 public:
  // `options` and `filters` become what the run needs them to be.
  Takeover(const TransferRules& rules, const std::string& destination, Options& options,
           FilterList& filters);

  const TransferPolicy& policy() const { return policy_; }
  const LinkDest& link_dest() const { return link_dest_; }
  // Whether a tree of ours that is equal to the source's has nothing more to take over.
  bool equal_is_done(const Options& options) const;

  void add_to(PlanRules& rules) const;
  // What the list of files names and the source does not have.
  std::vector<Problem> missing(const Entries& target) const;
  // Refused: an entry that we do not take, or too much to delete.
  void check(const Entry& entry) const;
  void check(const Plan& plan) const;
  Backups backups(const Plan& plan, const Entries& local, const Entries& target) const;

 private:
  std::string destination_;
  std::optional<std::uint64_t> max_delete_;
  TransferPolicy policy_;
  BackupRules backup_;
  LinkDest link_dest_;
  std::optional<FilesFrom> files_;
  FilterList own_filters_;  // without those of the list and of the backups
};

}  // namespace xs
