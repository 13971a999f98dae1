// SPDX-License-Identifier: MIT
// examine: the doctor's whole checklist of one node, in the order in which a node is set up. Called
// by `xroad-companion doctor`. Changes nothing, throws nothing: what cannot be looked at is a
// finding. Takes some tens of seconds at the very most, when every port is silent.
#pragma once

#include <functional>

#include "companion/doctor/finding.h"
#include "companion/doctor/subject.h"

namespace xs {

// `tell`: each finding as soon as it is there.
Findings examine(const DoctorPlaces& places, Clock& clock,
                 const std::function<void(const Finding&)>& tell = nullptr);

}  // namespace xs
