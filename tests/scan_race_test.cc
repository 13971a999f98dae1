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

namespace {

// A file that a thread writes without end, a byte at a time, to its first and its second half in
// turn: who reads it meanwhile gets a mixture that it never was. Single bytes, because the kernel
// sets the time of a write before it moves the bytes: a long write that is held up in between can
// be read half done with nothing to tell it by. Of one byte there is no half.
class BusyFile {
 public:
  explicit BusyFile(TempTree& tree, const Dir& root) {
    tree.file("f", bytes_);
    file_ = root.open_file("f", O_WRONLY);
    writer_ = std::thread([this] { write(); });
  }
  ~BusyFile() { stop(); }
  BusyFile(const BusyFile&) = delete;
  BusyFile& operator=(const BusyFile&) = delete;

  void stop() {
    stop_ = true;
    if (writer_.joinable()) writer_.join();
  }
  // The writes that are begun, and those of them that are done: as many states it has had.
  std::uint64_t begun() const { return begun_; }
  std::uint64_t done() const { return done_; }

  // Whether it was these bytes between the writes `from` and `to`; `from` never goes back.
  bool was(const Digest& digest, std::uint64_t from, std::uint64_t to) {
    for (; known_ < from; ++known_) apply(bytes_, known_);
    std::string bytes = bytes_;
    for (std::uint64_t at = from; digest_of(bytes) != digest; ++at) {
      if (at == to) return false;
      apply(bytes, at);
    }
    return true;
  }

 private:
  static constexpr std::size_t kHalf = 300'000;  // more than is read at once

  static std::size_t place(std::uint64_t number) {
    return static_cast<std::size_t>(number / 2 * 7919 % kHalf + number % 2 * kHalf);
  }
  static char byte(std::uint64_t number) { return static_cast<char>(1 + number % 251); }
  static void apply(std::string& bytes, std::uint64_t number) {
    bytes[place(number)] = byte(number);
  }
  void write() {
    while (!stop_) {
      const std::uint64_t number = begun_++;
      const char one = byte(number);
      if (::pwrite(file_.get(), &one, 1, static_cast<off_t>(place(number))) != 1) return;
      ++done_;
    }
  }

  std::string bytes_ = std::string(2 * kHalf, '\0');
  std::uint64_t known_ = 0;  // the writes that are in bytes_
  Fd file_;
  std::atomic<std::uint64_t> begun_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> stop_{false};
  std::thread writer_;
};

}  // namespace

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
  const Dir root = Dir::open_root(tree.path());
  BusyFile file(tree, root);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  int written = 0;  // scans during which the writer came to write
  int moved = 0;
  while ((written < 100 || moved == 0) && std::chrono::steady_clock::now() < deadline) {
    const std::uint64_t begun = file.begun();
    const std::uint64_t before = file.done();
    const ScanResult result = scan(root, request_of(Compare::Content));
    const std::uint64_t after = file.begun();
    const auto& digest = entry_of(result, "f").digest;
    if (after != begun) ++written;
    if (!result.moved.empty()) {
      ++moved;
      REQUIRE_FALSE(digest.has_value());
      REQUIRE(after != before);
    } else if (result.young.empty() || after == before) {
      REQUIRE(digest.has_value());
      REQUIRE(file.was(*digest, before, after));
    }
  }
  CHECK(written >= 100);
  CHECK(moved > 0);
  file.stop();
  REQUIRE(file.begun() == file.done());
  const auto digest = entry_of(scan(root, request_of(Compare::Content)), "f").digest;
  CHECK(file.was(digest.value(), file.done(), file.done()));
}

TEST_CASE("scan: a file that changed a moment ago is young, and later is not", "[sync]") {
  TempTree tree;
  const Dir root = Dir::open_root(tree.path());
  tree.file("f", "x");
  // As soon as we are quick enough.
  bool young = false;
  for (int i = 0; i < 100 && !young; ++i) {
    tree.file("f", std::to_string(i));
    young = scan(root, request_of(Compare::Content)).young == std::vector<std::uint32_t>{1};
  }
  CHECK(young);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool settled = false;
  while (!settled && std::chrono::steady_clock::now() < deadline) {
    settled = scan(root, request_of(Compare::Content)).young.empty();
  }
  CHECK(settled);
}
