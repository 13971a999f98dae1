// SPDX-License-Identifier: MIT
#include "companion/replication/connection.h"

#include <libpq-fe.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "companion/jdbc.h"
#include "companion/replication/as_owner.h"

namespace xs {
namespace {

void set_option(DbTarget& target, const std::string& name, const std::string& value) {
  const auto found = std::find_if(target.options.begin(), target.options.end(),
                                  [&](const auto& option) { return option.first == name; });
  if (found != target.options.end()) {
    found->second = value;
  } else {
    target.options.emplace_back(name, value);
  }
}

// A role or a database that is not there, in the server's words. libpq says of a file of ours that
// it "does not exist", which refuses nothing.
bool is_unknown_there(const std::string& text) {
  static constexpr const char* kWords[] = {"FATAL:  role \"", "FATAL:  database \""};
  return std::any_of(std::begin(kWords), std::end(kWords), [&](const char* words) {
    const std::size_t at = text.find(words);
    return at != std::string::npos && text.find("\" does not exist", at) != std::string::npos;
  });
}

// libpq tells the reason of a refused login in words only.
bool is_refusal(const std::string& text) {
  static constexpr const char* kWords[] = {"authentication failed",
                                           "no password supplied",
                                           "no pg_hba.conf entry",
                                           "pg_hba.conf rejects",
                                           "is not permitted to log in",
                                           "must be superuser or replication role",
                                           "permission denied to start WAL sender",
                                           "requires a valid client certificate",
                                           "certificate required"};
  return is_unknown_there(text) ||
         std::any_of(std::begin(kWords), std::end(kWords),
                     [&](const char* words) { return text.find(words) != std::string::npos; });
}

std::unique_ptr<Db> open(const DbTarget& target, Clock& clock, Instant deadline) {
  for (const auto& [name, value] : target.options) {
    if (name == "passfile") check_passfile(value);
  }
  // PostgreSQL's peer login asks for the account of the role's name.
  const bool socket = target.hosts.size() == 1 && target.hosts[0].host.starts_with('/');
  const auto account = socket ? find_user(target.user) : std::nullopt;
  try {
    const AsOwner rights(account.value_or(user_of_process()));
    return std::make_unique<Db>(target, clock, deadline);
  } catch (const Error& error) {
    if (!is_refusal(error.text())) throw;
    throw Error(Fault::Auth, error.text());
  }
}

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// What is ours to decide, or says nothing about reaching a server.
bool is_ours(const std::string& keyword) {
  static constexpr const char* kOurs[] = {
      "replication", "application_name", "fallback_application_name", "client_encoding",
      "options",     "connect_timeout",  "target_session_attrs",      "gssencmode"};
  return std::find(std::begin(kOurs), std::end(kOurs), keyword) != std::end(kOurs);
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t comma = 0; comma != std::string::npos; begin = comma + 1) {
    comma = list.find(',', begin);
    parts.push_back(list.substr(begin, comma == std::string::npos ? comma : comma - begin));
  }
  return parts;
}

std::uint16_t parse_port(const std::string& text, const std::string& where) {
  const auto number = parse_number(text);
  if (number && *number > 0 && *number <= 65535) return static_cast<std::uint16_t>(*number);
  throw Error(Fault::Usage, where + ": " + quote(text) + " is no port");
}

// As words say it, each a list.
struct Places {
  std::string hosts, addresses, ports;
};

void set_hosts(DbTarget& target, const Places& places, const std::string& where,
               std::uint16_t unnamed) {
  const std::uint16_t known = target.hosts.empty() ? unnamed : target.hosts[0].port;
  const auto parts = [](const std::string& list) {
    return list.empty() ? std::vector<std::string>{} : split(list);
  };
  const std::vector<std::string> ports = parts(places.ports);
  const std::vector<std::string> addresses = parts(places.addresses);
  // Without a host, the address is what a certificate is compared with.
  const std::vector<std::string> hosts = places.hosts.empty() ? addresses : split(places.hosts);
  std::vector<DbHost> all = hosts.empty() ? target.hosts : std::vector<DbHost>{};
  for (const std::string& host : hosts) all.push_back({host, known});
  if (!places.hosts.empty() && !addresses.empty()) {
    if (addresses.size() != hosts.size()) {
      throw Error(Fault::Usage, where + ": host and hostaddr are lists of different lengths");
    }
    for (std::size_t i = 0; i < all.size(); ++i) all[i].address = addresses[i];
  }
  for (std::size_t i = 0; i < all.size() && !ports.empty(); ++i) {
    all[i].port = parse_port(ports[std::min(i, ports.size() - 1)], where);
  }
  target.hosts = std::move(all);
}

// HOST[:PORT] or [ADDRESS]:PORT as the keywords of a conninfo.
DbTarget parse_address(const std::string& words, const std::string& where, DbTarget target) {
  std::string host = words;
  std::string port;
  const std::size_t colon = words.rfind(':');
  if (words.starts_with('[')) {
    const std::size_t end = words.find(']');
    if (end == std::string::npos) throw Error(Fault::Usage, where + ": there is no ']'");
    host = words.substr(1, end - 1);
    if (end + 1 < words.size()) port = words.substr(end + 2);
  } else if (colon != std::string::npos && words.find(':') == colon) {
    host = words.substr(0, colon);
    port = words.substr(colon + 1);
  }
  if (host.empty()) throw Error(Fault::Usage, where + ": there is no host");
  set_hosts(target, {host, "", port}, where, kServerconfPort);
  return target;
}

// `unnamed`: the port where neither the words nor `base` names one.
DbTarget parse_words(const std::string& words, const std::string& where, DbTarget base,
                     std::uint16_t unnamed) {
  char* trouble = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(
      PQconninfoParse(words.c_str(), &trouble));
  if (options == nullptr) {
    // libpq's words would repeat a piece of ours, and a password may be in it.
    PQfreemem(trouble);
    throw Error(Fault::Usage, where + ": this is no connection string of PostgreSQL");
  }
  Places places;
  const std::pair<std::string_view, std::string&> known[] = {
      {"host", places.hosts}, {"hostaddr", places.addresses}, {"port", places.ports},
      {"user", base.user},    {"dbname", base.database},      {"password", base.password}};
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string keyword = option->keyword;
    const auto* const found = std::find_if(std::begin(known), std::end(known),
                                           [&](const auto& one) { return one.first == keyword; });
    if (found != std::end(known)) {
      found->second = option->val;
    } else if (!is_ours(keyword)) {
      set_option(base, keyword, option->val);
    }
  }
  set_hosts(base, places, where, unnamed);
  return base;
}

