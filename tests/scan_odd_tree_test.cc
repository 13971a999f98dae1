// SPDX-License-Identifier: MIT
// Trees that a scan cannot take as they are: too deep, too long, too many, not to be read.
#include <sys/resource.h>

#include <cerrno>
#include <string>

#include "protocol/entries.h"
#include "sync/hash.h"
#include "sync/scan.h"
#include "tests/support/catch.h"
#include "tests/support/scans.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using namespace xs::test;

TEST_CASE("scan: a path of 4,000 bytes is walked with few descriptors", "[sync]") {
  TempTree tree;
  const std::string deep = repeated("d/", 1999) + "f";
  tree.file(deep, "deep");
  const std::string path = tree.path();
  CHECK(in_child([&] {
          const rlimit few{100, 100};
          if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return 1;
          const ScanResult result = scan(Dir::open_root(path), request_of(Compare::Content));
          if (!result.problems.empty() || result.entries.list.size() != 2001) return 2;
          const Entry& last = result.entries.list.back();
          std::string bytes;
          encode_entries(result.entries, bytes);
          return last.path == deep && last.digest == digest_of("deep") ? 0 : 3;
        }) == 0);
}

TEST_CASE("scan: deep directories are found again after what is below them", "[sync]") {
  TempTree tree;
  std::string path;
  for (int depth = 0; depth < 150; ++depth) {
    tree.file(join_path(path, "after/file")).file(join_path(path, "z"));
    path = join_path(path, "a");
    tree.dir(path);
  }
  const ScanResult result = scan_tree(tree);
  CHECK(result.problems.empty());
  CHECK(result.entries.list.size() == 1 + 150 * 4);
  check_encodes(result);
}

TEST_CASE("scan: a path that cannot travel is a problem of its directory", "[sync]") {
  TempTree tree;
  const std::string name(200, 'n');
  const std::string deep = repeated(name + "/", 20);  // 4,020 bytes
  tree.file(deep + std::string(76, 'f')).file(deep + std::string(77, 'f')).file("ok");
  const ScanResult result = scan_tree(tree);
  CHECK(problems_of(result) == Strings{deep.substr(0, deep.size() - 1)});
  CHECK(result.entries.list.size() == 1 + 20 + 1 + 1);
  check_encodes(result);
}

TEST_CASE("scan: an unreadable directory or file is a problem and the walk goes on", "[sync]") {
  TempTree tree;
  tree.file("closed/below").file("closed-file", "x", 0000).file("open/f", "bytes").file("listed/f");
  tree.mode("closed", 0000).mode("listed", 0444);
  const std::string path = tree.path();
  CHECK(as_nobody([&path] {
          const ScanResult result = scan(Dir::open_root(path), request_of(Compare::Content));
          if (paths_of(result) != Strings{"", "listed", "open", "open/f"}) return 1;
          if (problems_of(result) != Strings{"closed", "closed-file", "listed/f"}) return 2;
          for (const Problem& problem : result.problems) {
            if (problem.what != "cannot be read: Permission denied") return 3;
          }
          const ScanResult quick = scan(Dir::open_root(path), request_of());
          if (problems_of(quick) != Strings{"closed", "listed/f"}) return 4;
          std::string bytes;
          encode_entries(result.entries, bytes);
          return 0;
        }) == 0);
  tree.mode("closed", 0755).mode("listed", 0755);
}

TEST_CASE("scan: a root that cannot be read ends the scan", "[sync]") {
  TempTree tree;
  tree.dir("closed", 0311);
  const std::string path = tree.path_of("closed");
  CHECK(as_nobody([&path] {
          try {
            scan(Dir::open_root(path), request_of());
          } catch (const Error& error) {
            return error.fault() == Fault::Partial && error.code() == EACCES ? 0 : 1;
          }
          return 2;
        }) == 0);
  tree.dir("gone");
  const Dir root = Dir::open_root(tree.path_of("gone"));
  tree.remove("gone");
  CHECK_THROWS_AS(scan(root, request_of()), Error);
}

TEST_CASE("scan: links to a file that cannot be read are problems with it", "[sync]") {
  TempTree tree;
  tree.file("a", "bytes", 0000).hardlink("b", "a").file("c", "c");
  const std::string path = tree.path();
  CHECK(as_nobody([&path] {
          ScanRequest request = request_of(Compare::Content);
          request.options.keep = {Keep::Hardlinks};
          const ScanResult result = scan(Dir::open_root(path), request);
          if (paths_of(result) != Strings{"", "c"}) return 1;
          return problems_of(result) == Strings{"a", "b"} ? 0 : 2;
        }) == 0);
}

TEST_CASE("scan: a tree of more entries than allowed ends the scan", "[sync]") {
  TempTree tree;
  for (int i = 0; i < 10; ++i) tree.file(std::to_string(i));
  ScanRequest request = request_of();
  request.max_entries = 11;
  CHECK(scan_tree(tree, request).entries.list.size() == 11);
  request.max_entries = 10;
  CHECK_THROWS_AS(scan_tree(tree, request), Error);
}
