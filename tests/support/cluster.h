// SPDX-License-Identifier: MIT
// Cluster: a primary's and a secondary's tree, and a pull between them over a socketpair: the whole
// engine without ssh and without the command line.
#pragma once

#include <map>
#include <string>

#include "sync/receiver.h"
#include "sync/sender.h"
#include "tests/support/converse.h"
#include "tests/support/temp_tree.h"

namespace xs::test {

// What a tree is, by code of its own (std::filesystem): a line a path, for comparing two of them.
std::map<std::string, std::string> picture(const TempTree& tree, bool with_times = false);

struct Cluster {
  TempTree primary;
  TempTree secondary;
  SenderConfig sender;
  PullRequest request;
  Deadlines deadlines;
  Damage damage;    // to the client's line
  Traffic traffic;  // of the last pull that succeeded
  std::uint64_t runs = 0;

  Cluster();
  // A small tree with every type of entry that we copy.
  void fill();
  PullResult pull();
  // A pull that must fail, and must leave the secondary as it was.
  Error failure();
  // Ends the test unless both trees are alike.
  void require_same() const;
  // Nothing in the staging area but what may stay.
  bool staging_is_clean() const;
};

}  // namespace xs::test
