// SPDX-License-Identifier: MIT
// A ReplicationStatus as a table for people and as JSON. Pure; every word of the server is escaped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "companion/replication/judge.h"
#include "companion/replication/status.h"

namespace xs {

// A headline, what is wrong, and pg_stat_replication with the guide's columns, or the receiver.
std::string replication_text(const ReplicationStatus& status, const ReplicationVerdict& verdict);
std::string replication_json(const ReplicationStatus& status, const ReplicationVerdict& verdict);

std::string bytes_text(std::uint64_t bytes);  // "512 bytes", "48 KiB", "16 MiB"
// "48 KiB and 3 s"; what is not known is not said.
std::string lag_text(const std::optional<std::uint64_t>& bytes,
                     const std::optional<double>& seconds);
// Of a standby that receives another timeline than the primary that was asked (`where`, escaped).
std::string other_primary_text(const ReceiverLine& receiver, const std::string& where,
                               std::uint32_t timeline);
std::string number_text(double value);  // "0.25", "60": no exponent, three places at most

}  // namespace xs
