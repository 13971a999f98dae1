// SPDX-License-Identifier: MIT
#include "sync/report/unified_diff.h"

#include <random>

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/setting.h"
#include "tests/support/temp_dir.h"

namespace xs {
namespace {

using test::TempDir;

std::string diff(std::string_view before, std::string_view after) {
  return unified_diff("f", {before}, {after});
}

std::string random_text(std::mt19937_64& random, std::size_t lines) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) {
    text += std::string(1, static_cast<char>('a' + random() % 4)) + "\n";
  }
  if (!text.empty() && random() % 4 == 0) text.pop_back();
  return text;
}

std::string mutated(std::mt19937_64& random, std::string text) {
  for (auto edits = random() % 5; edits > 0 && !text.empty(); --edits) {
    const std::size_t at = random() % text.size();
    if (random() % 2 == 0) {
      text.insert(at, random() % 3 == 0 ? "\n" : "x");
    } else {
      text.erase(at, 1);
    }
  }
  return text;
}

bool patch_is_here() {
  try {
    if (test::run_program({"patch", "--version"}).end == test::kCleanEnd) return true;
  } catch (const Error&) {
  }
  WARN("no patch here: not tested");
  return false;
}

TEST_CASE("diff: the form is that of diff -u", "[report]") {
  CHECK(diff("a\nb\nc\n", "a\nB\nc\n") == "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
  CHECK(diff("", "a\n") == "--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+a\n");
  CHECK(diff("a", "a\n") ==
        "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
  CHECK(diff("same\n", "same\n") == "");
  CHECK(unified_diff("f", {"", false}, {"x\n"}) == "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n");
  CHECK(unified_diff("f", {"x\n"}, {"", false}) == "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n");
}

TEST_CASE("diff: changes far apart are hunks of their own", "[report]") {
  std::string before;
  for (int i = 0; i < 40; ++i) before += std::to_string(i) + "\n";
  std::string after = before;
  after.replace(after.find("\n5\n"), 3, "\nfive\n");
  after.replace(after.find("\n30\n"), 4, "\n");
  const std::string shown = diff(before, after);
  CHECK(shown.find("@@ -3,7 +3,7 @@\n") != std::string::npos);
  CHECK(shown.find("@@ -28,7 +28,6 @@\n") != std::string::npos);
}

TEST_CASE("diff: patch makes the new text of the old one", "[report]") {
  if (!patch_is_here()) return;
  const unsigned seed = test::random_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const TempDir dir;
  for (int round = 0; round < 60; ++round) {
    const std::string before = random_text(random, random() % 30);
    const std::string after = mutated(random, before);
    const std::string shown = diff(before, after);
    INFO("'" << before << "' to '" << after << "'\n" << shown);
    if (shown.empty()) {
      CHECK(before == after);
      continue;
    }
    dir.write("f", before);
    dir.write("d", shown);
    const test::Outcome outcome =
        test::run_program({"patch", "-s", "-f", "-o", dir / "out", dir / "f", dir / "d"});
    INFO(outcome.out << outcome.end);
    CHECK(outcome.end == test::kCleanEnd);
    CHECK(dir.read("out") == after);
  }
}

TEST_CASE("diff: what is binary, long or too different is told to differ", "[report]") {
  CHECK(diff(std::string("a\0b", 3), "x") == "binary files differ: 'f'\n");
  CHECK(diff("a\xff", "x") == "binary files differ: 'f'\n");
  CHECK(unified_diff("n\n", {"a"}, {std::string(2 << 20, 'x')}) == "files differ: 'n\\#012'\n");
  CHECK(diff("a", std::string(30'000, '\n')) == "files differ: 'f'\n");
  std::string before, after;
  for (int i = 0; i < 3000; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  CHECK(diff(before, after) == "files differ: 'f'\n");
}

TEST_CASE("diff: no line of a file reaches the terminal as it is", "[report]") {
  const std::string shown = diff("a\n", "\x1b[31m\tred\r\n");
  CHECK(shown.find('\x1b') == std::string::npos);
  CHECK(shown.find("+\\#033[31m\tred\\#015\n") != std::string::npos);
}

TEST_CASE("diff: what is shown stands for what is compared", "[report]") {
  const std::string shown = unified_diff("f", {"a=1\n", true, "a=*\n"}, {"a=2\n", true, "a=*\n"});
  CHECK(shown == "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a=*\n+a=*\n");
  CHECK(unified_diff("f", {"a=1\n", true, "*\n*\n"}, {"a=2\n", true, "*\n"}) ==
        "files differ: 'f'\n");
}

}  // namespace
}  // namespace xs
