// SPDX-License-Identifier: MIT
#include "companion/db.h"

#include <libpq-fe.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "companion/tcp.h"

namespace xs {
namespace {

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, FreeResult>;

// libpq's words are lines of their own, with advice on more lines.
std::string one_line(const char* words) {
  std::string line;
  for (const char c : trim(words == nullptr ? "" : words)) line += c == '\n' || c == '\t' ? ' ' : c;
  return excerpt(line, 400);
}

std::string server_words(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr || text == nullptr) return one_line(PQresultErrorMessage(result));
  return std::string(state) + ": " + one_line(text);
}

void add_rows(const PGresult* result, std::vector<DbRow>& rows) {
  const int columns = PQnfields(result);
  for (int i = 0; i < PQntuples(result); ++i) {
    if (rows.size() == Db::kRowLimit) throw Error(Fault::Mismatch, "the answer has too many rows");
    DbRow row;
    for (int j = 0; j < columns; ++j) {
      if (PQgetisnull(result, i, j) != 0) {
        row.emplace_back();
      } else {
        row.emplace_back(std::string(PQgetvalue(result, i, j),
                                     static_cast<std::size_t>(PQgetlength(result, i, j))));
      }
    }
    rows.push_back(std::move(row));
  }
}

std::string host_text(const DbHost& host) { return host.host + ":" + std::to_string(host.port); }

}  // namespace

void Db::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

Db::Db(const DbTarget& target, Clock& clock, Instant deadline, std::chrono::milliseconds longest)
    : clock_(clock),
      longest_(longest),
      replication_(std::any_of(target.options.begin(), target.options.end(),
                               [](const auto& option) { return option.first == "replication"; })) {
  bool in = false;
  switch (target.role) {
    case DbRole::Any: in = try_hosts(target, nullptr, deadline); break;
    case DbRole::Primary: in = try_hosts(target, "f", deadline); break;
    case DbRole::Secondary: in = try_hosts(target, "t", deadline); break;
    case DbRole::PreferPrimary:
    case DbRole::PreferSecondary: {
      const bool primary = target.role == DbRole::PreferPrimary;
      in = try_hosts(target, primary ? "f" : "t", share_of(clock.now(), deadline, 2)) ||
           try_hosts(target, nullptr, deadline);
    }
  }
  if (!in) {
    throw Error(late_ ? Fault::ConnectTimeout : Fault::Network,
                "no connection to the database " + target.text() + ": " + reasons_);
  }
}

Db::~Db() = default;

// `recovery`: what pg_is_in_recovery() has to say there; nullptr: whatever.
bool Db::try_hosts(const DbTarget& target, const char* recovery, Instant deadline) {
  for (std::size_t i = 0; i < target.hosts.size(); ++i) {
    const DbHost& host = target.hosts[i];
    const Instant until = share_of(clock_.now(), deadline, target.hosts.size() - i);
    std::string reason;
    try {
      connect(target, host, until);
      host_ = host_text(host);
      if (recovery == nullptr) return true;
      const auto rows = ask("select pg_is_in_recovery()", {}, until);
      if (!rows.empty() && rows[0][0] == recovery) return true;
      reason = recovery[0] == 't' ? "it is a primary" : "it is a standby";
    } catch (const Error& error) {
      late_ |= error.fault() == Fault::ConnectTimeout || error.fault() == Fault::Timeout;
      reason = error.text();
    }
    connection_.reset();
    reasons_ += (reasons_.empty() ? "" : "; ") + escape(host_text(host)) + ": " + reason;
  }
  return false;
}

void Db::connect(const DbTarget& target, const DbHost& host, Instant deadline) {
  if (!host.address.empty()) return shake_hands(target, host.address, host, deadline);
  if (host.host.starts_with('/')) return shake_hands(target, "", host, deadline);
  const std::vector<std::string> addresses = look_up(host.host, clock_, deadline);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const bool last = i + 1 == addresses.size();
    try {
      return shake_hands(target, addresses[i], host,
                         share_of(clock_.now(), deadline, addresses.size() - i));
    } catch (const Error&) {
      if (last) throw;
    }
  }
}

