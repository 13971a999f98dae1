// SPDX-License-Identifier: MIT
// What is in place already when `setup primary` is run: the lines of an earlier run, or of the
// standby that this database was, and whom it serves now. A second run keeps all of it where the
// command line says nothing else, and takes no safety away that it has not been told to take.
// Called by plan_primary() before anything is changed. Failures: Io (damaged lines), Refused.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "companion/replication/local_sql.h"
#include "companion/replication/profile.h"
#include "companion/replication/setup_primary.h"

namespace xs {

// Empty: nothing in place says so.
struct PrimaryBefore {
  bool primary = false;  // an earlier `setup primary` has written the settings
  std::optional<Profile> profile;
  std::optional<Login> login;
  std::string group, listen, wal_limit;
  std::vector<std::string> allow;
  std::vector<std::string> synchronous;  // whom commits wait for, by our lines or any other
  std::string waits;                     // the same, as the line says it
  PkiPaths pki;
};
PrimaryBefore read_before(const LocalSql& sql);

// Pure: the same from the lines between our markers. Also a part of read_before().
void read_conf_block(PrimaryBefore& before, const std::string& lines);
void read_hba_block(PrimaryBefore& before, const std::string& lines);
// "ANY 2 (\"db2\", db3)" to {"db2", "db3"}.
std::vector<std::string> synchronous_names(const std::string& setting);

// "FIRST 1 (a, b)" to 1: of how many of them a commit waits for.
std::size_t synchronous_count(const std::string& setting);

// What was not said becomes what is in place. Throws Refused for a profile, login or group that
// would replace another one, unless the operator says that it may.
void keep_before(PrimarySetup& setup, const PrimaryBefore& before);

// Throws Refused when a standby that is connected now comes from an address that would not be let
// in any more.
void check_connected(const LocalSql& sql, const PrimarySetup& setup);
// Throws Refused when commits, which do not now, would wait for a standby that does not stream. A
// warning about one that they wait for already; "": there is none.
std::string check_waited_for(const LocalSql& sql, const PrimarySetup& setup,
                             const PrimaryBefore& before);
// Lines of pg_hba.conf for the group that ours shadow, as a note; "": there are none.
std::string shadowed_lines(const Cluster& cluster, const std::string& group);

}  // namespace xs
