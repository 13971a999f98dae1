// SPDX-License-Identifier: MIT
#include "companion/upgrade/sync_program.h"

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr const char* kInstalled = "/usr/bin/xroad-sync";
constexpr Duration kShort = 20s;  // for a verb that only looks at files
constexpr Duration kRetry = 1s;

std::string beside_us() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (size <= 0) return "";
  const std::string self(path.data(), static_cast<std::size_t>(size));
  return self.substr(0, self.rfind('/')) + "/xroad-sync";
}

std::string find_program(const std::string& named) {
  const std::vector<std::string> places =
      named.empty() ? std::vector<std::string>{beside_us(), kInstalled} : std::vector{named};
  std::string looked;
  for (const std::string& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return place;
    looked += (looked.empty() ? "" : " nor ") + quote(place);
  }
  throw Error(Fault::Start, "no xroad-sync at " + looked +
                                ": name it with sync-program in [upgrade] of companion.ini, or "
                                "leave the sync alone with --without-sync");
}

// NAME=value lines as systemd reads them, as far as a person writes them.
void add_environment(std::vector<std::string>& all, const std::string& file) {
  const std::string text = read_file_if_exists(file, 64U << 10).value_or("");
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
    const std::size_t equals = line.find('=');
    if (line.empty() || line[0] == '#' || line[0] == ';' || equals == std::string_view::npos) {
      continue;
    }
    std::string_view value = line.substr(equals + 1);
    const bool quoted =
        value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value.front();
    if (quoted) value = value.substr(1, value.size() - 2);
    all.push_back(std::string(line.substr(0, equals + 1)) + std::string(value));
  }
}

struct Account {
  ChildUser user;
  std::string home;
};

std::optional<Account> find_account(const std::string& name) {
  if (::geteuid() != 0) return std::nullopt;
  const passwd* const entry = ::getpwnam(name.c_str());
  if (entry == nullptr || entry->pw_uid == 0) return std::nullopt;
  Account account{{entry->pw_uid, entry->pw_gid, {}}, entry->pw_dir};
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(name.c_str(), entry->pw_gid, groups.data(), &count) < 0) count = 64;
  groups.resize(static_cast<std::size_t>(count));
  account.user.groups = groups;
  return account;
}

// The last thing that it said, on one line.
std::string last_words(const std::string& output) {
  const std::string_view all = trim(output);
  const std::size_t line = all.rfind('\n');
  const std::string_view last = line == std::string_view::npos ? all : all.substr(line + 1);
  return last.empty() ? "it said nothing" : "it said: " + excerpt(last, 600);
}

Fault fault_of(const ChildResult& result) {
  if (result.timed_out) return Fault::Timeout;
  if (!WIFEXITED(result.status)) return Fault::Action;
  const FaultInfo* const known = find_fault(static_cast<std::uint8_t>(WEXITSTATUS(result.status)));
  return known == nullptr ? Fault::Action : known->fault;
}

[[noreturn]] void refuse(const std::string& command, const ChildResult& result) {
  throw Error(fault_of(result), command + " " + result.words() + "; " + last_words(result.output));
}

}  // namespace

std::string SyncPause::words() const {
  return "by " + escape(by) + (reason.empty() ? "" : ": " + escape(reason));
}

SyncProgram::SyncProgram(const UpgradeSettings& settings, Clock& clock)
    : clock_(clock),
      program_(find_program(settings.sync_program)),
      config_(settings.sync_config),
      environment_(plain_environment()) {
  add_environment(environment_, settings.sync_environment);
  if (auto account = find_account(settings.sync_user)) {
    user_ = std::move(account->user);
    environment_.push_back("HOME=" + account->home);
  } else if (const char* home = std::getenv("HOME")) {
    environment_.push_back(std::string("HOME=") + home);
  }
}

std::vector<std::string> SyncProgram::argv(const std::vector<std::string>& words) const {
  std::vector<std::string> all{program_};
  if (!config_.empty()) all.insert(all.end(), {"--config", config_});
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

std::string SyncProgram::text(const std::vector<std::string>& words) const {
  return shell_words(argv(words));
}

ChildResult SyncProgram::run(const std::vector<std::string>& words, Duration limit) const {
  ChildRequest request;
  request.argv = argv(words);
  request.environment = environment_;
  request.limit = limit;
  request.user = user_;
  return run_child(request, clock_);
}

std::string SyncProgram::must_run(const std::vector<std::string>& words) const {
  const ChildResult result = run(words, kShort);
  if (!result.ok()) refuse(text(words), result);
  return result.output;
}

template <class Read>
auto SyncProgram::ask_status(const char* question, Read read) const {
  const std::string output = must_run({"status", "--json"});
  const std::size_t begin = output.find('{');
  const std::size_t end = output.rfind('}');
  try {
    if (begin == std::string::npos || end == std::string::npos) {
      throw Error(Fault::Mismatch, last_words(output));
    }
    return read(nlohmann::json::parse(output.substr(begin, end - begin + 1)));
  } catch (const std::exception& error) {
    throw Error(Fault::Mismatch, text({"status", "--json"}) + " does not tell " + question + ": " +
                                     excerpt(error.what(), 200));
  }
}

std::optional<SyncPause> SyncProgram::pause_now() const {
  return ask_status(
      "whether it is paused", [](const nlohmann::json& status) -> std::optional<SyncPause> {
        if (!status.contains("paused")) return std::nullopt;
        const auto& paused = status.at("paused");
        return SyncPause{paused.at("by").get<std::string>(), paused.at("reason").get<std::string>(),
                         paused.contains("until")};
      });
}

std::optional<std::string> SyncProgram::run_at_work() const {
  return ask_status(
      "whether a run is at work", [](const nlohmann::json& status) -> std::optional<std::string> {
        const auto& running = status.at("running");
        if (running.is_boolean() && !running.get<bool>()) return std::nullopt;
        if (running.is_null()) {
          throw Error(Fault::Action,
                      "xroad-sync cannot tell whether a run is at work: its lock in .xroad-sync "
                      "cannot be asked (may its account read it?); --without-sync leaves the sync "
                      "alone");
        }
        return "the sync of process " + std::to_string(running.at("process").get<std::uint64_t>()) +
               ", at work since " + utc_text(running.at("since").get<std::int64_t>());
      });
}

void SyncProgram::pause(const std::string& reason) const {
  must_run({"pause", "--wait", "0", "--reason", reason});
  if (!pause_now()) {
    throw Error(Fault::Action, text({"pause"}) + " ended well, and the sync is not paused");
  }
}

void SyncProgram::run_now(Instant deadline) const {
  const std::vector<std::string> words{"--fail-if-paused"};
  for (;;) {
    const Duration left = std::max<Duration>(deadline - clock_.now(), 1s);
    const ChildResult result = run(words, left);
    if (result.ok()) return;
    const bool locked = fault_of(result) == Fault::Locked && !result.timed_out;
    if (!locked || clock_.now() + kRetry >= deadline) refuse(text(words), result);
    clock_.poll({}, clock_.now() + kRetry);
  }
}

}  // namespace xs
