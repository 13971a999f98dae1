// SPDX-License-Identifier: MIT
// DoctorSubject: the node on the couch, as every topic is handed it. Topics only look: they change
// nothing, wait no longer than the limits here, and throw nothing for what they find.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/ini.h"
#include "companion/doctor/accounts.h"
#include "companion/doctor/finding.h"
#include "companion/node_settings.h"
#include "companion/wall.h"

namespace xs {

enum class NodeType : std::uint8_t { Primary, Secondary, Standalone, Unknown };

// What the kernel says of its clock.
struct KernelClock {
  bool synchronised = false;
  std::int64_t max_error_us = 0;
};
KernelClock ask_kernel_clock();

struct DoctorPlaces {
  // Where the files are: empty for this system, or where another one is mounted. Then its clock and
  // its systemd are not asked, for they are not those of this machine; ports and databases are.
  std::string root;
  ConfigPlaces config;  // below the root, too
  std::function<KernelClock()> clock = ask_kernel_clock;
  Wall wall = wall_now;
  std::string version;                           // ours
  Duration ask_limit = std::chrono::seconds(3);  // one question to one port
  Duration database_limit = std::chrono::seconds(5);

  // An absolute path below the root.
  std::string at(const std::string& path) const { return root + path; }
};

struct DoctorSubject {
  const DoctorPlaces& places;
  const NodeSettings& settings;
  const Ini& xroad;  // X-Road's own files, merged
  NodeType type;
  Accounts& accounts;
  Clock& clock;
  bool xroad_read = true;  // false: X-Road's files tell nothing, which is no finding

  bool in_cluster() const { return type == NodeType::Primary || type == NodeType::Secondary; }
};

// Why a point that only clusters have is not looked at, for a node that is in none.
inline Finding outside(const DoctorSubject& subject) {
  if (subject.type == NodeType::Standalone) {
    return not_here("a standalone node needs none");
  }
  return unknown("not looked at: the node type is not known");
}

}  // namespace xs
