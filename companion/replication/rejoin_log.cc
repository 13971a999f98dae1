// SPDX-License-Identifier: MIT
#include "companion/replication/rejoin_log.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/certificate.h"
#include "companion/replication/connection.h"
#include "companion/replication/owned_file.h"

namespace xs {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kHeader = 24;         // of a record, with its checksum
constexpr std::uint64_t kMost = 16U << 20;    // compared at a time
constexpr std::uint64_t kEnough = 64U << 10;  // two histories do not agree for so long

std::uint64_t redo_of(const ControlData& control) {
  constexpr std::string_view kName = "Latest checkpoint's REDO location:";
  const std::size_t at = control.text.find(kName);
  if (at == std::string::npos) return parse_lsn(control.checkpoint);
  const std::string_view rest = std::string_view(control.text).substr(at + kName.size());
  return parse_lsn(std::string(trim(rest.substr(0, rest.find('\n')))));
}

// On this node's last timeline, by its files alone.
std::optional<LogReach> files_reach(const Cluster& cluster, const ControlData& control,
                                    const Branch& own, Clock& clock) {
  const std::uint64_t from = control.timeline == own.timeline ? parse_lsn(control.checkpoint)
                                                              : begin_of(own, own.timeline);
  return reach_of_log({cluster, own.timeline, segment_size(control)}, from, clock);
}

}  // namespace

WalTail own_tail(const Cluster& cluster, const Branch& own, const Fork& fork, Clock& clock) {
  const ControlData control = read_control(cluster, cluster.data, clock);
  const std::uint64_t segment = segment_size(control);
  WalTail all;
  all.commits = 0;
  all.any = fork.timeline != own.timeline;
  std::uint64_t from = fork.at;
  for (const TimelineEnd& past : own.history) {
    if (past.timeline < fork.timeline || past.end == from) continue;
    // Within one file it is of the timeline that has begun in it.
    const bool one = past.end / segment == from / segment;
    const std::uint32_t files = one ? file_timeline(own, from, segment) : past.timeline;
    const WalTail tail = read_tail({cluster, files, segment}, from, past.end, clock);
    if (!tail.commits) return tail;
    *all.commits += *tail.commits;
    from = past.end;
  }
  const WalTail last = read_tail({cluster, own.timeline, segment}, from, 0, clock);
  if (!last.commits) {
    // Also where the file of the fork is not there because the log ends before.
    const auto reach = files_reach(cluster, control, own, clock);
    return reach && reach->end <= from ? all : last;
  }
  all.any |= last.any;
  *all.commits += *last.commits;
  return all;
}

TwoLogs::TwoLogs(const LogSides& sides, Clock& clock, Duration patience)
    : sides_(sides),
      clock_(clock),
      patience_(patience),
      segment_(segment_size(sides.server.control)) {}

// A server that answers has all of it behind its position.
std::optional<LogReach> TwoLogs::reach() {
  if (reach_) return *reach_;
  const ServerState& server = sides_.server;
  if (server.status) {
    const Position valid = server.standby ? server.status->replayed : server.status->position;
    if (valid) {
      const std::uint64_t end = std::max(*valid, server.status->received.value_or(0));
      return reach_.emplace(LogReach{*valid, server.standby ? end : *valid});
    }
  }
  return reach_.emplace(files_reach(sides_.cluster, server.control, sides_.own, clock_));
}

bool TwoLogs::readable() {
  if (there_) return true;
  if (!sides_.primary.may_read) {
    trouble_ = sides_.primary.no_rewind;
    return false;
  }
  DbTarget target = sides_.primary.target;
  target.database = "postgres";
  const AsOwner rights(sides_.cluster.user);
  there_ = std::make_unique<Db>(target, clock_, clock_.now() + patience_);
  return true;
}

std::string TwoLogs::digest_here(const Range& range) const {
  const AsOwner rights(sides_.cluster.user);
  const std::string path =
      sides_.cluster.data + "/pg_wal/" + log_file(sides_.own, range.from, segment_);
  if (!path_exists(path)) return "";
  const Fd fd = open_file(path, O_RDONLY);
  std::string bytes(range.to - range.from, '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const auto offset = static_cast<off_t>(range.from % segment_ + got);
    const ssize_t n = ::pread(fd.get(), bytes.data() + got, bytes.size() - got, offset);
    if (n < 0) throw_errno("read", path);
    if (n == 0) return "";
    got += static_cast<std::size_t>(n);
  }
  return digest_hex(bytes, EVP_sha256());
}

std::string TwoLogs::digest_there(const Range& range) {
  const std::uint64_t size = range.to - range.from;
  const auto rows = there_->ask(
      "select encode(sha256(bytes), 'hex'), length(bytes) from (select "
      "pg_read_binary_file($1, $2::bigint, $3::bigint, true) as bytes) as file",
      {"pg_wal/" + log_file(sides_.primary.branch, range.from, segment_),
       std::to_string(range.from % segment_), std::to_string(size)},
      clock_.now() + patience_);
  const DbRow& row = rows.at(0);
  return row.at(1) == std::to_string(size) ? row.at(0).value_or("") : "";
}

std::uint64_t TwoLogs::position_there() {
  const AsOwner rights(sides_.cluster.user);
  const Instant deadline = clock_.now() + patience_;
  return Primary(sides_.primary.target, clock_, deadline).identify(deadline).flushed;
}

