// SPDX-License-Identifier: MIT
#include "companion/replication/rejoin_look.h"

#include <limits>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/auto_conf.h"
#include "companion/replication/connection.h"
#include "companion/replication/copy_place.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/profile.h"
#include "companion/replication/rejoin_log.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// Of the control file, which knows a standby's last timeline apart.
std::uint32_t own_timeline(const ControlData& control) {
  constexpr std::string_view kName = "Min recovery ending loc's timeline:";
  const std::size_t at = control.text.find(kName);
  std::uint32_t timeline = control.timeline;
  if (at == std::string::npos) return timeline;
  const std::string_view rest = std::string_view(control.text).substr(at + kName.size());
  const auto number = parse_number(trim(rest.substr(0, rest.find('\n'))));
  return std::max(timeline, static_cast<std::uint32_t>(number.value_or(0)));
}

Branch own_branch(const Cluster& cluster, const ServerState& server) {
  Branch own{own_timeline(server.control), {}};
  if (server.status && server.status->timeline) {
    own.timeline = std::max(own.timeline, *server.status->timeline);
  }
  if (own.timeline < 2) return own;
  const std::string path = cluster.data + "/pg_wal/" + history_name(own.timeline);
  const auto text = read_owned(path, cluster);
  if (!text)
    throw Error(Fault::Mismatch, quote(path) +
                                     " is missing: where this node's timeline "
                                     "comes from is not known");
  own.history = parse_history(*text);
  return own;
}

void refuse_clients(const Cluster& cluster, Clock& clock) {
  const auto db = open_server(cluster, clock, clock.now() + 10s);
  const auto rows = db->ask(
      "select count(*), min(usename || ' of ' || datname || ' from ' || "
      "coalesce(host(client_addr), 'the socket')) from pg_stat_activity where backend_type = "
      "'client backend' and pid <> pg_backend_pid()",
      {}, clock.now() + 10s);
  if (rows.at(0).at(0) == "0") return;
  throw Error(Fault::Refused,
              "this server runs as a primary and has clients (" + rows[0][0].value_or("?") +
                  ", such as " + escape(rows[0].at(1).value_or("?")) +
                  "): what they write would be thrown away. Stop them first (X-Road's services "
                  "of this node), then run this again. Nothing has been changed");
}

std::string there_text(const RejoinFacts& facts) {
  return facts.primary.where + " (timeline " + std::to_string(facts.primary.branch.timeline) + ")";
}

void refuse_newer(const RejoinFacts& facts) {
  const std::uint32_t mine = facts.own.timeline;
  if (facts.primary.branch.timeline >= mine) return;
  throw Error(Fault::Refused, "this node is newer (timeline " + std::to_string(mine) + ") than " +
                                  there_text(facts) +
                                  ": it is that one that has to rejoin. Nothing has been changed");
}

// Two primaries of one timeline and, as far as can be seen, of one log.
void refuse_same(const RejoinFacts& facts, const std::string& trouble) {
  const bool primary = facts.server.runs ? !facts.server.standby : !is_fenced(facts.cluster.data);
  if (facts.primary.branch.timeline != facts.own.timeline || !primary) return;
  throw Error(Fault::Refused,
              there_text(facts) +
                  " has not been promoted since this node was a primary on the same "
                  "timeline: is it this very server, or one that was started as a primary "
                  "without a promotion?" +
                  (trouble.empty() ? "" : " (Their logs cannot be compared: " + trouble + ")") +
                  " Nothing has been changed");
}

Fork fork_of(const RejoinFacts& facts) {
  const auto fork = find_fork(facts.own, facts.primary.branch);
  if (fork) return *fork;
  throw Error(Fault::Mismatch, "the timelines of this node and of " + facts.primary.where +
                                   " have no common beginning");
}

LogSides sides_of(const RejoinFacts& facts) {
  return {facts.cluster, facts.server, facts.own, facts.primary};
}

