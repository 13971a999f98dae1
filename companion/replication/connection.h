// SPDX-License-Identifier: MIT
// How a verb reaches this node's database and the primary's. Called by every verb of
// `xroad-companion replication`; one connection each, opened within a deadline (companion/db.h).
// The default is the local socket of the serverconf cluster: /var/run/postgresql, port 5433, user
// and database postgres. As root we are the account of that name while we connect, as peer
// authentication asks for. A password comes from a passfile or from db.properties, never from the
// command line, and is in no message.
// Failures: Usage (a passfile that others can read, words that are no address), Auth (a server does
// not let us in), Io (this node's database is not reached), Network and ConnectTimeout (the primary
// is not), so that a script can tell them apart.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/db.h"
#include "companion/replication/access.h"
#include "companion/replication/timeline.h"

namespace xs {

inline constexpr const char* kSocketDirectory = "/var/run/postgresql";
inline constexpr std::uint16_t kServerconfPort = 5433;

// Whom open_local() would ask.
DbTarget local_target(const ReplicationAccess& access);
std::unique_ptr<Db> open_local(const ReplicationAccess& access, Clock& clock, Instant deadline);

// The primary as this standby knows it: its receiver logs in there, so we can as well, without a
// role or a line of pg_hba.conf more. Throws Role when this database is no standby, and Usage when
// nobody says where the primary is.
DbTarget find_primary(Db& local, const ReplicationAccess& access, Instant deadline);

// A replication connection, which needs no other right than to replicate. Trouble on it is trouble
// with the primary: Network or ConnectTimeout, whatever broke.
class Primary {
 public:
  Primary(const DbTarget& target, Clock& clock, Instant deadline);
  struct Identity {
    std::string system;  // of initdb, the same on all copies
    std::uint32_t timeline = 0;
    std::uint64_t flushed = 0;  // its position now
    bool standby = false;       // it follows another one; from 10 on
  };
  Identity identify(Instant deadline);
  // The timelines before one of its own; none where it does not tell them.
  TimelineHistory history(std::uint32_t timeline, Instant deadline);
  // A setting as SHOW tells it; empty where the server does not know it.
  std::string show(const std::string& setting, Instant deadline);
  const std::string& where() const { return where_; }  // "host:port", escaped

 private:
  std::vector<DbRow> ask(const std::string& command, Instant deadline);
  std::string where_;
  std::unique_ptr<Db> db_;
};

// "host=ss1 port=5433 ...", a URI, or HOST[:PORT]. Throws Usage, naming `where`. The first reads
// what PostgreSQL itself reads, where no port is its own, 5432. The second lays an operator's words
// over `base`: a port that neither names is serverconf's.
DbTarget parse_conninfo(const std::string& words, const std::string& where);
DbTarget parse_conninfo(const std::string& words, const std::string& where, DbTarget base);

// A password, also a key's: words that hold one are in process lists and configuration files.
bool holds_password(const DbTarget& target);

// A passfile as libpq wants it: a regular file that only its owner can read. Throws Usage or Io.
void check_passfile(const std::string& path);

// "16/B374D848" and the position in bytes. Throws Mismatch for what is none.
std::uint64_t parse_lsn(const std::string& text);
std::string lsn_text(std::uint64_t position);

}  // namespace xs
