// SPDX-License-Identifier: MIT
// Somebody at a shell of the node whose database a server is, who runs `xroad-companion
// replication`. No password is in anything that is said.
#pragma once

#include <string>
#include <vector>

#include "tests/support/postgres.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

class Operator {
 public:
  Operator() { dir.write("companion.ini", ""); }

  std::vector<std::string> line(const Postgres& server, std::vector<std::string> words) const;
  // The exit code must be this one; both outputs.
  std::string run(int code, const Postgres& server, const std::vector<std::string>& words) const;
  // An error is one line.
  std::string fail(int code, const Postgres& server, const std::vector<std::string>& words) const;
  // A receiver that is refused is there for a moment, again and again, and passes for none of them.
  bool sees_no_receiver(const Postgres& standby) const;

  TempDir dir;
};

bool streams(const Postgres& standby);
// Until a `wait` has heard the primary's position and looks at its own database.
bool is_waiting(const Postgres& standby);

}  // namespace xs::test
