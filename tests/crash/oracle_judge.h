// SPDX-License-Identifier: MIT
// The oracle's judgements; oracle.cc says what each means. Called by its command line and by its
// self-test. What cannot be read throws std::runtime_error.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace oracle {

enum Verdict { kOld = 0, kNew = 1, kThird = 2, kLeftovers = 3, kCannotTell = 4 };

struct Judgement {
  Verdict verdict = kCannotTell;
  std::vector<std::string> words;
};

Judgement judge(const std::string& old_root, const std::string& new_root,
                const std::string& live_root, const std::set<std::string>& excluded);

Judgement judge_between(const std::string& index, const std::string& old_root,
                        const std::string& new_root, const std::string& live_root);

// Judges hand-made trees, good and bad, and prints which it judged wrongly; 0 if none.
int self_test();

}  // namespace oracle
