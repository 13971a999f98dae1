// SPDX-License-Identifier: MIT
#include "companion/replication/rewind.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/child.h"
#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/connection.h"
#include "companion/replication/owned_file.h"

namespace xs {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kMine = "made-by-xroad-companion";
constexpr const char* kMixed = "rewind-begun";
constexpr const char* kOut = "own-taken-out";  // all of it, so what is there came from the source
constexpr const char* kSwept = "source-removed";

void rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_errno("rename", from);
}

void sync_path(const std::string& path) {
  const Fd fd = open_file(path, O_RDONLY);
  if (::fsync(fd.get()) != 0) throw_errno("fsync", path);
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw Error(Fault::Io, "cannot remove " + quote(path) + ": " + error.message());
}

std::vector<std::string> own_entries(const std::string& data) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data, error)) {
    const std::string name = entry.path().filename().string();
    if (is_own_entry(name)) names.push_back(name);
  }
  if (error) throw Error(Fault::Io, "cannot read " + quote(data) + ": " + error.message());
  return names;
}

// The number behind "Transaction/COMMIT" in a line of pg_waldump's statistics.
std::uint64_t count_commits(const std::string& text) {
  std::uint64_t all = 0;
  for (const char* word : {"Transaction/COMMIT ", "Transaction/COMMIT_PREPARED "}) {
    const std::size_t at = text.find(word);
    if (at == std::string::npos) continue;
    const std::string_view rest =
        trim(std::string_view(text).substr(at + std::string(word).size()));
    all += parse_number(rest.substr(0, rest.find(' '))).value_or(0);
  }
  return all;
}

std::string dump_log(const LogFiles& files, std::uint64_t from, std::uint64_t to, Duration limit,
                     Clock& clock) {
  ChildRequest request;
  request.argv = {files.cluster.bin + "/pg_waldump",
                  "--stats=record",
                  "-p",
                  files.cluster.data + "/pg_wal",
                  "-t",
                  std::to_string(files.timeline),
                  "-s",
                  lsn_text(from)};
  if (to != 0) request.argv.insert(request.argv.end(), {"-e", lsn_text(to)});
  request.environment = plain_environment();
  request.user = files.cluster.user;
  request.limit = limit;
  return run_child(request, clock).output;
}

// Where the file begins that pg_waldump misses: a log that ends with a file has no next one.
std::optional<std::uint64_t> missing_file(const LogFiles& files, const std::string& output) {
  constexpr std::string_view kWord = "could not find file \"";
  const std::size_t at = output.find(kWord);
  if (at == std::string::npos || files.segment == 0) return std::nullopt;
  const std::string name = output.substr(at + kWord.size(), 24);
  if (name.size() != 24) return std::nullopt;
  try {
    const std::uint64_t whole = parse_lsn(name.substr(8, 8) + "/0");
    const std::uint64_t part = parse_lsn("0/" + name.substr(16, 8));
    return whole + part * files.segment;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// What pg_waldump says of the log between two positions; `to` 0: to its end.
struct Dump {
  std::string text;
  std::uint64_t end = 0;  // of the last file, where it is full
};
Dump dump_tail(const LogFiles& files, std::uint64_t from, std::uint64_t to, Duration limit,
               Clock& clock) {
  Dump dump{dump_log(files, from, to, limit, clock), 0};
  const auto next = to == 0 ? missing_file(files, dump.text) : std::nullopt;
  if (!next || *next <= from) return dump;
  return {dump_log(files, from, *next, limit, clock), *next};
}

// The positions that follow the word "at" in a complaint.
std::vector<std::uint64_t> positions_in(std::string_view complaint) {
  constexpr std::string_view kAt = " at ";
  std::vector<std::uint64_t> all;
  for (std::size_t at = complaint.find(kAt); at != std::string_view::npos;
       at = complaint.find(kAt, at + 1)) {
    std::string word(complaint.substr(at + kAt.size(), 20));
    word.resize(std::min(word.find_first_not_of("0123456789ABCDEFabcdef/"), word.size()));
    try {
      all.push_back(parse_lsn(word));
    } catch (const Error&) {
      continue;  // another "at"
    }
  }
  return all;
}

constexpr const char* kNoRecord = "could not find a valid record after";

}  // namespace

bool is_own_entry(const std::string& name) {
  static constexpr auto kPostgres =
      std::to_array<std::string_view>({"PG_VERSION",       "base",
                                       "current_logfiles", "global",
                                       "pg_commit_ts",     "pg_dynshmem",
                                       "pg_logical",       "pg_multixact",
                                       "pg_notify",        "pg_replslot",
                                       "pg_serial",        "pg_snapshots",
                                       "pg_stat",          "pg_stat_tmp",
                                       "pg_subtrans",      "pg_tblspc",
                                       "pg_twophase",      "pg_wal",
                                       "pg_xact",          "postmaster.opts",
                                       "postmaster.pid",   "recovery.signal",
                                       "standby.signal"});
  for (const char* part : {"backup_label", "tablespace_map", "backup_manifest"}) {
    if (name.starts_with(part)) return false;
  }
  return std::find(kPostgres.begin(), kPostgres.end(), name) == kPostgres.end();
}

RewindPlace::RewindPlace(Cluster cluster)
    : cluster_(std::move(cluster)), directory_(cluster_.data + ".xroad-rejoin") {}

bool RewindPlace::exists() const { return path_exists(directory_); }

void RewindPlace::hold() {
  const bool fresh = !exists();
  directory_step(directory_, 0700, cluster_).act();
  if (fresh) write_owned(directory_ + "/" + kMine, "", 0600, cluster_);
  const AsOwner rights(cluster_.user);
  if (!path_exists(directory_ + "/" + kMine) && !fs::is_empty(directory_)) {
    throw Error(Fault::Refused, quote(directory_) + " is not ours: move it away");
  }
  lock_ = open_file(directory_, O_RDONLY | O_DIRECTORY);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(Fault::Locked, "another rejoin is at work on " + quote(cluster_.data));
  }
  if (!path_exists(directory_ + "/" + kMine))
    write_owned(directory_ + "/" + kMine, "", 0600, cluster_);
}

