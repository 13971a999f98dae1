// SPDX-License-Identifier: MIT
// HeldRun: a real run of a secondary that is at work: it has its lock, has found no pause, and
// waits for its primary, which it reaches when let_go() says so. What it prints goes to a file.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/fd.h"
#include "tests/support/nodes.h"
#include "tests/support/sshd.h"

namespace xs::test {

class HeldRun {
 public:
  explicit HeldRun(const Secondary& second, const std::vector<std::string>& more = {})
      : output_(second.file("held.out")),
        door_(make_door(second.file("held.door"))),
        child_(line(second, more), output_) {
    const bool held = eventually(std::chrono::seconds(20), [&] {
      return second.run({"status", "--json"}).out.find("\"running\": {") != std::string::npos;
    });
    if (!held) throw std::runtime_error("the run does not begin");
  }
  pid_t pid() const { return child_.pid(); }
  void let_go() const {
    if (::write(door_.get(), "go\n", 3) != 3) throw std::runtime_error("the run cannot be let go");
  }
  // Its exit code; -1: it did not end by itself.
  int wait() {
    if (!child_.ended_within(std::chrono::seconds(30)) || !WIFEXITED(child_.status())) return -1;
    return WEXITSTATUS(child_.status());
  }
  const std::string& output() const { return output_; }

 private:
  static Fd make_door(const std::string& name) {
    if (::mkfifo(name.c_str(), 0600) != 0 && errno != EEXIST) throw std::runtime_error("mkfifo");
    Fd door(::open(name.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!door) throw std::runtime_error("the door cannot be opened");
    return door;
  }
  static std::vector<std::string> line(const Secondary& second,
                                       const std::vector<std::string>& more) {
    const std::string shell = second.dir.write(
        "held-ssh", "#!/bin/sh\nread go < '" + second.file("held.door") + "'\nexec ssh \"$@\"\n",
        0755);
    std::vector<std::string> words{"-e", shell + second.shell().substr(3), "--contimeout=60"};
    words.insert(words.end(), more.begin(), more.end());
    return second.command(words);
  }

  std::string output_;
  Fd door_;
  Child child_;
};

}  // namespace xs::test
