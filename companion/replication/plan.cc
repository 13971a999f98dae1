// SPDX-License-Identifier: MIT
#include "companion/replication/plan.h"

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += "      " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return out;
}

}  // namespace

std::string WorkPlan::label(std::size_t i) const {
  return "[" + std::to_string(i + 1) + "/" + std::to_string(steps_.size()) + "] " + steps_[i].what;
}

void WorkPlan::say_notes(const Say& say) const {
  for (const auto& note : notes_) {
    const std::string line = note();
    if (!line.empty()) say(line + "\n");
  }
}

void WorkPlan::describe(const Say& say) const {
  std::size_t left = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const WorkStep& step = steps_[i];
    const bool done = step.done && step.done();
    const std::string later = !done && step.not_yet ? step.not_yet() : "";
    say(label(i) + (done ? ": done already" : later.empty() ? "" : ": later: " + later) + "\n");
    if (done) continue;
    ++left;
    if (step.detail) say(indented(step.detail()));
  }
  say_notes(say);
  say(left == 0 ? "Nothing would be changed.\n"
                : "Nothing has been changed: this was a dry run.\n");
}

bool WorkPlan::run_step(std::size_t i, const Say& say) const {
  const WorkStep& step = steps_[i];
  say(label(i) + ": ");
  if (step.done && step.done()) {
    say("done already\n");
    return false;
  }
  if (const std::string later = step.not_yet ? step.not_yet() : ""; !later.empty()) {
    say("later: " + later + "\n");
    return false;
  }
  step.act();
  say("done\n");
  return true;
}

std::string WorkPlan::take_back(const std::vector<bool>& changed, const Say& say) const {
  std::string said;
  for (std::size_t i = changed.size(); i-- > 0;) {
    if (!steps_[i].undo || (!changed[i] && !steps_[i].always_undo)) continue;
    try {
      steps_[i].undo();
      say("taken back: " + steps_[i].what + "\n");
      said += (said.empty() ? "; taken back: step " : ", ") + std::to_string(i + 1);
    } catch (const Error& error) {
      // The steps below it may depend on it: what is left is for a person.
      return said + "; step " + std::to_string(i + 1) + " (" + steps_[i].what +
             ") could not be taken back: " + error.text();
    }
  }
  return said;
}

bool WorkPlan::run(const Say& say) const {
  const std::shared_ptr<void> held = take_ ? take_() : nullptr;
  std::vector<bool> changed;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    changed.push_back(true);  // a step that fails may have done half of its work
    try {
      changed.back() = run_step(i, say);
    } catch (const Error& error) {
      say("failed\n");
      const std::string back = take_back(changed, say);
      throw Error(error.fault(),
                  "step " + std::to_string(i + 1) + " of " + std::to_string(steps_.size()) + " (" +
                      steps_[i].what + ") failed: " + error.text() + back +
                      (i + 1 < steps_.size() ? "; not begun: the steps after it" : "") +
                      "; when the reason is gone, go on with: " + again_,
                  error.code());
    }
  }
  say_notes(say);
  for (const bool one : changed) {
    if (one) return true;
  }
  return false;
}

}  // namespace xs
