// SPDX-License-Identifier: MIT
// The pieces of `rejoin` around pg_rewind.
//
// While pg_rewind works, the data directory is parked in DATA.xroad-rejoin, so that nobody can
// start it: pg_rewind removes standby.signal, which the new primary does not have, and half of two
// histories must not come up as a primary. It also replaces everything that is not a table by the
// source's files, and removes what the source does not have; what belongs to this node (its
// configuration, certificates, logs) is therefore taken out first and put back afterwards.
// put_back() finishes that wherever a run was killed, with standby.signal in place before the
// directory is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "companion/replication/cluster.h"
#include "companion/replication/cluster_tools.h"

namespace xs {

class RewindPlace {
 public:
  explicit RewindPlace(Cluster cluster);
  std::string directory() const { return directory_; }
  std::string parked_data() const { return directory_ + "/data"; }

  // Makes the directory and holds it alone until we end. Throws Locked, and Refused for a directory
  // that is not ours.
  void hold();
  bool parked() const;
  void park() const;
  void put_back() const;
  // A pg_rewind was begun and has not ended well: the data is a mixture of two histories.
  bool mixed() const;
  void set_mixed(bool on) const;
  bool exists() const;
  void clear() const;

 private:
  std::string own() const { return directory_ + "/own"; }
  void give_own_back() const;
  bool has(const char* fact) const;
  void note(const char* fact, bool on) const;

  Cluster cluster_;
  std::string directory_;
  Fd lock_;
};

// Whether an entry of a data directory is this node's and not PostgreSQL's.
bool is_own_entry(const std::string& name);

// Has standby.signal.
bool is_fenced(const std::string& data);
// Puts it there, durably.
void fence(const std::string& data, const Cluster& cluster);

// What this copy wrote from a position on, as far as its log tells.
struct WalTail {
  bool any = false;
  std::optional<std::uint64_t> commits;  // empty: the log is not there
  std::string trouble;
};
// The files of a timeline in a cluster's pg_wal.
struct LogFiles {
  const Cluster& cluster;
  std::uint32_t timeline = 0;
  std::uint64_t segment = 0;  // bytes of a file
};
std::uint64_t segment_size(const ControlData& control);

// `to`: 0 for as far as they reach.
WalTail read_tail(const LogFiles& files, std::uint64_t from, std::uint64_t to, Clock& clock);

// How far they reach from a position on.
struct LogReach {
  std::uint64_t last = 0;  // where its last record begins; the position asked for where it has none
  std::uint64_t end = 0;   // where the next one would begin
};
// Nothing where it cannot be read.
std::optional<LogReach> reach_of_log(const LogFiles& files, std::uint64_t from, Clock& clock);
// As far as the log of a server that answers nobody reaches; nothing where it cannot be read.
std::optional<std::uint64_t> end_of_log(const Cluster& cluster, const ControlData& control,
                                        Clock& clock);

// The server as a standby that talks to nobody, to the end of its own log, and stopped again: crash
// recovery that cannot end in a primary, unlike that of pg_rewind, which needs standby.signal away.
Command recover_command(const Cluster& cluster, Duration limit);
Command end_recovery_command(const Cluster& cluster);

// It ended well and printed that it would do nothing, though there is something to do.
bool finds_nothing(const std::string& printed);
inline constexpr const char* kNothingFound =
    "pg_rewind takes the nodes for equal (\"no rewind required\"), and they are not";

Command rewind_command(const Cluster& cluster, const std::string& data, const std::string& source,
                       bool dry_run, Duration limit);

}  // namespace xs
