// SPDX-License-Identifier: MIT
// Sshd: a real sshd for one test. Everything it needs is made in a temporary directory: its
// configuration, its host keys, the clients' keys, known_hosts. It listens on a free port of the
// loopback, lets the user in that the test runs as, and is gone, with all that it started, when the
// fixture is. Needs /usr/sbin/sshd and ssh-keygen. Failures to set up are exceptions.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/ssh_login.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

// A program in a process group of its own, which dies with us at the latest.
class Child {
 public:
  // Its output goes to the file, or nowhere.
  Child(const std::vector<std::string>& argv, const std::string& output);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  // Waits for its end; false when the time is over first.
  bool ended_within(std::chrono::milliseconds time);
  int status() const { return status_; }  // as waitpid() gives it

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  bool reaped_ = false;
};

// Every process below this one, children first.
std::vector<pid_t> descendants(pid_t root);

// Asks again every 5 ms, for what cannot be waited for with a deadline: sshd, a child's end, what
// another program does to a file. False when the time is over first.
bool eventually(std::chrono::milliseconds time, const std::function<bool()>& condition);

// Runs a program to its successful end and returns what it printed.
std::string run(const std::vector<std::string>& argv);

struct KeyKind {
  std::string type = "ed25519";  // for ssh-keygen -t
  unsigned bits = 0;             // 0: its default
  std::string passphrase;
};

// Makes name and name.pub; the path of the private half.
std::string make_key(const TempDir& dir, const std::string& name, const KeyKind& kind = {});

struct SshdOptions {
  std::vector<std::string> host_keys{"ed25519"};  // types
  std::vector<std::string> lines;                 // of sshd_config, before ours
};

class Sshd {
 public:
  explicit Sshd(const SshdOptions& options = {});
  ~Sshd();
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;

  const TempDir& dir() const { return dir_; }
  std::uint16_t port() const { return port_; }
  pid_t pid() const { return daemon_->pid(); }
  std::string log() const;

  // A key of a client, let in; its path. `options` stand in front of it in authorized_keys.
  std::string let_in(const KeyKind& kind = {}, const std::string& options = "");
  // The type and base64 of a host key.
  std::string host_key(const std::string& type = "ed25519") const;
  // A login that works: known host, a key that is let in, no agent.
  SshTarget target(const std::string& command, const KeyKind& kind = {});
  // The same behind another port, with a known_hosts file of its own.
  SshTarget behind(std::uint16_t port, const std::string& command);
  // OpenSSH's client for the same login.
  std::vector<std::string> ssh(const SshTarget& target) const;

 private:
  void start(const SshdOptions& options);
  bool answers() const;

  TempDir dir_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Child> daemon_;
  std::size_t keys_ = 0;
};

// An ssh-agent that SSH_AUTH_SOCK names while the fixture lives.
class Agent {
 public:
  Agent();
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  void add(const std::string& key) const;

 private:
  TempDir dir_;
  std::unique_ptr<Child> daemon_;
};

}  // namespace xs::test