void Db::shake_hands(const DbTarget& target, const std::string& address, const DbHost& host,
                     Instant deadline) {
  const std::string port = std::to_string(host.port);
  // Kerberos would look for tickets and servers of its own; nothing is asked of a terminal.
  std::vector<std::pair<std::string, std::string>> words{
      {"host", host.host},           {"port", port},
      {"dbname", target.database},   {"user", target.user},
      {"password", target.password}, {"gssencmode", "disable"},
      {"client_encoding", "UTF8"},   {"application_name", "xroad-companion"}};
  if (!address.empty()) words.emplace_back("hostaddr", address);
  words.insert(words.end(), target.options.begin(), target.options.end());
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : words) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  if (!connection_) throw Error(Fault::Memory, "no memory for a connection to the database");
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(connection_.get()) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) break;
    wait(next == PGRES_POLLING_WRITING, deadline, "it did not let us in");
    next = PQconnectPoll(connection_.get());
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK || next != PGRES_POLLING_OK) {
    throw Error(Fault::Network, one_line(PQerrorMessage(connection_.get())));
  }
  set_up(target, deadline);
}

void Db::set_up(const DbTarget& target, Instant deadline) {
  // A notice on our stderr would be a line nobody expects.
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(connection_.get(), 1) != 0) {
    throw Error(Fault::Network, one_line(PQerrorMessage(connection_.get())));
  }
  if (replication_) return;  // it knows no SQL
  // Asked for, not given at the start of the session: a pooler refuses start-up options.
  ask("select set_config('statement_timeout', $1, false), "
      "set_config('search_path', coalesce(nullif($2, ''), current_setting('search_path')), false)",
      {std::to_string(longest_.count()), target.search_path}, deadline);
}

void Db::wait(bool to_write, Instant deadline, const char* what) {
  pollfd one{PQsocket(connection_.get()), static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN),
             0};
  if (clock_.poll({&one, 1}, deadline) > 0) return;
  throw Error(Fault::Timeout, std::string(what) + " in time");
}

void Db::send_all(Instant deadline) {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) return;
    if (left < 0) throw Error(Fault::Stream, one_line(PQerrorMessage(connection_.get())));
    wait(true, deadline, "the database took no question");
    if (PQconsumeInput(connection_.get()) == 0) {
      throw Error(Fault::Stream, one_line(PQerrorMessage(connection_.get())));
    }
  }
}

std::vector<DbRow> Db::ask(const std::string& sql, const std::vector<std::string>& parameters,
                           Instant deadline) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const int sent = replication_ ? PQsendQuery(connection_.get(), sql.c_str())
                                : PQsendQueryParams(connection_.get(), sql.c_str(),
                                                    static_cast<int>(values.size()), nullptr,
                                                    values.data(), nullptr, nullptr, 0);
  if (sent == 0) {
    throw Error(Fault::Stream, one_line(PQerrorMessage(connection_.get())));
  }
  send_all(deadline);
  std::vector<DbRow> rows;
  std::string trouble;
  for (;;) {
    while (PQisBusy(connection_.get()) != 0) {
      wait(false, deadline, "the database did not answer");
      if (PQconsumeInput(connection_.get()) == 0) {
        throw Error(Fault::Stream, one_line(PQerrorMessage(connection_.get())));
      }
    }
    const Result result(PQgetResult(connection_.get()));
    if (!result) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_TUPLES_OK) {
      add_rows(result.get(), rows);
    } else if (status != PGRES_COMMAND_OK && trouble.empty()) {
      trouble = server_words(result.get());
    }
  }
  if (trouble.empty()) return rows;
  const bool broken = PQstatus(connection_.get()) != CONNECTION_OK;
  throw Error(broken ? Fault::Stream : Fault::Mismatch, trouble);
}

int Db::server_version() const { return PQserverVersion(connection_.get()); }

}  // namespace xs