std::string gone_text(const std::string& name) {
  return "the new primary has no longer the log that this node needs (" + name + ")";
}

// Two that were promoted beside one another have timelines of one number, and often one history.
// What both have is then only what is before that timeline.
void find_rival(RejoinFacts& facts, TwoLogs& logs, Clock& clock) {
  const std::uint32_t mine = facts.own.timeline;
  const auto promoted = [](std::uint32_t timeline) {
    return "this node and the new primary were both promoted to timeline " +
           std::to_string(timeline) + ", each by itself, so neither follows the other";
  };
  if (facts.primary.branch.timeline == mine && facts.fork.timeline != mine) {
    facts.rival = promoted(mine);
    return;
  }
  const std::uint32_t shared = facts.fork.timeline;
  const std::uint64_t begin = begin_of(facts.own, shared);
  switch (logs.compare(facts.fork)) {
    case Agreement::Same: return refuse_same(facts, "");
    case Agreement::Unknown:
      refuse_same(facts, logs.trouble());
      if (begin == 0) return;  // nobody was promoted to it
      // An archive has what both have recycled, and PostgreSQL itself compares what it brings.
      if (logs.absent() && !configured(facts.cluster, "restore_command", clock).empty()) return;
      facts.unseen = true;
      facts.rival = "whether this node and the new primary were both promoted to timeline " +
                    std::to_string(shared) + " cannot be seen: " + logs.trouble();
      return;
    case Agreement::Different: break;
  }
  if (logs.begins_alike()) {
    facts.rival = "this node and the new primary were both primaries on timeline " +
                  std::to_string(shared) + ": one was started without a promotion";
    facts.fork.at = logs.parting().value_or(kNever);
    return;
  }
  facts.rival = promoted(shared);
  for (const TimelineEnd& past : facts.own.history) {
    if (past.timeline < shared) facts.fork = {past.timeline, past.end};
  }
}

WalTail tail_of(const RejoinFacts& facts, Clock& clock) {
  if (facts.fork.at != kNever) return own_tail(facts.cluster, facts.own, facts.fork, clock);
  WalTail tail;
  tail.any = !facts.rival.empty();
  if (tail.any) tail.trouble = "where the nodes went separate ways is not known";
  return tail;
}

std::string why_no_rewind(const RejoinOrder& order, const RejoinFacts& facts, TwoLogs* logs,
                          Clock& clock) {
  const ControlData& control = facts.server.control;
  if (logs == nullptr) {
    return "a pg_rewind was broken off, so the data is a mixture of two histories";
  }
  if (!facts.rival.empty()) return facts.rival;
  if (!control.checksums && !control.wal_log_hints) {
    return "pg_rewind needs wal_log_hints=on, or data checksums, from before the nodes went "
           "separate ways";
  }
  if (!facts.primary.no_rewind.empty()) return facts.primary.no_rewind;
  if (!facts.tail.trouble.empty()) {
    return "this node's log does not reach back to where the nodes went separate ways (" +
           facts.tail.trouble + ")";
  }
  // It would go on from before the fork.
  if (const std::string name = logs->missing_there(facts.fork.at); !name.empty()) {
    return gone_text(name);
  }
  if (facts.server.runs || !control.stopped_cleanly()) return "";  // asked when it is stopped
  try {
    const std::string printed = run_command(
        facts.cluster,
        rewind_command(facts.cluster, facts.cluster.data,
                       conninfo_text(facts.primary.target, "postgres"), true, order.work_limit),
        clock);
    if (!finds_nothing(printed)) return "";
  } catch (const Error& error) {
    return error.text();
  }
  // Also before the new primary's first checkpoint, which is waited for.
  const AsOwner rights(facts.cluster.user);
  const bool written =
      checkpoint_timeline(facts.primary.target, clock, clock.now() + order.patience) >=
      facts.primary.branch.timeline;
  return written ? kNothingFound : "";
}

