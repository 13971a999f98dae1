// SPDX-License-Identifier: MIT
// The doctor on the clock, on which certificates and OCSP responses are judged, on versions, and on
// both at the peers of [sync-age] (guide 7: unequal versions overwrite each other's files).
#pragma once

#include <optional>

#include "companion/doctor/subject.h"

namespace xs {

// Pure. `offset`: of a peer's clock to ours, in seconds.
Finding judge_clock(const KernelClock& clock);
Finding judge_peer(const DoctorSubject& subject, const std::string& role,
                   const std::string& version, std::optional<std::int64_t> offset);

// X-Road's packages of this node. Pure: "NAME VERSION" a line, as the package manager tells them.
Finding judge_packages(const std::string& lines);

Findings look_at_clock(const DoctorSubject& subject);
Findings look_at_versions(const DoctorSubject& subject);
Findings look_at_peers(const DoctorSubject& subject);

}  // namespace xs
