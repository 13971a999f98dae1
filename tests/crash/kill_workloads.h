// SPDX-License-Identifier: MIT
// kill_workloads: the trees that kill_sweep pulls: one to begin with, and six ways in which the
// source moves on. The same at every call, owners only where we may set them.
#pragma once

#include <array>
#include <filesystem>
#include <string>

namespace xs::test {

struct Workload {
  std::string name;
  void (*change)(const std::filesystem::path& root);
};

void plant_old(const std::filesystem::path& root);
const std::array<Workload, 6>& workloads();

}  // namespace xs::test
