// SPDX-License-Identifier: MIT
// `xroad-companion replication ...` at a node, as its operator types it.
#pragma once

#include <string>
#include <vector>

#include "tests/companion/replication/node.h"
#include "tests/support/program.h"

namespace xs::test {

// Verbs that ask its database: status, pause, resume, wait.
Outcome ask_at(const Node& node, const std::vector<std::string>& verb);

// Verbs that change its cluster: setup, promote, rejoin. `before`: words before the program's name.
Outcome change_at(const Node& node, const std::vector<std::string>& verb,
                  const std::vector<std::string>& before = {});

}  // namespace xs::test
