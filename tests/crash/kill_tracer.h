// SPDX-License-Identifier: MIT
// kill_tracer: runs programs one at a time, and kills one at its n-th system call by ptrace. For
// kill_sweep and, without the killing, fault_sweep; it shares no code with what it kills. What
// cannot be started or traced is an Error (Io).
#pragma once

#include <sys/types.h>
#include <sys/wait.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace xs::test {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
constexpr const char* kLiveName = "live-destination";  // the last component of what is written to

struct Ended {
  int status = 0;  // as wait(2) has it
  std::string out;
  std::string err;
  std::uint64_t calls = 0;  // of a traced program, from the first that opens the destination
  bool killed = false;      // by us

  bool well() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
};

// Keeps the output of the program in two files of `home`.
class Runner {
 public:
  explicit Runner(std::filesystem::path home);

  Ended run(const std::vector<std::string>& argv);
  // Killed at the entry of call `kill_at`, counted from 1; kNever lets it live.
  Ended trace(const std::vector<std::string>& argv, std::uint64_t kill_at);

 protected:
  // `in_child` runs between fork and exec.
  pid_t start(const std::vector<std::string>& argv, const std::function<void()>& in_child);
  // Of a program that has ended; waits for all that it started.
  Ended collect(Ended ended) const;

 private:
  std::filesystem::path home_;
};

// A place of our own, in memory where there is one: what a harness does to a program's calls does
// not depend on the disk below. Gone with its object.
class Home {
 public:
  explicit Home(const std::string& name);
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace xs::test
