// SPDX-License-Identifier: MIT
// TwoLogs: the log of this node beside the new primary's, whose files this node's role may read
// because pg_rewind must. Asked by rejoin before it changes anything: whether what the timelines'
// histories promise is true (two standbys that were both promoted have timelines of one number, and
// often one history), and whether the new primary still has what this node would need to follow.
// A file that cannot be read is no failure but an answer; a server that is not reached is one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "companion/db.h"
#include "companion/replication/new_primary.h"
#include "companion/replication/rewind.h"
#include "companion/replication/server_state.h"
#include "companion/replication/timeline.h"

namespace xs {

// What this node wrote behind the fork, on each timeline that it went through since.
WalTail own_tail(const Cluster& cluster, const Branch& own, const Fork& fork, Clock& clock);

enum class Agreement : std::uint8_t { Same, Different, Unknown };

struct LogSides {
  const Cluster& cluster;
  const ServerState& server;
  const Branch& own;
  const NewPrimary& primary;
};

class TwoLogs {
 public:
  TwoLogs(const LogSides& sides, Clock& clock, Duration patience);

  // Up to the fork, as far as both have it still: the file in which the fork's timeline begins, and
  // the last ones.
  Agreement compare(const Fork& fork);
  // Where the two begin to be Different, to a page; nothing where too little of them is left.
  std::optional<std::uint64_t> parting();
  // Different, but not from the begin of the fork's timeline on.
  bool begins_alike() const { return begins_alike_; }
  // Why it is Unknown; `absent`: because nobody has the files any more.
  const std::string& trouble() const { return trouble_; }
  bool absent() const { return absent_; }

  // The file that holds a position and is no longer at the new primary; "" when it is there, or
  // that cannot be seen, or an archive may have it (restore_command).
  std::string missing_there(std::uint64_t position);
  // The same of what this node lacks to go on with its own log.
  std::string missing_to_follow();

 private:
  struct Range {
    std::uint64_t from = 0, to = 0;  // within one file
  };
  std::optional<LogReach> reach();
  bool readable();
  Agreement compare_range(const Range& range);
  std::string digest_here(const Range& range) const;
  std::string digest_there(const Range& range);
  bool here(std::uint64_t position) const;
  std::uint64_t first_needed() const;
  std::uint64_t position_there();

  LogSides sides_;
  Clock& clock_;
  Duration patience_;
  std::uint64_t segment_;
  std::unique_ptr<Db> there_;
  std::optional<std::optional<LogReach>> reach_;  // asked once
  std::optional<Range> differs_;
  std::optional<std::uint64_t> ahead_from_;  // this node has more of one log
  bool begins_alike_ = false, absent_ = false;
  std::string trouble_;
};

}  // namespace xs
