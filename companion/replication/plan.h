// SPDX-License-Identifier: MIT
// WorkPlan: a verb as a list of steps, each of which knows what it would do, whether that is done
// already, how to do it and, for some, how to take it back. Made by the verbs that change a
// cluster; printed for --dry-run, or carried out.
//
// Steps are idempotent, so running the verb again after whatever stopped it goes on where it
// stopped. At the first failure the steps of this run that can be taken back are, the last one
// first, and an Error of the same class says which step failed, what has been done, what has not
// and how to go on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xs {

struct WorkStep {
  std::string what;                      // one line: "make the slot 'ss2'"
  std::function<std::string()> detail;   // the exact command or the diff of a file, lines
  std::function<bool()> done;            // changes nothing; without one: never
  std::function<void()> act;             // throws Error
  std::function<void()> undo;            // when this or a later step of the run fails
  bool always_undo = false;              // also when it was done already
  std::function<std::string()> not_yet;  // a reason to leave it for a later run; "": none
};

class WorkPlan {
 public:
  using Say = std::function<void(std::string_view)>;  // text with its line ends

  // `again`: the command that goes on after a failure.
  explicit WorkPlan(std::string again) : again_(std::move(again)) {}
  void add(WorkStep step) { steps_.push_back(std::move(step)); }
  // A line that is printed behind everything else.
  void note(std::string line) {
    note([line = std::move(line)] { return line; });
  }
  // One that is known only then; "": none.
  void note(std::function<std::string()> line) { notes_.push_back(std::move(line)); }
  // What run() holds from its begin to its end, such as a lock; not asked for to describe().
  void hold(std::function<std::shared_ptr<void>()> take) { take_ = std::move(take); }

  // Prints every step with its detail, and whether it is done already. Changes nothing.
  void describe(const Say& say) const;
  // Carries them out; true when a step changed something. Each is named before it is begun.
  bool run(const Say& say) const;

  std::size_t size() const { return steps_.size(); }

 private:
  bool run_step(std::size_t i, const Say& say) const;
  // Takes back steps [0, end) that this run has done; what it says of them.
  std::string take_back(const std::vector<bool>& changed, const Say& say) const;
  std::string label(std::size_t i) const;
  void say_notes(const Say& say) const;

  std::string again_;
  std::function<std::shared_ptr<void>()> take_;
  std::vector<WorkStep> steps_;
  std::vector<std::function<std::string()>> notes_;
};

}  // namespace xs
