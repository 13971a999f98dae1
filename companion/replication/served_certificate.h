// SPDX-License-Identifier: MIT
// The certificate of a server of PostgreSQL: whether it will be able to load the files, and whether
// it shows them. A server that cannot load them on a reload says so in its log alone and goes on
// with what it has, until a restart ends it. Called by the verbs that set up.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "companion/replication/cluster.h"
#include "companion/replication/local_sql.h"
#include "companion/replication/profile.h"

namespace xs {

// Throws Usage unless the server's account can read all three, and Refused when PostgreSQL would
// not take the key for its owner or its mode.
void check_loadable(const PkiPaths& pki, const Cluster& cluster);

// Whether the running server shows the certificate of this file to who connects; nothing when it
// cannot be reached over TCP from here.
std::optional<bool> shows_certificate(const LocalSql& sql, const std::string& file);

}  // namespace xs
