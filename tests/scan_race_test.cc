// SPDX-License-Identifier: MIT
// Trees that change under a scan: nothing that never was is taken for what is there.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "base/fd.h"
#include "sync/contents.h"
#include "sync/hash.h"
#include "sync/scan.h"
#include "tests/support/catch.h"
#include "tests/support/scans.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using namespace xs::test;

TEST_CASE("scan: a deep directory that is replaced while below it is a problem as a whole",
          "[sync]") {
  TempTree tree;
  const std::string top = repeated("d/", 80) + "x";
  tree.file(top + "/a/b").file(top + "/z");
  ScanRequest request = request_of();
  const Dir root = Dir::open_root(tree.path());
  request.leave = [&](std::string_view path) {
    if (path != top + "/a") return;
    const auto split = split_path(top);
    const Dir parent = root.walk(split.parent);
    parent.rename("x", parent, "old");
    parent.mkdir("x", 0755);
  };
  const ScanResult result = scan(root, request);
  CHECK(problems_of(result) == Strings{top});
  CHECK(result.entries.list.size() == 81);
  check_encodes(result);
}

TEST_CASE("scan: a name that vanishes is counted and skipped", "[sync]") {
  TempTree tree;
  tree.file("a").dir("b").file("c", "c");
  ScanRequest request = request_of(Compare::Content);
  request.hidden = [&](std::string_view path, bool) {
    if (path == "a" || path == "b") tree.remove(path);
    return false;
  };
  ScanResult result = scan_tree(tree, request);
  CHECK(paths_of(result) == Strings{"", "c"});
  CHECK(result.vanished == 2);
  CHECK(result.problems.empty());
  // Gone, or a directory, when its contents are wanted.
  tree.file("d").file("e");
  const Dir root = Dir::open_root(tree.path());
  result = scan(root, request_of());
  tree.remove("d").remove("e").dir("e");
  read_contents(root, result, {});
  CHECK(paths_of(result) == Strings{"", "c"});
  CHECK(result.vanished == 2);
  check_encodes(result);
}

TEST_CASE("scan: a file that changed since it was seen is flagged and has no digest", "[sync]") {
  TempTree tree;
  tree.file("a", "same size 1").file("b", "stays").file("c", "x");
  const Dir root = Dir::open_root(tree.path());
  ScanResult result = scan(root, request_of());
  const auto mtime = root.stat("a").mtime_ns;
  tree.file("a", "same size 2").mtime("a", mtime);
  tree.remove("c").file("c", "x");
  read_contents(root, result, {.digests = true, .inline_limit = 100});
  REQUIRE(result.moved == std::vector<std::uint32_t>{1, 3});
  CHECK_FALSE(entry_of(result, "a").digest.has_value());
  CHECK_FALSE(entry_of(result, "a").inlined);
  CHECK(entry_of(result, "b").digest == digest_of("stays"));
  check_encodes(result);
}

TEST_CASE("scan: what is flagged is still the right file after another was given up", "[sync]") {
  TempTree tree;
  tree.file("a").file("b").file("c", "x").file("d", "y");
  if (is_root()) tree.owner("a", 54321, 54321).owner("d", 5, 5);
  const Dir root = Dir::open_root(tree.path());
  ScanResult result = scan(root, request_of());
  tree.remove("a").remove("b").file("c", "z");
  read_contents(root, result, {});
  CHECK(paths_of(result) == Strings{"", "c", "d"});
  CHECK(result.moved == std::vector<std::uint32_t>{1});
  CHECK(entry_of(result, "d").digest == digest_of("y"));
  CHECK(result.stamps[2] == root.stat("d").stamp());
  check_encodes(result);
}

TEST_CASE("scan: a file that is written while it is read is never taken for whole", "[sync]") {
  TempTree tree;
  const std::string a(3'000'000, 'a');
  const std::string b(3'000'000, 'b');
  tree.file("f", a);
  const Dir root = Dir::open_root(tree.path());
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    const Fd file = root.open_file("f", O_WRONLY);
    for (bool odd = true; !stop; odd = !odd) {
      const std::string& bytes = odd ? b : a;
      for (std::size_t at = 0; at < bytes.size(); at += 65'536) {
        const std::size_t piece = std::min<std::size_t>(65'536, bytes.size() - at);
        if (::pwrite(file.get(), bytes.data() + at, piece, static_cast<off_t>(at)) < 0) return;
      }
    }
  });
  int flagged = 0;
  int mixed = 0;
  for (int i = 0; i < 100; ++i) {
    const ScanResult result = scan(root, request_of(Compare::Content));
    const auto& digest = entry_of(result, "f").digest;
    const bool suspect = !result.moved.empty() || !result.young.empty();
    if (suspect) ++flagged;
    if (!suspect && digest != digest_of(a) && digest != digest_of(b)) ++mixed;
  }
  stop = true;
  writer.join();
  CHECK(mixed == 0);
  CHECK(flagged > 0);
  tree.file("f", a);
  CHECK(entry_of(scan(root, request_of(Compare::Content)), "f").digest == digest_of(a));
}

TEST_CASE("scan: a file that changed a moment ago is young, and later is not", "[sync]") {
  TempTree tree;
  const Dir root = Dir::open_root(tree.path());
  tree.file("f", "x");
  CHECK(scan(root, request_of(Compare::Content)).young == std::vector<std::uint32_t>{1});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool settled = false;
  while (!settled && std::chrono::steady_clock::now() < deadline) {
    settled = scan(root, request_of(Compare::Content)).young.empty();
  }
  CHECK(settled);
}
