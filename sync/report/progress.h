// SPDX-License-Identifier: MIT
// ProgressLine: rsync's line of --progress and --info=progress2, one for the whole run, redrawn in
// place. Given to PullRequest::progress by the command line when stderr is a terminal or the
// operator asked for it. Draws at most ten times a second; never fails: a terminal that goes away
// costs the line, not the run.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "sync/receiver.h"
#include "sync/report/numbers.h"

namespace xs {

class ProgressLine {
 public:
  ProgressLine(Clock& clock, std::function<void(std::string_view)> write,
               Human human = Human::Grouped);

  void update(const Progress& progress);
  // The last state and a newline; nothing when there was never anything to show.
  void finish();

 private:
  std::string line(Instant now, bool last) const;

  Clock& clock_;
  std::function<void(std::string_view)> write_;
  Human human_;
  Instant start_;
  Instant drawn_{};
  Progress last_;
  bool shown_ = false;
};

// Whether a progress line belongs there: asked for, or a terminal that can redraw (TERM is not
// dumb) and nobody said quiet.
bool wants_progress(int fd, bool asked, bool quiet);

}  // namespace xs