bool RewindPlace::parked() const {
  if (!exists()) return false;
  const AsOwner rights(cluster_.user);
  return path_exists(parked_data()) && !path_exists(cluster_.data);
}

void RewindPlace::park() const {
  require_no_server(cluster_);
  note(kOut, false);
  note(kSwept, false);
  {
    const AsOwner rights(directory_user(parent_of(cluster_.data), cluster_));
    rename_path(cluster_.data, parked_data());
    sync_path(parent_of(cluster_.data));
  }
  const AsOwner rights(cluster_.user);
  fs::create_directory(own());
  for (const std::string& name : own_entries(parked_data())) {
    rename_path(parked_data() + "/" + name, own() + "/" + name);
  }
  sync_path(own());
  note(kOut, true);
}

void RewindPlace::give_own_back() const {
  const AsOwner rights(cluster_.user);
  fence(parked_data(), cluster_);
  if (path_exists(own())) {
    if (has(kOut) && !has(kSwept)) {
      for (const std::string& name : own_entries(parked_data())) {
        remove_tree(parked_data() + "/" + name);
      }
      note(kSwept, true);
    }
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(own())) {
      names.push_back(entry.path().filename().string());
    }
    for (const std::string& name : names) {
      rename_path(own() + "/" + name, parked_data() + "/" + name);
    }
    sync_path(parked_data());
    fs::remove(own());
  }
  note(kOut, false);
  note(kSwept, false);
}

void RewindPlace::put_back() const {
  give_own_back();
  const AsOwner rights(directory_user(parent_of(cluster_.data), cluster_));
  rename_path(parked_data(), cluster_.data);
  sync_path(parent_of(cluster_.data));
}

bool RewindPlace::has(const char* fact) const {
  if (!exists()) return false;
  const AsOwner rights(cluster_.user);
  return path_exists(directory_ + "/" + fact);
}

void RewindPlace::note(const char* fact, bool on) const {
  const std::string path = directory_ + "/" + fact;
  if (on) return write_owned(path, "", 0600, cluster_);
  const AsOwner rights(cluster_.user);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("unlink", path);
  sync_path(directory_);
}

bool RewindPlace::mixed() const { return has(kMixed); }

void RewindPlace::set_mixed(bool on) const { note(kMixed, on); }

void RewindPlace::clear() const {
  if (!exists()) return;
  if (path_exists(parked_data()) || path_exists(own())) {
    throw Error(Fault::Refused, quote(directory_) + " holds data: it is not removed");
  }
  const AsOwner rights(directory_user(parent_of(directory_), cluster_));
  remove_tree(directory_);
}

