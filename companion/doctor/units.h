// SPDX-License-Identifier: MIT
// The doctor on how files are copied: ours and no leftover of the guide's rsync unit on a
// secondary, the account that secondaries log in to on a primary (guide 3.2 step 6, 3.3 steps 5 and
// 6, 5).
#pragma once

#include "companion/doctor/subject.h"

namespace xs {

Findings look_at_units(const DoctorSubject& subject);

}  // namespace xs
