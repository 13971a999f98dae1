// SPDX-License-Identifier: MIT
#include "companion/replication/new_primary.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/db.h"
#include "companion/replication/connection.h"
#include "companion/replication/server_state.h"

namespace xs {
namespace {

std::string option_of(const DbTarget& target, const std::string& name) {
  const auto found = std::find_if(target.options.begin(), target.options.end(),
                                  [&](const auto& option) { return option.first == name; });
  return found == target.options.end() ? "" : found->second;
}

// The common name of the certificate with which this node serves; "" where there is none.
std::string common_name(const std::string& path) {
  const auto pem = read_file_if_exists(path, 1U << 20);
  if (!pem) return "";
  const std::unique_ptr<BIO, decltype(&::BIO_free)> bio(
      ::BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())), ::BIO_free);
  const std::unique_ptr<X509, decltype(&::X509_free)> certificate(
      ::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), ::X509_free);
  std::array<char, 256> name{};
  if (!certificate ||
      ::X509_NAME_get_text_by_NID(::X509_get_subject_name(certificate.get()), NID_commonName,
                                  name.data(), static_cast<int>(name.size())) <= 0) {
    return "";
  }
  return name.data();
}

// As the server reads it: below its data directory.
std::string own_file(const Cluster& cluster, const char* setting, Clock& clock) {
  const std::string path = configured(cluster, setting, clock);
  return path.empty() || path.starts_with('/') ? path : cluster.data + "/" + path;
}

void fill_tls(DbTarget& target, const Cluster& cluster, Clock& clock) {
  const std::string ca = own_file(cluster, "ssl_ca_file", clock);
  const bool tls = configured(cluster, "ssl", clock) == "on";
  const std::string certificate = tls ? own_file(cluster, "ssl_cert_file", clock) : "";
  if (target.user.empty() && !certificate.empty()) {
    const AsOwner rights(cluster.user);
    target.user = common_name(certificate);
  }
  if (!option_of(target, "sslmode").empty()) return;
  const auto add = [&](const char* name, const std::string& value) {
    if (option_of(target, name).empty() && !value.empty()) target.options.emplace_back(name, value);
  };
  add("sslmode", "verify-full");
  add("sslrootcert", ca);
  if (option_of(target, "sslrootcert").empty()) {
    throw Error(Fault::Usage,
                "which CA the new primary's certificate is of is not known (ssl_ca_file is empty "
                "here): say sslrootcert=... in --primary, or how else with sslmode=...");
  }
  if (!tls) return;
  add("sslcert", certificate);
  add("sslkey", own_file(cluster, "ssl_key_file", clock));
}

std::unique_ptr<Db> replication_login(const DbTarget& target, Clock& clock, Instant deadline) {
  DbTarget mine = target;
  mine.database = "replication";
  mine.options.emplace_back("replication", "true");
  return std::make_unique<Db>(mine, clock, deadline);
}

// Of a slot that is there. Where it cannot be asked, it is believed.
bool keeps_nothing(Db& replication, const DbTarget& target, const std::string& slot, Clock& clock,
                   Instant deadline) {
  if (replication.server_version() >= 150'000) {
    const auto rows = replication.ask("READ_REPLICATION_SLOT \"" + slot + "\"", {}, deadline);
    return !rows.empty() && rows[0].size() > 1 && !rows[0][1];
  }
  DbTarget mine = target;
  mine.database = "postgres";
  try {
    const auto rows =
        Db(mine, clock, deadline)
            .ask("select restart_lsn::text from pg_replication_slots where slot_name = $1", {slot},
                 deadline);
    return !rows.empty() && !rows[0].at(0);
  } catch (const Error&) {
    return false;  // it may replicate, and nothing else
  }
}

std::string info_quote(const std::string& value) {
  if (!value.empty() && value.find_first_of(" \t\n'\\") == std::string::npos) return value;
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string why_no_rewind(const DbTarget& target, bool& may_read, Clock& clock, Instant deadline) {
  DbTarget mine = target;
  mine.database = "postgres";
  try {
    Db db(mine, clock, deadline);
    std::string missing;
    for (const std::string& function : rewind_functions()) {
      const auto rows =
          db.ask("select has_function_privilege($1, 'execute')", {function}, deadline);
      if (rows.at(0).at(0) != "t") missing += (missing.empty() ? "" : ", ") + function;
    }
    may_read = missing.empty();
    if (may_read) {
      const auto rows = db.ask("show full_page_writes", {}, deadline);
      if (rows.at(0).at(0) == "on") return "";
      return "pg_rewind needs full_page_writes=on at the new primary";
    }
    return "at the new primary pg_rewind lacks the right to read (there, as superuser: GRANT "
           "EXECUTE ON FUNCTION " +
           missing + " TO \"" + escape(target.user) + "\")";
  } catch (const Error& error) {
    return "pg_rewind cannot log in to the database 'postgres' of the new primary: " + error.text();
  }
}

}  // namespace

const std::vector<std::string>& rewind_functions() {
  static const std::vector<std::string> all = {
      "pg_catalog.pg_ls_dir(text, boolean, boolean)", "pg_catalog.pg_stat_file(text, boolean)",
      "pg_catalog.pg_read_binary_file(text)",
      "pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)"};
  return all;
}

