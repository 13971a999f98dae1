// SPDX-License-Identifier: MIT
// Machine: a computer of its own for one node of a cluster, made of Linux's namespaces: a name,
// an address, a root directory, processes, and on it our programs, PostgreSQL as Debian sets it up,
// an sshd and systemctl (machine.sh). So a command is run to the letter, with the paths that it has
// in production, and nothing of the real machine is read but its programs, or changed. Lan is the
// switch between them. Both need root; all of it is gone when the test is, however that ends.
// Failures to set up are exceptions.
//   if (const auto why = Lan::missing()) { WARN(*why); return; }
//   Lan lan;
//   Machine ss1(lan, {.name = "ss1"}), ss2(lan, {.name = "ss2"});
//   ss1.type({"xroad-companion", "status"});
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/nodes.h"
#include "tests/support/sshd.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

class Lan {
 public:
  // A sentence for a skipped test, where such machines cannot be made.
  static std::optional<std::string> missing();

  Lan();
  const TempDir& dir() const { return dir_; }
  pid_t pid() const { return keeper_->pid(); }
  // `ip WORDS` at the switch.
  void ip(const std::vector<std::string>& words) const;

 private:
  TempDir dir_;
  std::unique_ptr<Child> keeper_;
};

struct MachineOrder {
  std::string name;  // its last character is the last number of its address
  std::string cluster = "serverconf";
  std::uint16_t port = 5433;
};

class Machine {
 public:
  // Returns at once; ready() waits until the machine is up. Its database does not run yet.
  Machine(Lan& lan, const MachineOrder& order);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  void ready();

  const std::string& name() const { return order_.name; }
  std::string port() const { return std::to_string(order_.port); }  // of its database
  // Where a file of it is seen from outside.
  std::string outside(const std::string& path) const;

  // As root types it there. Throws when it does not end within half a minute.
  Ran type(const std::vector<std::string>& words) const;
  // The same on a terminal, on which every question is answered with yes. Both outputs in one.
  Ran type_and_agree(const std::vector<std::string>& words) const;
  // What the test itself does there, by a shell. Throws unless it succeeds; what it printed.
  std::string sh(const std::string& script) const;

  void start_database() const;
  // An empty cluster in the place of one that is lost; its data is removed. It does not run yet.
  void new_database() const;
  // As the superuser; the first row's first column.
  std::string sql(const std::string& statement, const std::string& database = "serverconf") const;
  // Asks until it gets this answer, at most 20 s.
  bool says(const std::string& query, const std::string& answer,
            const std::string& database = "serverconf") const;

  // To every process of PostgreSQL there, parents first.
  void signal_database(int number) const;
  bool database_runs() const;
  void cut();   // the cable
  void plug();  // again
  void off();   // the power

 private:
  std::vector<std::string> inside(const std::vector<std::string>& words) const;
  std::vector<pid_t> servers() const;

  Lan& lan_;
  MachineOrder order_;
  std::unique_ptr<Child> shell_;  // unshare(1), whose death is that of all
  pid_t pid_ = -1;                // the first process of the machine
};

}  // namespace xs::test
