// SPDX-License-Identifier: MIT
// Child: runs one local program to its end, within a limit of time and output. Called for hooks,
// wake commands and the tools of PostgreSQL. No shell; stdin is /dev/null; stdout and stderr come
// back together; no descriptor of ours is inherited; a process group of its own, which at the
// deadline gets SIGTERM, after `grace` SIGKILL. Output of children that outlive the program is not
// waited for.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace xs {

// Whom a program runs as. Only root can be somebody else; to be oneself is no change.
struct ChildUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool operator==(const ChildUser&) const = default;
};

struct ChildRequest {
  std::vector<std::string> argv;         // argv[0] is a path with a slash; no PATH is searched
  std::vector<std::string> environment;  // NAME=value: all that the program gets
  Duration limit = std::chrono::seconds(30);
  Duration grace = std::chrono::seconds(2);
  std::size_t output_limit = 16'384;  // more is read and thrown away
  std::optional<ChildUser> user;      // also moves to "/", which everybody may look at
  bool ends_with_us = false;          // SIGTERM when the calling thread ends, even by SIGKILL
};

struct ChildResult {
  int status = 0;  // of waitpid()
  bool timed_out = false;
  bool cut = false;    // there was more output
  std::string output;  // as it came: escape() it
  bool ok() const;
  // "ended with status 3", "was killed by signal 9", "took longer than 30 s and was killed".
  std::string words() const;

  Duration limit{};  // that it was given
};

// PATH and a locale, and nothing of ours.
std::vector<std::string> plain_environment();

// A program that cannot be started is an Error of class Action.
ChildResult run_child(const ChildRequest& request, Clock& clock);

}  // namespace xs
