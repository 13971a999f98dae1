// SPDX-License-Identifier: MIT
// Prepare: from a plan and its staged contents to the steps of a commit. Stages what has no
// contents (directories, symbolic links, hard links, devices), so that every step that makes
// something is one rename. A new directory that is nested (Staging::nest) takes what is staged
// inside of it along: that needs no steps. Index files do, because they come last. Called by the
// receiver, before commit(); nothing in the tree is touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sync/journal.h"
#include "sync/plan.h"
#include "sync/staging.h"

namespace xs {

class TransferPolicy;

// Where each file of Plan::contents has been staged, by its index in the target list.
using StagedFiles = std::unordered_map<std::uint32_t, Staged>;

// What an entry's object gets before it can be seen. What the options manage comes from the entry;
// the rest from what stands at the path now, or, where nothing does, from whoever we are and the
// mask. The security label always comes from what is replaced.
class FinalAttributes {
 public:
  // `mask`: mode bits that a new object does not get when permissions are not managed.
  // `policy`, where there is one, says as what an entry is taken over.
  FinalAttributes(Disk& disk, const Entries& target, const Options& options,
                  std::uint32_t mask = 0022, const TransferPolicy* policy = nullptr);
  Attributes of(const Entry& entry);

 private:
  std::optional<std::uint32_t> uid(std::uint32_t index);
  std::optional<std::uint32_t> gid(std::uint32_t index);
  bool may_give_group(std::uint32_t number) const;

  Disk& disk_;
  const Entries& target_;
  const Options& options_;
  const std::uint32_t mask_;
  const TransferPolicy* const policy_;
  const bool privileged_;
  bool labels_;
  std::unordered_map<std::uint32_t, std::optional<std::uint32_t>> uids_;
  std::unordered_map<std::uint32_t, std::optional<std::uint32_t>> gids_;
};

struct Prepared {
  std::vector<Step> steps;
  std::vector<std::string> inside;  // new names that come with the directory that they are in
};

Prepared prepare(Staging& staging, const Plan& plan, const Entries& target,
                 const StagedFiles& files, FinalAttributes& attributes);

}  // namespace xs
