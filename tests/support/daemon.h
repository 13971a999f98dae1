// SPDX-License-Identifier: MIT
// Daemon: one of our programs that runs until the test ends it. Its standard error goes to a file.
// Destroyed while it runs, it is killed. Failures throw std::runtime_error.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/io.h"

namespace xs::test {

class Daemon {
 public:
  Daemon(std::vector<std::string> argv, std::string log) : log_(std::move(log)) {
    const Fd err = open_file(log_, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    std::vector<char*> raw;
    for (std::string& word : argv) raw.push_back(word.data());
    raw.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork: " + errno_text(errno));
    if (pid_ > 0) return;
    ::dup2(err.get(), 2);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  ~Daemon() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  pid_t pid() const { return pid_; }
  std::string log() const { return read_file(log_, 1U << 20); }
  void signal(int number) { ::kill(pid_, number); }
  // Its exit code, within 20 s; -1: a signal ended it.
  int wait() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() >= end) throw std::runtime_error("it does not end");
      ::usleep(1000);
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  std::string log_;
  pid_t pid_ = 0;
};

}  // namespace xs::test
