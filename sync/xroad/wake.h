// SPDX-License-Identifier: MIT
// Wake: how whoever uses the tree learns that it is new. What is owed is decided from the plan
// alone, goes into the journal as a short string, and is done inside the commit, after the tree is
// durable and before the journal ends; recovery after a crash does it from the string: at least
// once, whatever crashes.
//
// An action that fails is reported (Action, 44) and not repeated, and the journal ends: a command
// that fails for ever must not keep keys from this node for ever, and the signer looks by itself
// every 60 seconds. So a Waker never throws out of a commit.
//
// The string says what is owed, never how: commands, units and signals are taken from the
// configuration of the run that does it. Whoever can write the journal (the owner of the tree) can
// thus not choose what a run as root executes.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sync/journal.h"
#include "sync/plan.h"

namespace xs {

struct WakeAction {
  enum class Kind {
    None,
    Signer,   // one event on `index` when it was not replaced itself
    Command,  // argv
    Signal,   // `signal` to the main process of `unit`, or to the process in `pid_file`
    Reload,   // systemctl reload `unit`
  };
  Kind kind = Kind::None;
  std::string index = "signer/keyconf.xml";  // Signer; what is below its directory counts
  std::vector<std::string> argv;
  std::string unit;
  std::string pid_file;
  int signal = 0;
  Duration limit = std::chrono::seconds(30);
  bool operator==(const WakeAction&) const = default;
};

// What is owed after these changes; empty: nothing. A difference in times alone wakes nobody.
std::string wake_for(const WakeAction& action, const Plan& plan);
// The same for a rollback, which knows only its steps.
std::string wake_for(const WakeAction& action, const std::vector<Step>& steps);

// PullRequest::on_wake: call it through std::ref or a lambda, and ask for its failures afterwards.
class Waker {
 public:
  // `root`: the destination. `systemctl`: where it is.
  Waker(WakeAction action, std::string root, Clock& clock,
        std::string systemctl = "/usr/bin/systemctl");
  void operator()(std::string_view owed) noexcept;
  // What went wrong, a sentence each: Action (44), the sync stays committed.
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  void pay(std::string_view owed);
  void act();
  void touch(const std::string& path);
  void run(const std::vector<std::string>& argv);
  void reload();
  void send_signal();
  std::optional<int> main_process();
  std::optional<int> process_in_file();
  std::optional<int> process_number(std::string_view text) const;
  std::string property(const std::string& name);
  std::string output_of(const std::vector<std::string>& argv);

  WakeAction action_;
  std::string root_;
  Clock& clock_;
  std::string systemctl_;
  std::vector<std::string> failures_;
};

}  // namespace xs
