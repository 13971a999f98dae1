// SPDX-License-Identifier: MIT
// The doctor on who may use the admin UI of a secondary: the groups that change its configuration
// removed, those that enter the PIN and read kept (guide 3.3, step 9).
#pragma once

#include "companion/doctor/subject.h"

namespace xs {

Findings look_at_groups(const DoctorSubject& subject);

}  // namespace xs
