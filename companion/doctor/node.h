// SPDX-License-Identifier: MIT
// The doctor on the node itself: its type, node.ini, the settings that a cluster needs, and a PIN
// in plain text (guide 3.2, steps 7 and 8; 3.3, steps 7 and 11).
#pragma once

#include "companion/doctor/subject.h"

namespace xs {

// The type as X-Road's files say it. A node whose files say none is not known, though X-Road takes
// it for standalone.
NodeType node_type(const Ini& xroad);

Findings look_at_node(const DoctorSubject& subject);

}  // namespace xs