Agreement TwoLogs::compare(const Fork& fork) {
  const auto mine = reach();
  if (!mine && fork.timeline == sides_.own.timeline) {
    trouble_ = "this node's own log cannot be read";
    return Agreement::Unknown;
  }
  std::uint64_t end = fork.at;
  bool ahead = false;
  if (fork.timeline == sides_.own.timeline) {
    // What is behind its last record there is no log yet.
    const bool inside = !sides_.server.status && mine->last < mine->end;
    const std::uint64_t valid = mine->last + (inside ? kHeader : 0);
    // To the end of a page that has nothing but its header.
    constexpr std::uint64_t kSlack = 64;
    // It writes while we look: who is only behind must not pass for a rival.
    std::uint64_t theirs = sides_.primary.position;
    if (fork.at == kNever && valid > theirs) theirs = position_there();
    ahead = fork.at == kNever && valid > theirs + kSlack;
    end = std::min({fork.at, valid, theirs});
  }
  const std::uint64_t begin = begin_of(sides_.own, fork.timeline);
  if (ahead) ahead_from_ = end;
  const Agreement alike = ahead ? Agreement::Different : Agreement::Same;
  if (end <= begin) return alike;
  if (!readable()) return ahead ? alike : Agreement::Unknown;

  std::vector<Range> ranges;
  if (begin != 0) {
    const std::uint64_t next = begin / segment_ * segment_ + segment_;
    ranges.push_back({begin, std::min({end, next, begin + kMost})});
  }
  for (std::uint64_t to = end; to > begin;) {
    const std::uint64_t from = std::max(begin, (to - 1) / segment_ * segment_);
    ranges.push_back({from, to});
    if (end - from >= kEnough) break;
    to = from;
  }
  bool seen = false;
  begins_alike_ = begin == 0;
  for (Range range : ranges) {
    if (range.to - range.from > kMost) range.from = range.to - kMost;
    const Agreement found = compare_range(range);
    if (found == Agreement::Different) {
      differs_ = range;
      return found;
    }
    seen |= found == Agreement::Same;
    begins_alike_ |= found == Agreement::Same && range.from == begin;
  }
  if (seen || ahead) return alike;
  absent_ = true;
  trouble_ = "the nodes have no file of the log of timeline " + std::to_string(fork.timeline) +
             " in common any more";
  return Agreement::Unknown;
}

Agreement TwoLogs::compare_range(const Range& range) {
  const std::string one = digest_here(range);
  const std::string other = one.empty() ? "" : digest_there(range);
  if (one.empty() || other.empty()) return Agreement::Unknown;
  return one == other ? Agreement::Same : Agreement::Different;
}

std::optional<std::uint64_t> TwoLogs::parting() {
  if (!differs_) return ahead_from_;
  if (segment_ > kMost) return std::nullopt;
  Range range = *differs_;
  while (range.from % segment_ == 0) {
    if (range.from == 0) return std::nullopt;
    const Range before{range.from - segment_, range.from};
    const Agreement found = compare_range(before);
    if (found == Agreement::Unknown) return std::nullopt;
    if (found == Agreement::Same) break;
    range = before;
  }
  constexpr std::uint64_t kPage = 8192;
  while (range.to - range.from > kPage) {
    const std::uint64_t half = (range.to - range.from) / 2;
    const std::uint64_t middle = range.from + std::max(kPage, half / kPage * kPage);
    if (compare_range({range.from, middle}) == Agreement::Same) {
      range.from = middle;
    } else {
      range.to = middle;
    }
  }
  return range.from;
}

std::string TwoLogs::missing_there(std::uint64_t position) {
  if (position >= sides_.primary.position || !readable()) return "";
  if (!configured(sides_.cluster, "restore_command", clock_).empty()) return "";
  const std::string name = log_file(sides_.primary.branch, position, segment_);
  const auto rows = there_->ask("select (pg_stat_file($1, true)).size", {"pg_wal/" + name},
                                clock_.now() + patience_);
  return rows.at(0).at(0) ? "" : name;
}

bool TwoLogs::here(std::uint64_t position) const {
  const AsOwner rights(sides_.cluster.user);
  Branch branch = sides_.own;
  for (;;) {
    if (path_exists(sides_.cluster.data + "/pg_wal/" + log_file(branch, position, segment_))) {
      return true;
    }
    if (branch.history.empty()) return false;
    branch.timeline = branch.history.back().timeline;
    branch.history.pop_back();
  }
}

// Where it will begin to replay when it is started.
std::uint64_t TwoLogs::first_needed() const {
  const auto label = read_owned(sides_.cluster.data + "/backup_label", sides_.cluster);
  constexpr std::string_view kName = "START WAL LOCATION: ";
  const std::size_t at = label ? label->find(kName) : std::string::npos;
  if (at == std::string::npos) return redo_of(sides_.server.control);
  std::string word = label->substr(at + kName.size(), 20);
  word.resize(std::min(word.find(' '), word.size()));
  return parse_lsn(word);
}

std::string TwoLogs::missing_to_follow() {
  const std::uint64_t first = first_needed();
  if (!here(first)) {
    if (std::string name = missing_there(first); !name.empty()) return name;
  }
  const auto mine = reach();
  return mine ? missing_there(mine->end) : "";
}

}  // namespace xs
