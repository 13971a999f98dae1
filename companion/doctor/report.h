// SPDX-License-Identifier: MIT
// How the checklist is shown, and the exit code that it makes. Pure.
#pragma once

#include "companion/doctor/finding.h"

namespace xs {

// A line with ✓, ✗, – or ?, and below a ✗ its mend.
std::string finding_text(const Finding& finding);
// "2 points are wrong, 1 could not be looked at"
std::string summary_text(const Findings& findings);
std::string findings_json(const Findings& findings, const std::string& version);

// 0; the class of the first that is wrong; Partial when none is, but some could not be looked at.
int findings_code(const Findings& findings);

}  // namespace xs
