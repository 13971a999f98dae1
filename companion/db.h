// SPDX-License-Identifier: MIT
// Db: one connection to PostgreSQL for a few short questions, each with a deadline. Nothing here
// blocks longer: names are looked up beside libpq, connecting and asking are its asynchronous
// calls. Hosts are tried in order, each with its share of the time. A question that is given up is
// given up by the server too (statement_timeout), because a cancel request of libpq would itself
// block on a server that is stopped. Messages are one line, escaped, and hold no password.
// With the option replication=true it is a replication connection: commands of that protocol only,
// without parameters.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/jdbc.h"

struct pg_conn;

namespace xs {

using DbRow = std::vector<std::optional<std::string>>;  // nothing: NULL

class Db {
 public:
  // `longest`: what the server may spend on one question, whether we still wait or not. Throws
  // Network when no host lets us in, ConnectTimeout when one was silent.
  Db(const DbTarget& target, Clock& clock, Instant deadline,
     std::chrono::milliseconds longest = std::chrono::seconds(10));
  ~Db();
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  // At most kRowLimit rows. Throws Mismatch with the server's words (its SQLSTATE first), Stream
  // when the connection broke, Timeout at the deadline.
  std::vector<DbRow> ask(const std::string& sql, const std::vector<std::string>& parameters,
                         Instant deadline);

  int server_version() const;                        // 150018
  const std::string& host() const { return host_; }  // "host:port", the one that let us in

  static constexpr std::size_t kRowLimit = 10'000;

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  using Connection = std::unique_ptr<pg_conn, Finish>;

  bool try_hosts(const DbTarget& target, const char* recovery, Instant deadline);
  void connect(const DbTarget& target, const DbHost& host, Instant deadline);
  void shake_hands(const DbTarget& target, const std::string& address, const DbHost& host,
                   Instant deadline);
  void set_up(const DbTarget& target, Instant deadline);
  void wait(bool to_write, Instant deadline, const char* what);
  void send_all(Instant deadline);

  Clock& clock_;
  std::chrono::milliseconds longest_;
  Connection connection_;
  bool replication_ = false;
  std::string host_;
  std::string reasons_;  // of the hosts that did not let us in
  bool late_ = false;
};

}  // namespace xs
