// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/oracle_judge.h"
#include "tests/crash/oracle_tree.h"

namespace oracle {
namespace {

namespace fs = std::filesystem;

// Three small trees in a place of their own, and one change to the live one.
class Bench {
 public:
  Bench() {
    std::string pattern = (fs::temp_directory_path() / "xs-oracle-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("mkdtemp", pattern);
    home_ = pattern;
  }
  ~Bench() {
    std::error_code ignored;
    fs::remove_all(home_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Verdict ask(bool start_new, const std::function<void(const fs::path&)>& change,
              const std::set<std::string>& excluded, bool between) {
    for (const char* name : {"old", "new", "live"}) fs::remove_all(home_ / name);
    plant(home_ / "old", false);
    plant(home_ / "new", true);
    plant(home_ / "live", start_new);
    change(home_ / "live");
    if (between) return judge_between("d/b", home_ / "old", home_ / "new", home_ / "live").verdict;
    return judge(home_ / "old", home_ / "new", home_ / "live", excluded).verdict;
  }

 private:
  static void put(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
    fs::permissions(path, fs::perms(0640));
  }

  static void plant(const fs::path& root, bool is_new) {
    fs::create_directories(root / "d/empty");
    put(root / "a", "same");
    put(root / "d/b", is_new ? "after" : "befor");
    if (is_new) put(root / "d/c", "only new");
    put(root / "h1", "linked");
    fs::create_hard_link(root / "h1", root / "h2");
    put(root / "h3", "linked");
    fs::create_symlink("a", root / "l");
  }

  fs::path home_;
};

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Case {
  const char* name;
  Verdict expected;
  bool start_new;
  std::function<void(const fs::path&)> change;
  std::set<std::string> excluded = {};
  bool between = false;
};

std::vector<Case> good_cases() {
  return {
      {"old", kOld, false, [](auto&) {}},
      {"new", kNew, true, [](auto&) {}},
      {"new by hand", kNew, false,
       [](auto& live) {
         write(live / "d/b", "after");
         write(live / "d/c", "only new");
         fs::permissions(live / "d/c", fs::perms(0640));
       }},
      {"an excluded path",
       kOld,
       false,
       [](auto& live) {
         write(live / "a", "other");
         fs::create_directory(live / "d/x");
         write(live / "d/x/y", "extra");
       },
       {"a", "d/x"}},
      {"an excluded staging area",
       kOld,
       false,
       [](auto& live) { fs::create_directories(live / ".xroad-sync/run-1"); },
       {".xroad-sync"}},
      {"a clean staging area", kOld, false,
       [](auto& live) {
         fs::create_directories(live / ".xroad-sync/previous/1");
         write(live / ".xroad-sync/lock", "");
         write(live / ".xroad-sync/areas", "x");
         write(live / ".xroad-sync/previous/1/manifest", "x");
       }},
  };
}

std::vector<Case> bad_trees() {
  return {
      {"a byte", kThird, false, [](auto& live) { write(live / "a", "sbme"); }},
      {"a torn file", kThird, false, [](auto& live) { write(live / "d/b", "aftor"); }},
      {"a short file", kThird, true, [](auto& live) { write(live / "d/c", "only"); }},
      {"half new", kThird, false, [](auto& live) { write(live / "d/b", "after"); }},
      {"half old", kThird, true, [](auto& live) { fs::remove(live / "d/c"); }},
      {"missing", kThird, false, [](auto& live) { fs::remove(live / "a"); }},
      {"a missing directory", kThird, false, [](auto& live) { fs::remove(live / "d/empty"); }},
      {"extra", kThird, false, [](auto& live) { write(live / "z", ""); }},
      {"mode", kThird, false, [](auto& live) { fs::permissions(live / "a", fs::perms(0600)); }},
      {"mode of a directory", kThird, false,
       [](auto& live) { fs::permissions(live / "d", fs::perms(0700)); }},
      {"mode of the root", kThird, false,
       [](auto& live) { fs::permissions(live, fs::perms(0700)); }},
      {"target", kThird, false,
       [](auto& live) {
         fs::remove(live / "l");
         fs::create_symlink("b", live / "l");
       }},
      {"a symlink became its file", kThird, false,
       [](auto& live) {
         fs::remove(live / "l");
         fs::copy_file(live / "a", live / "l");
       }},
      {"a directory became a file", kThird, false,
       [](auto& live) {
         fs::remove(live / "d/empty");
         write(live / "d/empty", "");
       }},
      {"a broken hard link", kThird, false,
       [](auto& live) {
         fs::remove(live / "h2");
         fs::copy_file(live / "h1", live / "h2");
       }},
      {"a hard link too many", kThird, false,
       [](auto& live) {
         fs::remove(live / "h3");
         fs::create_hard_link(live / "h1", live / "h3");
       }},
  };
}

std::vector<Case> leftover_cases() {
  return {
      {"a journal", kLeftovers, false,
       [](auto& live) {
         fs::create_directory(live / ".xroad-sync");
         write(live / ".xroad-sync/journal", "");
       }},
      {"a run", kLeftovers, true,
       [](auto& live) { fs::create_directories(live / ".xroad-sync/run-0000000000000001"); }},
      {"a generation that never was", kLeftovers, true,
       [](auto& live) {
         fs::create_directories(live / ".xroad-sync/previous/1");
         write(live / ".xroad-sync/previous/1/pending", "");
       }},
      {"a run in a second area", kLeftovers, false,
       [](auto& live) { fs::create_directories(live / "d/.xroad-sync/run-1"); }},
  };
}

std::vector<Case> between_cases() {
  std::vector<Case> cases = {
      {"old, between", kOld, false, [](auto&) {}},
      {"new, between", kOld, true, [](auto&) {}},
      {"all but the index", kOld, true, [](auto& live) { write(live / "d/b", "befor"); }},
      {"an index ahead", kThird, false, [](auto& live) { write(live / "d/b", "after"); }},
      {"torn", kThird, false, [](auto& live) { write(live / "d/b", "aftor"); }},
      {"missing meanwhile", kThird, false, [](auto& live) { fs::remove(live / "a"); }},
      {"of neither", kThird, true, [](auto& live) { write(live / "z", ""); }},
  };
  for (Case& each : cases) each.between = true;
  return cases;
}

}  // namespace

int self_test() {
  Bench bench;
  std::vector<Case> cases = good_cases();
  for (auto& more : bad_trees()) cases.push_back(more);
  for (auto& more : leftover_cases()) cases.push_back(more);
  for (auto& more : between_cases()) cases.push_back(more);
  if (::geteuid() == 0) {
    cases.push_back({"owner", kThird, false, [](auto& live) {
                       if (::lchown((live / "l").c_str(), 1, 1) != 0) fail("lchown", live);
                     }});
  }
  int wrong = 0;
  for (const Case& each : cases) {
    const Verdict got = bench.ask(each.start_new, each.change, each.excluded, each.between);
    if (got == each.expected) continue;
    std::printf("'%s' was judged %d, not %d\n", each.name, got, each.expected);
    ++wrong;
  }
  std::printf("%zu trees, %d judged wrongly\n", cases.size(), wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace oracle
