// SPDX-License-Identifier: MIT
// Finding: one line of the doctor's checklist. Made by the rooms of this directory, one a topic;
// shown by report.h. Texts from files, servers and peers are escaped before they get here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace xs {

enum class PointState : std::uint8_t {
  Fine,
  Wrong,    // with what mends it
  Unknown,  // could not be looked at, and why
  NotHere,  // nothing that a node of this type or make needs
};

struct Finding {
  PointState state = PointState::Fine;
  std::string found;
  std::string mend;  // Wrong: the command to run or the line to write
  Fault fault = Fault::Mismatch;
  std::string point;  // what was looked at
  std::string topic;
};
using Findings = std::vector<Finding>;

inline Finding fine(std::string found) {
  return {PointState::Fine, std::move(found), "", Fault::Mismatch, "", ""};
}
inline Finding wrong(Fault fault, std::string found, std::string mend) {
  return {PointState::Wrong, std::move(found), std::move(mend), fault, "", ""};
}
inline Finding unknown(std::string why) {
  return {PointState::Unknown, std::move(why), "", Fault::Mismatch, "", ""};
}
inline Finding not_here(std::string why) {
  return {PointState::NotHere, std::move(why), "", Fault::Mismatch, "", ""};
}

struct Point {
  std::string name;
  std::function<Finding()> look;
};
// An Error that escapes from one point makes that point unknown, and no other.
inline Findings look_at(const std::vector<Point>& points) {
  Findings findings;
  for (const Point& point : points) {
    try {
      findings.push_back(point.look());
    } catch (const Error& error) {
      findings.push_back(unknown(error.text()));
    }
    findings.back().point = point.name;
  }
  return findings;
}

}  // namespace xs
