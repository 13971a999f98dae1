// SPDX-License-Identifier: MIT
// Units as systemd finds them, read from its directories, so that they can be looked at below
// another root, too, and without asking a daemon. Called by the doctor's topics.
#pragma once

#include <optional>
#include <string>

#include "companion/doctor/subject.h"

namespace xs {

struct UnitFacts {
  std::string path;     // of the file that counts; empty: there is none
  bool masked = false;  // by /dev/null
  std::string program;  // of its last ExecStart, with drop-ins; no prefix characters
};
// Throws Io when a file that counts cannot be read.
UnitFacts find_unit(const DoctorPlaces& places, const std::string& name);

// Whether `target` ("timers.target") wants or requires it.
bool is_enabled(const DoctorPlaces& places, const std::string& name, const std::string& target);

// The word of `systemctl is-active`: "active", "failed", ... Nothing below another root and where
// there is no systemd. Throws Action when it cannot be asked.
std::optional<std::string> active_word(const DoctorPlaces& places, const std::string& name,
                                       Clock& clock);

}  // namespace xs
