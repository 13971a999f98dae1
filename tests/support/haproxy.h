// SPDX-License-Identifier: MIT
// Haproxy: a real haproxy for one test, in the foreground, with a socket that can be asked. Gone
// with the fixture. Failures to set up are exceptions.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "tests/support/sshd.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

class Haproxy {
 public:
  // The sections of a configuration behind a `global` of the fixture's.
  explicit Haproxy(const std::string& sections);

  // One line of `show stat`, by the names of its columns. Empty: no such server.
  std::map<std::string, std::string> server(const std::string& section,
                                            const std::string& name) const;
  std::string log() const;

 private:
  std::string ask(const std::string& command) const;

  TempDir dir_;
  std::unique_ptr<Child> process_;
};

}  // namespace xs::test
