// SPDX-License-Identifier: MIT
// ReplicationAccess: what the command line and [replication] of companion.ini say about reaching
// this node's database and its primary's. Plain values: companion/node_settings fills them from the
// file, cli/companion_replication from options, which win.
#pragma once

#include <cstdint>
#include <string>

namespace xs {

// Empty and 0: not said.
struct DbAccess {
  std::string host;  // a name, an address, or the directory of a local socket
  std::uint16_t port = 0;
  std::string user;
  std::string database;
  std::string passfile;  // as ~/.pgpass
  std::string sslmode, sslcert, sslkey, sslrootcert;

  // What we do not say, `weaker` says.
  void fill_from(const DbAccess& weaker);
  bool operator==(const DbAccess&) const = default;
};

struct ReplicationAccess {
  DbAccess local;
  // Not empty: where `local` is silent, this file of X-Road's speaks.
  std::string db_properties;
  // The primary, said at a standby: "host=ss1 port=5433 user=ss2 ..." as in primary_conninfo, a
  // URI, or HOST[:PORT]. What it does not say is taken from this standby's own primary_conninfo.
  std::string primary;

  void fill_from(const ReplicationAccess& weaker);
  bool operator==(const ReplicationAccess&) const = default;
};

}  // namespace xs