bool is_address(const std::string& words) {
  const bool uri = words.starts_with("postgresql://") || words.starts_with("postgres://");
  return !uri && words.find('=') == std::string::npos;
}

std::string primary_conninfo(Db& local, Instant deadline) {
  if (local.server_version() >= 120'000) {
    const auto rows =
        local.ask("select setting from pg_settings where name = 'primary_conninfo'", {}, deadline);
    if (!rows.empty() && rows[0][0] && !rows[0][0]->empty()) return *rows[0][0];
  }
  if (local.server_version() < 90'600) return "";
  const auto rows = local.ask("select conninfo from pg_stat_wal_receiver", {}, deadline);
  return rows.empty() ? "" : rows[0][0].value_or("");
}

}  // namespace

bool holds_password(const DbTarget& target) {
  // Keywords whose value libpq hides, of this version and of newer ones.
  constexpr std::string_view kHidden[] = {"sslpassword", "oauth_client_secret", "scram_client_key",
                                          "scram_server_key"};
  for (const auto& [name, value] : target.options) {
    for (const std::string_view hidden : kHidden) {
      if (name == hidden && !value.empty()) return true;
    }
  }
  return !target.password.empty();
}

void check_passfile(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) throw_errno("read the passfile", path);
  if (!S_ISREG(about.st_mode)) {
    throw Error(Fault::Usage, "the passfile " + quote(path) + " is not a regular file");
  }
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw Error(Fault::Usage, "the passfile " + quote(path) +
                                  " can be read by others, so it is not used: chmod "
                                  "0600 it");
  }
}

DbTarget local_target(const ReplicationAccess& access) {
  DbTarget target;
  if (access.db_properties.empty()) {
    target.hosts = {{kSocketDirectory, kServerconfPort}};
    target.user = target.database = "postgres";
  } else {
    target = read_any_db_properties(access.db_properties);
  }
  const DbAccess& said = access.local;
  if (!said.host.empty()) target.hosts = {{said.host, target.hosts.at(0).port}};
  for (DbHost& host : target.hosts) {
    if (said.port != 0) host.port = said.port;
  }
  if (!said.user.empty()) target.user = said.user;
  if (!said.database.empty()) target.database = said.database;
  const std::pair<const char*, const std::string&> kOptions[] = {{"passfile", said.passfile},
                                                                 {"sslmode", said.sslmode},
                                                                 {"sslcert", said.sslcert},
                                                                 {"sslkey", said.sslkey},
                                                                 {"sslrootcert", said.sslrootcert}};
  for (const auto& [name, value] : kOptions) {
    if (!value.empty()) set_option(target, name, value);
  }
  return target;
}

std::unique_ptr<Db> open_local(const ReplicationAccess& access, Clock& clock, Instant deadline) {
  try {
    return open(local_target(access), clock, deadline);
  } catch (const Error& error) {
    if (error.text().find("Hot standby mode is disabled") != std::string::npos) {
      throw Error(Fault::Io,
                  "this node's database is a warm standby (hot_standby is off), which answers no "
                  "questions: look at its line in `replication status` of its primary. It answers "
                  "when it has been promoted, or after a restart with hot_standby = on");
    }
    const bool unreached =
        error.fault() == Fault::Network || error.fault() == Fault::ConnectTimeout;
    throw Error(unreached ? Fault::Io : error.fault(), "this node's database: " + error.text());
  }
}

DbTarget parse_conninfo(const std::string& words, const std::string& where) {
  if (is_address(words)) return parse_address(words, where, {});
  return parse_words(words, where, {}, DbHost{}.port);
}

