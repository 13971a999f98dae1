// SPDX-License-Identifier: MIT
// Replay of a standby: paused, resumed, waited for. Called by the verbs of the same names and by
// the upgrade. Nothing here believes a function's return: the state is polled until it is there.
// On a primary all of it is Error of class Role; without the right to do it, Auth with the GRANT.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/replication/access.h"
#include "companion/replication/connection.h"
#include "companion/replication/status.h"

namespace xs {

struct ReplayChange {
  bool changed = false;  // false: it was so before
  ReplayProgress now;
  bool seen = true;  // false: before 14, with nothing left to replay, only the request is known
};

// Whether replay stands, by what a server tells time after time. From 14 on it says so; before, it
// says "paused" as soon as it is asked to: there the position has to stay the same for a while.
// Pure.
class Standstill {
 public:
  explicit Standstill(int server_version) : version_(server_version) {}
  bool stands(const ReplayProgress& now, Instant at);
  // More has been received than is replayed, so that it could go on and does not.
  bool seen() const { return seen_; }

 private:
  int version_;
  Position position_;
  std::optional<Instant> since_;
  bool seen_ = true;
};

// Until replay stands still. Throws Timeout at the deadline; the request then stands, and replay
// pauses when it can.
ReplayChange pause_replay(Db& db, Clock& clock, Instant deadline);
ReplayChange resume_replay(Db& db, Clock& clock, Instant deadline);

// What a pause costs while it lasts: a sentence each, of what is kept here and at the primary, with
// the numbers that can be seen. A primary that does not answer is one of the sentences.
std::vector<std::string> pause_costs(Db& db, const ReplicationAccess& access, Clock& clock,
                                     Instant deadline);

struct WaitTimes {
  Instant deadline{};
  Duration patience = std::chrono::seconds(15);  // for a receiver that does not stream
};

struct CaughtUp {
  std::string primary;  // "host:port"
  std::uint64_t target = 0;
};

// Asks the primary for its position now and waits until it is replayed here, with the receiver
// streaming its timeline; a position of another timeline is none. The primary is asked once more in
// the end, and when the receiver goes to a timeline that it does not lead to: a new one's position
// is waited for. `tell` is called about once a second with a line. Throws what Primary throws when
// it is not reached (at the start, in the end, and when it falls silent), Paused (replay is
// paused), Mismatch (the receiver does not stream, or follows another primary or cluster), Timeout,
// and Role.
CaughtUp wait_for_primary(Db& db, const ReplicationAccess& access, Clock& clock,
                          const WaitTimes& times,
                          const std::function<void(const std::string&)>& tell);

// As read_replication(), at a moment at which a receiver that streams is one: it says so before the
// primary has agreed, so one that is refused again and again would pass for it. One that never
// lasts has the state "restarting".
ReplicationStatus read_settled(Db& db, const std::string& user, Clock& clock, Instant deadline);

// Work after a rest looks like hours of lag, when the primary is asked after replay is. As long as
// the lag is more than so many seconds, looks again a few times whether replay comes to where the
// log ended at first: then the seconds are 0. Throws what read_progress() throws.
void look_again(Db& db, ReplicationStatus& status, double enough, Clock& clock, Instant deadline);

}  // namespace xs
