// SPDX-License-Identifier: MIT
// Postgres: a real PostgreSQL server for one test, in a temporary directory, on a free port of the
// loopback and on a socket in its directory. It runs as the user postgres, or nobody, where the
// test is root, because initdb refuses root. The distribution's own cluster is never touched. A
// standby of it is one call away. Failures to set up are exceptions.
//   if (without_postgres()) return;
//   Postgres primary;
//   primary.sql("create role monitor login password 'secret'");
//   const auto standby = primary.make_standby();
//   primary.freeze();  // every process of it stopped, as a hung disk does
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/sshd.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

// True, with a warning that says why, where PostgreSQL's server is not installed.
bool without_postgres();

// For fixtures that keep a cluster of their own. Where the newest installed version has its
// programs, "" where there is none; the account that servers run as; a program of that version, by
// its name, to its successful end as that account; a path handed to that account.
std::string postgres_programs();
std::string postgres_account();
std::string run_postgres_tool(const std::vector<std::string>& argv);
void give_to_postgres(const std::string& path);

struct PostgresOptions {
  std::vector<std::string> settings;  // lines of postgresql.conf, after ours
  std::vector<std::string> hba;       // lines of pg_hba.conf, before ours
  // PEM, for ssl=on. The CA is for clients' certificates.
  std::string certificate, key, ca;
};

class Postgres {
 public:
  // Started, and taking connections. Over TCP a password is asked for (scram-sha-256), on the
  // socket everybody is who he says. wal_level is replica and ten senders are allowed.
  explicit Postgres(const PostgresOptions& options = {});
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  // A copy by pg_basebackup that follows this server through a slot of its own. Other options than
  // settings are the primary's.
  std::unique_ptr<Postgres> make_standby(const std::vector<std::string>& settings = {});

  std::uint16_t port() const { return port_; }
  std::string sockets() const { return dir_.path(); }  // for a libpq `host`
  std::string data() const { return dir_ / "data"; }
  const TempDir& dir() const { return dir_; }
  pid_t pid() const { return daemon_->pid(); }
  std::string log() const;

  // As the superuser `postgres`; the server's words in the exception when it refuses.
  void sql(const std::string& statement, const std::string& database = "postgres") const;
  // The first column of the first row.
  std::string value(const std::string& query, const std::string& database = "postgres") const;
  // Asks until it gets this answer; false when the time is over.
  bool says(const std::string& query, const std::string& answer,
            std::chrono::milliseconds within = std::chrono::seconds(60)) const;

  enum class Stop { Fast, Immediate };
  void stop(Stop how = Stop::Fast);
  void start();  // again, on the same port
  bool running() const { return daemon_ != nullptr; }
  void freeze();  // SIGSTOP to all its processes
  void thaw();

  // A program of the same PostgreSQL by its name ("pg_ctl"), run as the server's user.
  std::string tool(const std::vector<std::string>& argv) const;
  // A file in the server's directory, readable by the server alone.
  std::string write(const std::string& name, const std::string& bytes) const;

 private:
  struct Copy {};
  Postgres(Copy, const Postgres& primary, const std::vector<std::string>& settings);
  void own(const std::string& path) const;
  void configure(const PostgresOptions& options);

  TempDir dir_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Child> daemon_;
  std::vector<pid_t> frozen_;
  int standbys_ = 0;
};

}  // namespace xs::test
