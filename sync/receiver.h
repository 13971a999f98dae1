// SPDX-License-Identifier: MIT
// Receiver: the client's session. Made before the connection, because its first work (the lock,
// what a crash left, the scan) needs none; run() then talks to the server and commits. Until the
// commit's journal is durable every failure leaves the destination as it was; what was staged is
// removed. Memory: the two manifests and what changes; never the contents, which are staged as they
// come once there is more than a little of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "protocol/channel.h"
#include "sync/commit.h"
#include "sync/destination.h"
#include "sync/filter.h"
#include "sync/generations.h"
#include "sync/plan.h"
#include "sync/prepare.h"
#include "sync/recovery.h"
#include "sync/transfer.h"

namespace xs {

// How far a run has come, for those who watch it.
struct Progress {
  std::uint64_t files_done = 0;
  std::uint64_t files_total = 0;  // of the plan, as far as it is known
  std::uint64_t bytes_done = 0;   // of their contents, as they will be
  std::uint64_t bytes_total = 0;
};

// A plan with its contents at hand, before anything is changed.
struct Preview {
  const Plan& plan;
  const Entries& local;
  const Entries& target;
  Disk& disk;
  const StagedFiles& files;
};

struct PullRequest {
  std::string destination;  // the operator's path here
  std::string root;         // as the server calls it
  std::string version;      // for the server's log
  Options options;
  bool choose_compare = true;  // by the size of our tree; otherwise options.compare holds
  FilterList filters;
  bool remove = true;        // delete what the source does not have
  bool allow_empty = false;  // even if the source has nothing at all
  bool compress = true;      // what travels
  TransferRules transfer;    // what of it is taken over, and how
  MakeDestination make_destination = MakeDestination::Never;  // where it is missing
  bool preview = false;  // plan only: nothing is fetched and nothing changed
  // With preview: everything is fetched, shown to this, and thrown away again.
  std::function<void(const Preview&)> examine = {};
  // Asked about every plan before anything is fetched for it (what comes inside of the entries may
  // be staged by then); throws to refuse it. The problems are those of either side.
  std::function<void(const Plan&, const Entries& local, const Entries& target,
                     const std::vector<Problem>& problems)>
      approve = {};
  std::function<void()> last_word = {};  // CommitRequest::last_word
  std::function<void(const Progress&)> progress = {};
  std::vector<std::string> index_files;  // committed after everything that they may name
  std::uint64_t run_id = 0;              // new for every run (Staging)
  // CommitRequest::wake, asked about the plan that is committed; unset: nobody.
  std::function<std::string(const Plan&)> wake = {};
  Wake on_wake = {};
  KeepPolicy keep = {};
  std::size_t max_entries = 1'000'000;  // of the source
};

struct PullResult {
  bool changed = false;
  Digest generation;               // that the destination has now
  std::vector<Change> changes;     // sorted by path
  std::vector<Problem> problems;   // at either side; their paths were left alone
  std::vector<std::string> notes;  // CommitResult::notes
  std::vector<Problem> stayed;     // Plan::kept: directories that stay because of what is in them
  std::uint64_t entries = 0;       // of the source
  std::uint64_t total_size = 0;    // of its files
  std::uint64_t kept = 0;          // the generation under which the old versions are kept; 0: none
  std::uint64_t literal =
      0;                   // bytes of files that came over the wire, deltas counted as they travel
  Duration window{};       // from the first to the last change of the tree
  bool recovered = false;  // an earlier run's commit was completed first
};

class Receiver {
 public:
  // Reads the transfer rules (Usage), takes the lock (Locked), recovers (Io), scans (Partial).
  Receiver(PullRequest request, Clock& clock);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // Throws what ended the session early; the server has been told.
  PullResult run(Channel& channel);

  // What an earlier run had left, and what its completion had to leave alone.
  const Recovery& recovery() const;

 private:
  class Session;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace xs