bool follows_already(const RejoinFacts& facts, const RewindPlace& place, Clock& clock) {
  if (!facts.server.runs || !facts.server.standby || !facts.server.streams) return false;
  if (place.exists() || path_exists(CopyPlace(facts.cluster).directory())) return false;
  if (facts.own.timeline != facts.primary.branch.timeline) return false;
  const DbTarget now =
      parse_conninfo(configured(facts.cluster, "primary_conninfo", clock), "primary_conninfo");
  return now.hosts == facts.primary.target.hosts && now.user == facts.primary.target.user;
}

std::string discard_words(std::uint64_t commits) {
  return ". Look at what they are (the server's own, such as autovacuum's, count too); when nobody "
         "needs them, say --discard " +
         std::to_string(commits);
}

void refuse_loss(const RejoinOrder& order, const RejoinFacts& facts) {
  const std::uint64_t commits = facts.tail.commits.value_or(0);
  if (facts.way == Way::Nothing || commits <= order.discard || order.dry_run) return;
  throw Error(Fault::Refused,
              std::to_string(commits) + " transaction(s) were committed on this node behind " +
                  lsn_text(facts.fork.at) + " and are nowhere else: they would be thrown away" +
                  discard_words(commits) + ". Nothing has been changed");
}

// `logs`: none where the data is a mixture.
Way choose(const RejoinOrder& order, RejoinFacts& facts, const RewindPlace& place, TwoLogs* logs,
           Clock& clock) {
  const bool rivals = !facts.rival.empty() && !facts.unseen;
  if (!rivals && follows_already(facts, place, clock)) return Way::Nothing;
  const bool follow = logs != nullptr && !facts.tail.any && facts.rival.empty();
  if (follow) {
    const std::string name = logs->missing_to_follow();
    if (name.empty()) return Way::Follow;
    facts.no_rewind = gone_text(name);
  } else {
    facts.no_rewind = why_no_rewind(order, facts, logs, clock);
    if (facts.no_rewind.empty()) return Way::Rewind;
  }
  if (order.allow_reclone) return Way::Copy;
  throw Error(Fault::Refused,
              std::string("this node cannot ") + (follow ? "follow with its data" : "be rewound") +
                  ": " + facts.no_rewind +
                  ". A fresh copy of the new primary's data is the other way: --allow-reclone "
                  "(this node's data is moved aside, not removed). Nothing has been changed");
}

}  // namespace

std::string RejoinFacts::loss() const {
  if (own.timeline == 0) {
    return "A pg_rewind was broken off here: this node's data is a mixture of two histories, and "
           "of no use but to look at.\n";
  }
  const std::string place = lsn_text(fork.at) + " on timeline " + std::to_string(fork.timeline);
  if (rival.empty() && (fork.at == kNever || !tail.any)) {
    return "All that this node wrote is in the history of the new primary: nothing is thrown "
           "away.\n";
  }
  std::string text = fork.at == kNever
                         ? "This node and the new primary went separate ways"
                         : "This node and the new primary went separate ways at " + place;
  text += ".\nWARNING: ";
  if (!tail.commits) {
    return text +
           "what this node wrote behind it is thrown away (its log does not tell how much: " +
           tail.trouble + ").\n";
  }
  if (*tail.commits == 0) return text + "behind it this node committed nothing.\n";
  return text + std::to_string(*tail.commits) +
         " transaction(s) that were committed here behind it, and are nowhere else, are thrown "
         "away (--discard).\n";
}

