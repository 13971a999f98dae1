// SPDX-License-Identifier: MIT
// DoctorNode: the files of a healthy secondary below a temporary root, for the doctor. We ourselves
// are its user xroad. Ports and the database are the test's to add; without them those points are
// wrong.
#pragma once

#include <memory>
#include <string>

#include "companion/doctor/examine.h"
#include "tests/support/temp_tree.h"

namespace xs::test {

class DoctorNode {
 public:
  DoctorNode();

  TempTree tree;
  std::string root() const { return tree.path(); }

  DoctorNode& type(const std::string& word);
  DoctorNode& groups(const std::string& more = "");
  DoctorNode& account(const std::string& shell = "/bin/sh", const std::string& more = "");
  DoctorNode& local_ini(const std::string& proxy_keys);
  DoctorNode& packages(const std::string& signer_version = "7.4.2-1.ubuntu22.04");
  DoctorNode& unit(const std::string& path, const std::string& exec_start);
  DoctorNode& enable(const std::string& unit, const std::string& target, bool on = true);

  DoctorPlaces places() const;
  Findings examine() const;
};

// The finding of a point; a test that asks for one that is not there fails.
const Finding& find(const Findings& findings, const std::string& point);

}  // namespace xs::test
