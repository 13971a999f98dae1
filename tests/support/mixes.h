// SPDX-License-Identifier: MIT
// Mixes: the rules of a transfer, told to rsync and to us, and the trees that both make of the same
// start. For the tests of a rule against the real rsync; what rsync itself could not do is no
// failure but said, and what differs fails the test.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "sync/receiver.h"
#include "tests/support/disk_trees.h"
#include "tests/support/temp_tree.h"

namespace xs::test {

inline constexpr std::int64_t kSecond = 1'000'000'000;

struct Mix {
  std::vector<std::string> options;  // rsync's
  PullRequest request;               // ours
};

Mix plain();  // rsync -a
std::string text_of(const Mix& mix);

template <class T>
const T& one_of(std::mt19937_64& random, const std::vector<T>& list) {
  return list[below(random, list.size())];
}

// Makes a random tree one that both take alike: whole seconds, a few apart, so that newer, older
// and within the window all happen; no setuid files, which end a run.
void tame(std::mt19937_64& random, DiskTree& tree);

PullResult pull(const TempTree& source, const std::string& destination, PullRequest request);
// How it ended, with what it said.
std::string rsync(const Mix& mix, const TempTree& source, const TempTree& destination);
// Fails the test for each path in which the two differ but for the time.
void expect_same(const Picture& source, const Picture& before, const Picture& ours,
                 const Picture& theirs);

// Both from the same start; the trees must come out alike, and a second run must change nothing.
struct Twin {
  TempTree source, theirs, ours;
  Mix mix = plain();
  PullResult last;
  std::vector<std::string> not_compared;

  Twin() { mix.options.emplace_back("-c"); }

  template <class Fill>
  void both(Fill fill) {
    for (TempTree* tree : {&theirs, &ours}) fill(*tree);
  }
  void run(bool twice = true);
};

}  // namespace xs::test
