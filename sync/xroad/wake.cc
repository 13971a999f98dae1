// SPDX-License-Identifier: MIT
#include "sync/xroad/wake.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>

#include "base/child.h"
#include "base/io.h"
#include "base/text.h"
#include "protocol/entries.h"
#include "sync/dir.h"

namespace xs {
namespace {

// What a journal can hold: kTouch and a path, or kAct.
constexpr std::string_view kTouch = "touch ";
constexpr std::string_view kAct = "act";

bool is_below(std::string_view path, std::string_view dir) {
  return dir.empty() ||
         (path.size() > dir.size() && path.substr(0, dir.size()) == dir && path[dir.size()] == '/');
}

bool matters(const Change& change) {
  return change.created || change.deleted || change.content || change.size || change.mode ||
         change.owner || change.group || change.acl || change.xattr;
}

// A rename onto the path is the event itself.
bool replaces(ActionKind kind) {
  switch (kind) {
    case ActionKind::Install:
    case ActionKind::Link:
    case ActionKind::Symlink:
    case ActionKind::Special:
    case ActionKind::InstallIndex: return true;
    default: return false;
  }
}

// Where the index itself goes or comes there is nothing to touch, or the event has been.
template <class Steps>
bool index_moves(const Steps& steps, const std::string& index) {
  return std::any_of(steps.begin(), steps.end(), [&](const auto& step) {
    return step.path == index && (replaces(step.kind) || step.kind == ActionKind::Delete);
  });
}

std::string owed_to_signer(const WakeAction& action) { return std::string(kTouch) + action.index; }

std::string_view signer_dir(const WakeAction& action) { return split_path(action.index).parent; }

}  // namespace

std::string wake_for(const WakeAction& action, const Plan& plan) {
  const bool signer = action.kind == WakeAction::Kind::Signer;
  if (action.kind == WakeAction::Kind::None) return {};
  if (signer && index_moves(plan.actions, action.index)) return {};
  const bool any = std::any_of(plan.changes.begin(), plan.changes.end(), [&](const Change& change) {
    return matters(change) && (!signer || is_below(change.path, signer_dir(action)));
  });
  if (!any) return {};
  return signer ? owed_to_signer(action) : std::string(kAct);
}

std::string wake_for(const WakeAction& action, const std::vector<Step>& steps) {
  if (action.kind == WakeAction::Kind::None || steps.empty()) return {};
  if (action.kind != WakeAction::Kind::Signer) return std::string(kAct);
  if (index_moves(steps, action.index)) return {};
  const bool any = std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
    return is_below(step.path, signer_dir(action));
  });
  return any ? owed_to_signer(action) : std::string();
}

Waker::Waker(WakeAction action, std::string root, Clock& clock, std::string systemctl)
    : action_(std::move(action)),
      root_(std::move(root)),
      clock_(clock),
      systemctl_(std::move(systemctl)) {}

void Waker::operator()(std::string_view owed) noexcept {
  try {
    pay(owed);
  } catch (const std::exception& error) {
    failures_.emplace_back(error.what());
  }
}

void Waker::pay(std::string_view owed) {
  if (owed == kAct) return act();
  if (owed.substr(0, kTouch.size()) == kTouch) {
    return touch(std::string(owed.substr(kTouch.size())));
  }
  throw Error(Fault::Action, "a commit asks for what this version cannot do: '" +
                                 excerpt(owed, 80) + "': wake who must know by hand");
}

void Waker::act() {
  switch (action_.kind) {
    case WakeAction::Kind::Command: return run(action_.argv);
    case WakeAction::Kind::Signal: return send_signal();
    case WakeAction::Kind::Reload: return reload();
    case WakeAction::Kind::None:
    case WakeAction::Kind::Signer:
      spdlog::warn("a commit asks for an action, and none is configured any more");
  }
}

void Waker::touch(const std::string& path) {
  if (!valid_path(path) || path.empty()) {
    throw Error(Fault::Action, "a commit asks for an event on '" + excerpt(path, 80) + "'");
  }
  try {
    const auto [parent, name] = split_path(path);
    Dir::open_root(root_).walk(parent).touch(name);
  } catch (const Error& error) {
    // Whoever waits for events on it finds nothing to read either.
    if (error.code() == ENOENT) return;
    throw Error(
        Fault::Action,
        "the signer could not be woken, and looks by itself within a minute: " + error.text(),
        error.code());
  }
}

void Waker::run(const std::vector<std::string>& argv) { output_of(argv); }

std::string Waker::output_of(const std::vector<std::string>& argv) {
  ChildRequest request;
  request.argv = argv;
  request.environment = plain_environment();
  request.limit = action_.limit;
  const ChildResult result = run_child(request, clock_);
  if (result.ok()) return result.output;
  const std::string said = excerpt(trim(result.output), 400);
  const bool of_unit = !action_.unit.empty() && argv.front() == systemctl_;
  throw Error(Fault::Action, "the wake command " + quote(argv.front()) +
                                 (of_unit ? " for " + quote(action_.unit) : "") + " " +
                                 result.words() + (said.empty() ? "" : ": " + said));
}

std::string Waker::property(const std::string& name) {
  return std::string(
      trim(output_of({systemctl_, "show", "-p", name, "--value", "--", action_.unit})));
}

// At boot the sync runs before the services: who does not run yet needs no word.
void Waker::reload() {
  const std::string state = property("ActiveState");
  if (state != "active" && state != "reloading") {
    spdlog::info("{} is {}: not reloaded", quote(action_.unit), quote(state));
    return;
  }
  run({systemctl_, "reload", "--", action_.unit});
}

void Waker::send_signal() {
  const auto pid = action_.unit.empty() ? process_in_file() : main_process();
  const std::string& whom = action_.unit.empty() ? action_.pid_file : action_.unit;
  if (!pid) {
    spdlog::info("{} does not run: no signal is sent", quote(whom));
    return;
  }
  if (::kill(*pid, action_.signal) == 0 || (errno == ESRCH && action_.unit.empty())) return;
  throw_errno(Fault::Action, "kill", whom + " (process " + std::to_string(*pid) + ")");
}

std::optional<int> Waker::main_process() { return process_number(property("MainPID")); }

std::optional<int> Waker::process_in_file() {
  constexpr std::size_t kLimit = 64;
  const auto text = read_file_if_exists(action_.pid_file, kLimit);
  if (!text) return std::nullopt;
  return process_number(trim(*text));
}

std::optional<int> Waker::process_number(std::string_view text) const {
  constexpr unsigned long long kLargest = 1ULL << 22;  // of Linux
  const auto number = parse_number(text);
  if (number == 0ULL) return std::nullopt;  // systemd's word for none
  if (number && *number > 1 && *number <= kLargest) return static_cast<int>(*number);
  throw Error(Fault::Action, "'" + excerpt(text, 40) +
                                 "' is no number of a process to signal, from " +
                                 quote(action_.unit.empty() ? action_.pid_file : action_.unit));
}

}  // namespace xs