DbTarget new_primary_target(const std::string& words, const Cluster& cluster, Clock& clock) {
  DbTarget target;
  const std::string known = configured(cluster, "primary_conninfo", clock);
  if (!known.empty()) target = parse_conninfo(known, "primary_conninfo of this node");
  if (!words.empty()) target = parse_conninfo(words, "the new primary's address", target);
  if (target.hosts.empty()) {
    throw Error(Fault::Usage, "where is the new primary? Say --primary 'host=... port=...'");
  }
  if (holds_password(target)) {
    throw Error(Fault::Usage,
                "primary_conninfo holds a password, which postgresql.conf would show: put it into "
                "a file and say passfile=..., and use a key without one (no sslpassword)");
  }
  fill_tls(target, cluster, clock);
  if (target.user.empty()) {
    throw Error(Fault::Usage, "which role does this node log in as? Say user=... in --primary");
  }
  target.database = "postgres";
  return target;
}

std::string conninfo_text(const DbTarget& target, const std::string& database) {
  std::string hosts, addresses, ports;
  bool by_address = false;
  for (const DbHost& host : target.hosts) {
    const char* comma = ports.empty() ? "" : ",";
    hosts += comma + host.host;
    addresses += comma + host.address;
    ports += comma + std::to_string(host.port);
    by_address = by_address || !host.address.empty();
  }
  std::string info = "host=" + info_quote(hosts) +
                     (by_address ? " hostaddr=" + info_quote(addresses) : "") + " port=" + ports +
                     " user=" + info_quote(target.user) +
                     " application_name=" + info_quote(target.user);
  if (!database.empty()) info += " dbname=" + info_quote(database);
  const auto add = [&](const char* name, const char* value) {
    if (option_of(target, name).empty()) info += std::string(" ") + name + "=" + value;
  };
  for (const auto& [name, value] : target.options) info += " " + name + "=" + info_quote(value);
  add("connect_timeout", "10");
  // One that is cut off is noticed in half a minute, not in the two hours of TCP.
  add("keepalives_idle", "15");
  add("keepalives_interval", "5");
  add("keepalives_count", "3");
  return info;
}

NewPrimary look_at_new_primary(const DbTarget& target, Clock& clock, Instant deadline) {
  NewPrimary found;
  found.target = target;
  try {
    Primary primary(target, clock, deadline);
    const Primary::Identity identity = primary.identify(deadline);
    found.where = primary.where();
    found.system = identity.system;
    found.branch.timeline = identity.timeline;
    found.position = identity.flushed;
    if (identity.standby) {
      throw Error(Fault::Role, found.where + " is a standby: say where the primary is");
    }
  } catch (const Error& error) {
    if (error.fault() != Fault::Auth) throw;
    throw Error(Fault::Auth, error.text() +
                                 ". Let this node in there: `xroad-companion "
                                 "replication setup primary --standby " +
                                 escape(target.user) + " ...` on it");
  }
  if (found.branch.timeline > 1) {
    const auto rows =
        replication_login(target, clock, deadline)
            ->ask("TIMELINE_HISTORY " + std::to_string(found.branch.timeline), {}, deadline);
    if (rows.size() != 1 || rows[0].size() != 2 || !rows[0][1]) {
      throw Error(Fault::Mismatch, found.where + " does not tell the history of its timeline");
    }
    found.branch.history = parse_history(*rows[0][1]);
  }
  found.no_rewind = why_no_rewind(target, found.may_read, clock, deadline);
  return found;
}

std::uint32_t checkpoint_timeline(const DbTarget& target, Clock& clock, Instant deadline) {
  DbTarget mine = target;
  mine.database = "postgres";
  const auto rows = Db(mine, clock, deadline)
                        .ask("select timeline_id::text from pg_control_checkpoint()", {}, deadline);
  return static_cast<std::uint32_t>(parse_number(rows.at(0).at(0).value_or("")).value_or(0));
}

bool has_slot(const DbTarget& target, const std::string& slot, Clock& clock, Instant deadline) {
  const auto db = replication_login(target, clock, deadline);
  if (db->server_version() < 150'000) return false;  // it is tried then
  const auto rows = db->ask("READ_REPLICATION_SLOT \"" + slot + "\"", {}, deadline);
  return !rows.empty() && rows[0].at(0).has_value() && rows[0].size() > 1 && rows[0][1].has_value();
}

void make_slot(const DbTarget& target, const std::string& slot, Clock& clock, Instant deadline) {
  const auto db = replication_login(target, clock, deadline);
  const std::string create = "CREATE_REPLICATION_SLOT \"" + slot + "\" PHYSICAL RESERVE_WAL";
  try {
    db->ask(create, {}, deadline);
    return;
  } catch (const Error& error) {
    if (!error.text().starts_with("42710")) throw;
  }
  // It is there. One that nobody has used, or that has lost its log, keeps nothing, and cannot be
  // told to by this protocol.
  if (!keeps_nothing(*db, target, slot, clock, deadline)) return;
  try {
    db->ask("DROP_REPLICATION_SLOT \"" + slot + "\"", {}, deadline);
  } catch (const Error& error) {
    if (!error.text().starts_with("55006")) throw;
    throw Error(Fault::Refused, "another node uses the slot " + quote(slot) +
                                    " now: has it this node's name? Else give --slot");
  }
  db->ask(create, {}, deadline);
}

}  // namespace xs
