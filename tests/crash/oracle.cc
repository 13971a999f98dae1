// SPDX-License-Identifier: MIT
// oracle OLD NEW LIVE [--excluded PATH]...: is the directory LIVE exactly OLD, exactly NEW, or a
// third thing? Called by the crash harnesses after a restart. It shares no line with the engine and
// links nothing of it, so that no mistake can be made on both sides.
// Compared are names, types, modes, owners, link targets, device numbers, contents and which names
// are one file, of every entry and of the root itself; not times. The staging area is no part of a
// tree, but after a restart it may hold nothing but the lock, the list of areas and complete
// generations for rollback.
// Ends with 0 for OLD (also when OLD equals NEW), 1 for NEW, 2 for a third thing (what differs is
// on standard output), 3 for leftovers in the staging area, 4 when it cannot tell.
// oracle --self-test: judges hand-made trees, good and bad; 0 if it judges all of them right.
// oracle --between INDEX OLD NEW LIVE: may LIVE be what a reader meets in the middle of a commit?
// A file is wholly old or wholly new, nothing that stays is missing, nothing is of neither, and the
// file INDEX is new only when all other files and symlinks of NEW are there. 0 or 2.
#include <cstdio>
#include <exception>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/oracle_judge.h"

namespace oracle {
namespace {

int run(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0] == "--self-test") return self_test();
  std::vector<std::string> roots;
  std::set<std::string> excluded;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "--excluded" && at + 1 < words.size())
      excluded.insert(words[++at]);
    else
      roots.push_back(words[at]);
  }
  const bool between = roots.size() == 5 && roots[0] == "--between";
  if (roots.size() != 3 && !between) {
    std::fprintf(stderr, "usage: oracle OLD NEW LIVE [--excluded PATH]... | oracle --self-test\n");
    return kCannotTell;
  }
  const Judgement result = between ? judge_between(roots[1], roots[2], roots[3], roots[4])
                                   : judge(roots[0], roots[1], roots[2], excluded);
  for (const std::string& line : result.words) std::printf("%s\n", line.c_str());
  return result.verdict;
}

}  // namespace
}  // namespace oracle

int main(int argc, char** argv) {
  try {
    return oracle::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "oracle: %s\n", error.what());
    return oracle::kCannotTell;
  }
}
