// SPDX-License-Identifier: MIT
// The doctor on the ports that a load balancer asks: configured, answering, and by whom
// (guide 3.4). The companion opens all its ports or none, so where its admin port answers, its
// health port is ours, and any other one is xroad-proxy's.
#pragma once

#include "companion/doctor/subject.h"

namespace xs {

Findings look_at_health(const DoctorSubject& subject);

}  // namespace xs