bool is_fenced(const std::string& data) { return path_exists(data + "/standby.signal"); }

void fence(const std::string& data, const Cluster& cluster) {
  write_owned(data + "/standby.signal", "", 0600, cluster);
}

std::uint64_t segment_size(const ControlData& control) {
  constexpr std::string_view kName = "Bytes per WAL segment:";
  const std::size_t at = control.text.find(kName);
  if (at == std::string::npos)
    throw Error(Fault::Io, "pg_controldata does not say how long a file of the log is");
  const std::string_view rest = std::string_view(control.text).substr(at + kName.size());
  const auto bytes = parse_number(trim(rest.substr(0, rest.find('\n'))));
  // What initdb --wal-segsize takes.
  if (bytes && *bytes >= (1U << 20) && *bytes <= (1U << 30)) return *bytes;
  throw Error(Fault::Io, "pg_controldata tells an impossible length of a file of the log");
}

WalTail read_tail(const LogFiles& files, std::uint64_t from, std::uint64_t to, Clock& clock) {
  const std::string output = dump_tail(files, from, to, 5min, clock).text;
  WalTail tail;
  // Where the log ends it finds no record, and does not end well.
  if (output.find("WAL statistics") != std::string::npos ||
      output.find("Total ") != std::string::npos) {
    tail.any = true;
    tail.commits = count_commits(output);
  } else if (output.find(kNoRecord) != std::string::npos) {
    tail.commits = 0;
  } else {
    tail.any = true;
    tail.trouble = excerpt(trim(output), 300);
  }
  return tail;
}

std::optional<LogReach> reach_of_log(const LogFiles& files, std::uint64_t from, Clock& clock) {
  const Dump dump = dump_tail(files, from, 0, 2min, clock);
  if (dump.text.find(kNoRecord) != std::string::npos) return LogReach{from, from};
  if (dump.end != 0) return LogReach{dump.end, dump.end};
  // "error in WAL record at 0/3027908: invalid record length at 0/3027AA0: wanted 24, got 0"
  const std::size_t complaint = dump.text.rfind("error");
  if (complaint == std::string::npos) return std::nullopt;
  const auto positions = positions_in(std::string_view(dump.text).substr(complaint));
  if (positions.empty()) return std::nullopt;
  return LogReach{positions.front(), *std::max_element(positions.begin(), positions.end())};
}

std::optional<std::uint64_t> end_of_log(const Cluster& cluster, const ControlData& control,
                                        Clock& clock) {
  const std::uint64_t from = parse_lsn(control.checkpoint);
  const auto reach = reach_of_log({cluster, control.timeline, segment_size(control)}, from, clock);
  if (!reach || reach->end == from) return std::nullopt;
  return reach->end;
}

Command recover_command(const Cluster& cluster, Duration limit) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit).count();
  Command command;
  command.argv = {cluster.bin + "/pg_ctl",
                  "-D",
                  cluster.config,
                  "-w",
                  "-s",
                  "-t",
                  std::to_string(std::max<long long>(seconds - 5, 1)),
                  "-l",
                  cluster.data + ".start.log",
                  "-o",
                  "-p " + std::to_string(cluster.port) +
                      " -c listen_addresses= -c primary_conninfo= -c restore_command= -c "
                      "recovery_target_timeline=current -c hot_standby=on",
                  "start"};
  command.limit = limit;
  return command;
}

Command end_recovery_command(const Cluster& cluster) {
  Command command;
  command.argv = {
      cluster.bin + "/pg_ctl", "-D", cluster.config, "-w", "-s", "-t", "110", "-m", "fast", "stop"};
  command.limit = std::chrono::minutes(2);
  return command;
}

bool finds_nothing(const std::string& printed) {
  return printed.find("no rewind required") != std::string::npos;
}

Command rewind_command(const Cluster& cluster, const std::string& data, const std::string& source,
                       bool dry_run, Duration limit) {
  Command command;
  command.argv = {cluster.bin + "/pg_rewind", "-D", data, "--source-server", source};
  // Ours is stopped cleanly already, and must not be recovered without standby.signal.
  if (cluster.major >= 13) command.argv.emplace_back("--no-ensure-shutdown");
  if (dry_run) command.argv.emplace_back("--dry-run");
  command.limit = limit;
  command.ends_with_us = true;
  return command;
}

}  // namespace xs