DbTarget parse_conninfo(const std::string& words, const std::string& where, DbTarget base) {
  if (is_address(words)) return parse_address(words, where, std::move(base));
  return parse_words(words, where, std::move(base), kServerconfPort);
}

DbTarget find_primary(Db& local, const ReplicationAccess& access, Instant deadline) {
  const auto recovery = local.ask("select pg_is_in_recovery()", {}, deadline);
  if (recovery.empty() || recovery[0][0] != "t") {
    throw Error(Fault::Role, "this database (" + escape(local.host()) + ") is not a standby");
  }
  DbTarget target;
  const std::string known = primary_conninfo(local, deadline);
  if (!known.empty()) target = parse_conninfo(known, "primary_conninfo of this standby");
  // pg_basebackup -R writes the name of a passfile whether there is one or not.
  std::erase_if(target.options, [](const auto& option) {
    return option.first == "passfile" && ::access(option.second.c_str(), R_OK) != 0;
  });
  // The view shows asterisks in its place.
  if (target.password.find_first_not_of('*') == std::string::npos) target.password.clear();
  if (!access.primary.empty()) {
    target = parse_conninfo(access.primary, "the primary's address", target);
  }
  if (target.hosts.empty()) {
    throw Error(Fault::Usage,
                "this standby does not tell where its primary is (primary_conninfo is empty or "
                "not shown to this user): give --primary 'host=... port=... user=...'");
  }
  return target;
}

Primary::Primary(const DbTarget& target, Clock& clock, Instant deadline) {
  DbTarget mine = target;
  mine.database = "replication";  // as a line of a passfile calls it
  mine.role = DbRole::Any;
  set_option(mine, "replication", "true");
  try {
    db_ = open(mine, clock, deadline);
  } catch (const Error& error) {
    throw Error(error.fault(), "the primary: " + error.text());
  }
  where_ = escape(db_->host());
}

std::vector<DbRow> Primary::ask(const std::string& command, Instant deadline) {
  try {
    return db_->ask(command, {}, deadline);
  } catch (const Error& error) {
    const std::string text = "the primary (" + where_ + "): " + error.text();
    if (error.fault() == Fault::Timeout) throw Error(Fault::ConnectTimeout, text);
    if (error.fault() == Fault::Stream) throw Error(Fault::Network, text);
    throw Error(error.fault(), text);
  }
}

Primary::Identity Primary::identify(Instant deadline) {
  const auto rows = ask("IDENTIFY_SYSTEM", deadline);
  if (rows.size() != 1 || rows[0].size() < 3 || !rows[0][0] || !rows[0][1] || !rows[0][2]) {
    throw Error(Fault::Mismatch, "the primary (" + where_ + ") does not identify itself");
  }
  const auto timeline = static_cast<std::uint32_t>(parse_number(*rows[0][1]).value_or(0));
  Identity identity{*rows[0][0], timeline, parse_lsn(*rows[0][2])};
  // Nothing can be written in recovery.
  identity.standby = show("transaction_read_only", deadline) == "on" &&
                     show("default_transaction_read_only", deadline) != "on";
  return identity;
}

TimelineHistory Primary::history(std::uint32_t timeline, Instant deadline) {
  if (timeline <= 1) return {};
  try {
    const auto rows = ask("TIMELINE_HISTORY " + std::to_string(timeline), deadline);
    if (rows.size() == 1 && rows[0].size() == 2) return parse_history(rows[0][1].value_or(""));
  } catch (const Error& error) {
    // Its file is gone, or this is 9.2.
    if (error.fault() != Fault::Mismatch) throw;
  }
  return {};
}

std::string Primary::show(const std::string& setting, Instant deadline) {
  if (db_->server_version() < 100'000) return "";
  try {
    const auto rows = ask("SHOW " + setting, deadline);
    return rows.empty() ? "" : rows[0].at(0).value_or("");
  } catch (const Error& error) {
    if (error.fault() == Fault::Mismatch) return "";
    throw;
  }
}

std::uint64_t parse_lsn(const std::string& text) {
  const auto half = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint32_t value = 0;
    const char* begin = std::to_address(digits.begin());
    const char* end = std::to_address(digits.end());
    const auto result = std::from_chars(begin, end, value, 16);
    if (digits.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
    return value;
  };
  const std::size_t slash = text.find('/');
  if (slash != std::string::npos) {
    const auto high = half(std::string_view(text).substr(0, slash));
    const auto low = half(std::string_view(text).substr(slash + 1));
    if (high && low) return *high << 32U | *low;
  }
  throw Error(Fault::Mismatch, excerpt(text, 40) + " is no position in the log of a database");
}

std::string lsn_text(std::uint64_t position) {
  std::array<char, 20> text{};
  char* end = std::to_chars(text.data(), text.data() + 8, position >> 32U, 16).ptr;
  *end++ = '/';
  end = std::to_chars(end, end + 8, position & 0xFFFFFFFFU, 16).ptr;
  std::string upper(text.data(), end);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
  return upper;
}

}  // namespace xs