RejoinFacts look_for_rejoin(const RejoinOrder& order, const Cluster& cluster,
                            const RewindPlace& place, Clock& clock) {
  RejoinFacts facts;
  facts.cluster = cluster;
  facts.server = look_at_server(cluster, clock, clock.now() + 10s);
  const DbTarget target = new_primary_target(order.primary, cluster, clock);
  facts.slot = order.slot.empty() ? slot_name(target.user) : order.slot;
  if (facts.slot.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    throw Error(Fault::Usage, quote(facts.slot) + " is no name of a slot: give one with --slot");
  }
  {
    const AsOwner rights(cluster.user);
    facts.primary = look_at_new_primary(target, clock, clock.now() + order.patience);
  }
  if (facts.primary.system != facts.server.control.system_id) {
    throw Error(Fault::Mismatch,
                facts.primary.where + " is the primary of another cluster (system " +
                    escape(facts.primary.system) + ", here " +
                    escape(facts.server.control.system_id) + "). Nothing has been changed");
  }
  if (place.mixed()) {  // its own files tell nothing any more
    facts.tail.any = true;
    facts.tail.trouble = "a pg_rewind was broken off";
    facts.way = choose(order, facts, place, nullptr, clock);
    return facts;
  }
  facts.own = own_branch(cluster, facts.server);
  refuse_newer(facts);
  facts.fork = fork_of(facts);
  TwoLogs logs(sides_of(facts), clock, order.patience);
  find_rival(facts, logs, clock);
  if (facts.server.runs && !facts.server.standby) refuse_clients(cluster, clock);
  facts.tail = tail_of(facts, clock);
  // Its own stop will write a record behind the fork, though nobody has committed anything.
  facts.tail.any |= facts.server.runs && !facts.server.standby;
  facts.way = choose(order, facts, place, &logs, clock);
  refuse_loss(order, facts);
  return facts;
}

std::string why_no_stream(const RejoinOrder& order, const RejoinFacts& before, Clock& clock) {
  try {
    RejoinFacts now;
    now.cluster = before.cluster;
    now.server = look_at_server(now.cluster, clock, clock.now() + 10s);
    now.own = own_branch(now.cluster, now.server);
    {
      const AsOwner rights(now.cluster.user);
      now.primary = look_at_new_primary(before.primary.target, clock, clock.now() + order.patience);
    }
    const std::string name = TwoLogs(sides_of(now), clock, order.patience).missing_to_follow();
    return name.empty() ? "" : gone_text(name) + ". Take a fresh copy: --allow-reclone";
  } catch (const Error& error) {
    return error.text();
  }
}

void check_stopped_tail(const RejoinOrder& order, const RejoinFacts& facts, Clock& clock) {
  const WalTail tail = tail_of(facts, clock);
  constexpr const char* kLeft = ". It is left stopped, with standby.signal, and its data as it is";
  if (facts.way == Way::Follow && tail.any) {
    throw Error(Fault::Refused,
                "before it was stopped this node got more of the old log than the "
                "new primary has" +
                    std::string(kLeft) + ": run this again");
  }
  if (facts.way == Way::Rewind && !tail.commits) {
    throw Error(Fault::Refused,
                "this node's log does not tell what it committed (" + tail.trouble + ")" + kLeft);
  }
  const std::uint64_t commits = tail.commits.value_or(0);
  if (commits <= order.discard) return;
  throw Error(Fault::Refused,
              "until it was stopped this node committed " + std::to_string(commits) +
                  " transaction(s) that are nowhere else, and " + std::to_string(order.discard) +
                  " may be thrown away" + kLeft + discard_words(commits));
}

std::string following_conf(const RejoinFacts& facts, const std::string& text) {
  const std::string file = facts.cluster.conf_file();
  const std::string lines = find_block(text, file).value_or("");
  return with_block(
      text,
      with_auto_settings(lines, {{"primary_conninfo", conninfo_text(facts.primary.target)},
                                 {"primary_slot_name", facts.slot},
                                 {"recovery_target_timeline", "latest"},
                                 {"synchronous_standby_names", ""}}),
      BlockPlace::End, file);
}

std::string following_auto_conf(const std::string& text) {
  return without_auto_settings(text, {"primary_conninfo", "primary_slot_name",
                                      "recovery_target_timeline", "synchronous_standby_names"});
}

}  // namespace xs
