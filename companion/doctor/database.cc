// SPDX-License-Identifier: MIT
#include "companion/doctor/database.h"

#include <algorithm>
#include <array>

#include "base/io.h"
#include "base/text.h"
#include "companion/db.h"
#include "companion/doctor/certificate_dates.h"

namespace xs {
namespace {

constexpr const char* kFacts =
    "select pg_is_in_recovery(), exists (select from pg_stat_wal_receiver where pid is not null), "
    "current_setting('wal_level'), current_setting('max_wal_senders'), current_setting('ssl'), "
    "current_setting('listen_addresses')";

bool is_local(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1" || host.starts_with('/');
}

// So that two names of this host are one.
std::string place(const DbHost& host) {
  return (is_local(host.host) ? "localhost" : host.host) + ":" + std::to_string(host.port);
}

std::string version_text(int number) {
  if (number < 100'000) {
    return std::to_string(number / 10'000) + "." + std::to_string(number / 100 % 100);
  }
  return std::to_string(number / 10'000) + "." + std::to_string(number % 10'000);
}

// What mends a connection that was not made.
std::string connection_mend(const std::string& trouble, const DoctorSubject& subject) {
  const auto has = [&](const char* words) { return trouble.find(words) != trouble.npos; };
  if (has("password") || has("28P01")) {
    return subject.type == NodeType::Secondary
               ? "write the primary's serverconf.hibernate.connection.password into db.properties"
               : "correct serverconf.hibernate.connection.password in db.properties";
  }
  if (has("does not exist")) return "copy it there: pg_dump -C serverconf | psql -p 5433 -f -";
  return "systemctl start postgresql@MAJOR-serverconf (RHEL: postgresql-serverconf), and see its "
         "log";
}

class Database {
 public:
  explicit Database(const DoctorSubject& subject)
      : subject_(subject), file_(subject.settings.serverconf_db.db_properties) {}

  Findings look() {
    return look_at({{"db.properties", [this] { return properties(); }},
                    {"own instance", [this] { return instance(); }},
                    {"connection", [this] { return connection(); }},
                    {"database role", [this] { return role(); }},
                    {"its settings", [this] { return settings(); }},
                    {"replication keys", [this] { return keys(); }}});
  }

 private:
  Finding properties() {
    const auto facts = file_facts(file_, subject_.accounts);
    const std::string name = escape(file_);
    if (!facts)
      return wrong(Fault::Io, name + " is not there",
                   "restore it from a backup, or dpkg-reconfigure xroad-proxy (RHEL: dnf reinstall "
                   "xroad-proxy)");
    try {
      target_ = read_db_properties(file_);
    } catch (const Error& error) {
      if (error.code() == EACCES) return unknown(error.text() + ": run as root");
      return wrong(error.fault(), error.text(), "correct " + name);
    }
    if (facts->owner != "xroad" || facts->group != "xroad" || (facts->mode & 0137U) != 0) {
      return wrong(
          Fault::Mismatch,
          name + " holds passwords: " + facts->text() + "; it is to be xroad:xroad, mode 640",
          "chown xroad:xroad " + name + " && chmod 640 " + name);
    }
    return fine(facts->text() + ": " + target_->text());
  }

  Finding instance() const {
    if (!subject_.in_cluster()) return outside(subject_);
    if (!target_) return not_looked();
    std::optional<DbTarget> messagelog;
    try {
      messagelog = read_db_properties(file_, "messagelog");
    } catch (const Error&) {
      messagelog.reset();  // a node without the message log
    }
    return judge_instance(*target_, messagelog, escape(file_));
  }

  Finding connection() {
    if (!target_) return not_looked();
    const Instant start = subject_.clock.now();
    const Instant deadline = start + subject_.places.database_limit;
    try {
      Db db(*target_, subject_.clock, deadline);
      const auto rows = db.ask(kFacts, {}, deadline);
      const DbRow row = rows.empty() ? DbRow(6) : rows.front();
      const auto text = [&row](std::size_t i) { return row.at(i).value_or(""); };
      facts_ = {text(0) == "t", text(1) == "t", text(2), text(3), text(4), text(5)};
      const auto took =
          std::chrono::duration_cast<std::chrono::milliseconds>(subject_.clock.now() - start);
      return fine("PostgreSQL " + version_text(db.server_version()) + " at " + escape(db.host()) +
                  " in " + std::to_string(took.count()) + " ms");
    } catch (const Error& error) {
      return wrong(error.fault(), error.text(), connection_mend(error.text(), subject_));
    }
  }

  Finding role() const {
    if (!subject_.in_cluster()) return outside(subject_);
    return facts_ ? judge_role(*facts_, subject_.type) : not_looked();
  }
  Finding settings() const {
    if (!subject_.in_cluster()) return outside(subject_);
    return facts_ ? judge_replication_settings(*facts_, subject_.type) : not_looked();
  }

  // The guide's place for them. Where they are elsewhere PostgreSQL itself looks at their modes.
  Finding keys() const {
    if (!subject_.in_cluster()) return outside(subject_);
    const std::string dir = subject_.places.config.xroad + "/postgresql";
    if (!file_facts(dir, subject_.accounts)) return not_here("there is no " + escape(dir));
    std::string found;
    for (const char* name : {"ca.crt", "server.crt", "server.key"}) {
      const std::string file = dir + "/" + name;
      const auto facts = file_facts(file, subject_.accounts);
      if (!facts) {
        return wrong(Fault::Io, escape(file) + " is not there",
                     "put it there (guide 4.1), then chown postgres and chmod 400");
      }
      // PostgreSQL also takes root's key that a group may read. Certificates are no secret.
      const bool key = file.ends_with(".key");
      const bool roots = facts->owner == "root" && (facts->mode & (key ? 0137U : 0022U)) == 0;
      const bool good = facts->owner == "postgres" && (facts->mode & (key ? 0077U : 0022U)) == 0;
      if (!good && !roots)
        found += (found.empty() ? "" : "; ") + escape(file) + ": " + facts->text();
    }
    const std::string mend =
        "chown postgres " + escape(dir) + "/* && chmod 400 " + escape(dir) + "/*";
    if (!found.empty()) return wrong(Fault::Mismatch, found, mend);
    const auto xroad = file_facts(subject_.places.config.xroad, subject_.accounts);
    if (xroad && (xroad->mode & 0001U) == 0) {
      return wrong(Fault::Mismatch,
                   escape(subject_.places.config.xroad) + " (" + xroad->text() +
                       ") does not let postgres through",
                   "chmod o+x " + escape(subject_.places.config.xroad));
    }
    const CertificateEnd end = first_end({dir + "/ca.crt", dir + "/server.crt"});
    const std::string ends = end_words(end, subject_.places.wall());
    if (!ends.empty()) {
      return wrong(Fault::Mismatch, ends,
                   "make new ones: docs/recovery.md, \"Certificates that end\"");
    }
    return fine("the key is for postgres alone, in " + escape(dir) +
                (end.at == 0 ? "" : "; certificates until " + utc_text(end.at)));
  }

  static Finding not_looked() { return unknown("not looked at: see above"); }

  const DoctorSubject& subject_;
  std::string file_;
  std::optional<DbTarget> target_;
  std::optional<DatabaseFacts> facts_;
};

}  // namespace

Finding judge_instance(const DbTarget& serverconf, const std::optional<DbTarget>& messagelog,
                       const std::string& file) {
  constexpr std::uint16_t kDefaultPort = 5432;
  constexpr const char* kMend =
      ": serverconf.hibernate.connection.url=jdbc:postgresql://127.0.0.1:5433/serverconf";
  const std::string mend = "make an instance of its own (guide 4.2), and write to " + file + kMend;
  for (const DbHost& host : serverconf.hosts) {
    const auto shared = [&](const DbHost& other) { return place(other) == place(host); };
    if (messagelog && std::any_of(messagelog->hosts.begin(), messagelog->hosts.end(), shared)) {
      return wrong(Fault::Mismatch,
                   "serverconf and messagelog are both at " + escape(place(host)) +
                       ": replication would copy the one over the other",
                   mend);
    }
    if (!messagelog && is_local(host.host) && host.port == kDefaultPort) {
      return wrong(Fault::Mismatch, "serverconf is in the default instance, port 5432", mend);
    }
  }
  std::string where;
  for (const DbHost& host : serverconf.hosts) where += (where.empty() ? "" : ", ") + place(host);
  return fine(escape(where) + (messagelog ? ", messagelog is elsewhere" : ""));
}

Finding judge_role(const DatabaseFacts& facts, NodeType type) {
  if (type == NodeType::Primary) {
    if (!facts.in_recovery) return fine("a primary, as this node");
    return wrong(Fault::Role, "a standby, and this node is the primary",
                 "xroad-companion replication promote, or correct node.ini");
  }
  if (!facts.in_recovery) {
    return wrong(Fault::Role, "a primary, and this node is a secondary: it has a life of its own",
                 "make it a standby: xroad-companion replication setup standby (guide 4.4)");
  }
  if (!facts.receives) {
    return wrong(Fault::Network, "a standby that receives nothing from a primary",
                 "see the server's log; check primary_conninfo, and port 5433 of the primary");
  }
  return fine("a standby that receives from its primary");
}

Finding judge_replication_settings(const DatabaseFacts& facts, NodeType type) {
  const std::string& addresses = facts.listen_addresses;
  const bool local_only = addresses.empty() || addresses == "localhost" ||
                          addresses == "127.0.0.1" || addresses == "::1" ||
                          addresses == "localhost,127.0.0.1";
  if (type == NodeType::Secondary) {
    if (local_only) return fine("listens on this host only");
    return wrong(Fault::Mismatch,
                 "listen_addresses = " + quote(addresses) + ": other hosts can reach it",
                 "write listen_addresses = 'localhost' to postgresql.conf and restart it");
  }
  std::string lines;
  const auto need = [&lines](bool fits, const char* line) {
    if (!fits) lines += (lines.empty() ? "" : "; ") + std::string(line);
  };
  need(facts.wal_level == "replica" || facts.wal_level == "logical", "wal_level = replica");
  need(parse_number(facts.max_wal_senders).value_or(0) > 0, "max_wal_senders = 3");
  need(facts.ssl == "on", "ssl = on");
  need(!local_only, "listen_addresses = '*'");
  const std::string found = "wal_level " + escape(facts.wal_level) + ", " +
                            escape(facts.max_wal_senders) + " senders, ssl " + escape(facts.ssl) +
                            ", listens on " + quote(addresses);
  if (lines.empty()) return fine(found);
  return wrong(Fault::Mismatch, found + ": no standby can follow it",
               "write to postgresql.conf: " + lines + " and restart it");
}

Findings look_at_database(const DoctorSubject& subject) { return Database(subject).look(); }

}  // namespace xs
