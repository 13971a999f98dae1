// SPDX-License-Identifier: MIT
// What a scan lists, and what it says of each entry.
#include "sync/scan.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "sync/attributes.h"
#include "sync/hash.h"
#include "tests/support/catch.h"
#include "tests/support/scans.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using namespace xs::test;

TEST_CASE("scan: a directory stands directly before what is below it", "[sync]") {
  TempTree tree;
  tree.file("a-b").file("a.b").file("a/x").file("a/b/c").file("a0").dir("empty").file("Z");
  const ScanResult result = scan_tree(tree);
  CHECK(paths_of(result) ==
        Strings{"", "Z", "a", "a/b", "a/b/c", "a/x", "a-b", "a.b", "a0", "empty"});
  CHECK(result.problems.empty());
  CHECK(result.files == 6);
  check_encodes(result);
}

TEST_CASE("scan: an entry holds what the file system says", "[sync]") {
  TempTree tree;
  tree.file("f", "12345", 04751).symlink("l", "../any where").dir("d", 01770);
  tree.mtime("f", 1'600'000'000'987'654'321);
  const ScanResult result = scan_tree(tree);
  const Entry& file = entry_of(result, "f");
  CHECK(file.type == EntryType::File);
  CHECK(file.size == 5);
  CHECK(file.mode == 04751);
  CHECK(file.mtime_ns == 1'600'000'000'987'654'321);
  CHECK_FALSE(file.digest.has_value());
  CHECK(entry_of(result, "l").type == EntryType::Symlink);
  CHECK(entry_of(result, "l").content == "../any where");
  CHECK(entry_of(result, "d").mode == 01770);
  CHECK(entry_of(result, "").type == EntryType::Dir);
  const Dir root = Dir::open_root(tree.path());
  CHECK(result.stamps[2] == root.stat("f").stamp());
  check_encodes(result);
}

TEST_CASE("scan: names of every kind are bytes to it", "[sync]") {
  TempTree tree;
  const std::string longest(255, 'n');
  const Strings names{"-rf",      " ",           "\x01", "a\nb", "caf\xC3\xA9",
                      "\xFF\xFE", "back\\slash", "*",    "'",    longest};
  for (const std::string& name : names) tree.file(name, name);
  const ScanResult result = scan_tree(tree, request_of(Compare::Content));
  CHECK(result.entries.list.size() == names.size() + 1);
  CHECK(result.problems.empty());
  for (const std::string& name : names) CHECK(entry_of(result, name).digest == digest_of(name));
  check_encodes(result);
}

TEST_CASE("scan: what is neither file, directory nor link is reported unless it is kept",
          "[sync]") {
  TempTree tree;
  tree.fifo("fifo").socket("socket").symlink("link", "x").file("f");
  ScanRequest request = request_of();
  request.options.keep = {};
  ScanResult result = scan_tree(tree, request);
  CHECK(paths_of(result) == Strings{"", "f"});
  CHECK(problems_of(result) == Strings{"fifo", "link", "socket"});
  CHECK(result.problems[0].what == "fifo not copied");
  request.options.keep = {Keep::Specials, Keep::Symlinks};
  result = scan_tree(tree, request);
  CHECK(result.problems.empty());
  CHECK(entry_of(result, "fifo").type == EntryType::Fifo);
  CHECK(entry_of(result, "socket").type == EntryType::Socket);
  check_encodes(result);
  request.options.scan = {};
  tree.dir("d");
  CHECK(problems_of(scan_tree(tree, request)) == Strings{"d"});
}

TEST_CASE("scan: a device is an entry with its number where devices are kept", "[sync]") {
  if (!is_root()) {
    WARN("needs root: mknod");
    return;
  }
  TempTree tree;
  const Dir root = Dir::open_root(tree.path());
  if (::mknod(tree.path_of("null").c_str(), S_IFCHR | 0600, 0x103) != 0) {
    WARN("mknod is not allowed here");
    return;
  }
  CHECK(problems_of(scan(root, request_of())) == Strings{"null"});
  ScanRequest request = request_of();
  request.options.keep = {Keep::Devices};
  const ScanResult result = scan(root, request);
  CHECK(entry_of(result, "null").type == EntryType::CharDevice);
  CHECK(entry_of(result, "null").size == 0x103);
  check_encodes(result);
}

TEST_CASE("scan: hard links repeat their first path when they are kept", "[sync]") {
  TempTree tree;
  tree.file("m", "bytes").hardlink("b/second", "m").hardlink("z", "m").file("single");
  CHECK(entry_of(scan_tree(tree), "z").type == EntryType::File);
  ScanRequest request = request_of(Compare::Content);
  request.options.keep = {Keep::Hardlinks};
  const ScanResult result = scan_tree(tree, request);
  CHECK(entry_of(result, "b/second").type == EntryType::File);
  CHECK(entry_of(result, "b/second").digest == digest_of("bytes"));
  for (const char* path : {"m", "z"}) {
    CHECK(entry_of(result, path).type == EntryType::Hardlink);
    CHECK(entry_of(result, path).content == "b/second");
  }
  CHECK(entry_of(result, "single").type == EntryType::File);
  CHECK(result.files == 2);
  check_encodes(result);
}

TEST_CASE("scan: the staging area at the root is never listed", "[sync]") {
  TempTree tree;
  tree.file(".xroad-sync/staged").file(".xroad-sync-2");
  CHECK(paths_of(scan_tree(tree)) == Strings{"", ".xroad-sync-2"});
}

TEST_CASE("scan: a destination of another sync below the root is a problem as a whole", "[sync]") {
  TempTree tree;
  tree.file("a/b/!first").file("a/b/.xroad-sync/lock").file("a/b/c/d").file("a/z");
  const ScanResult result = scan_tree(tree);
  CHECK(paths_of(result) == Strings{"", "a", "a/z"});
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "a/b");
  CHECK_THAT(result.problems[0].what, Catch::Matchers::Contains("destination"));
}

TEST_CASE("scan: a mount point is an entry, its staging area is not, one file system ends there",
          "[sync]") {
  TempTree tree;
  tree.file("mnt/.xroad-sync/under").file("other");
  const std::string path = tree.path();
  const auto at = tree.path_of("mnt");
  constexpr int kNoMounts = 50;
  const int result = in_child([&] {
    const bool own = ::unshare(CLONE_NEWNS) == 0 &&
                     ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!own || ::mount("none", at.c_str(), "tmpfs", 0, nullptr) != 0) return kNoMounts;
    const Dir mounted = Dir::open_root(at);
    mounted.mkdir(".xroad-sync", 0700);
    mounted.mkdir("seen", 0700);
    const Dir root = Dir::open_root(path);
    if (paths_of(scan(root, request_of())) != Strings{"", "mnt", "mnt/seen", "other"}) return 1;
    ScanRequest request = request_of();
    request.options.scan = {Scan::Recursive, Scan::OneFileSystem};
    if (paths_of(scan(root, request)) != Strings{"", "mnt", "other"}) return 2;
    return root.same_filesystem(mounted) ? 3 : 0;
  });
  if (result == kNoMounts) {
    WARN("needs root: a mount");
    return;
  }
  CHECK(result == 0);
}

TEST_CASE("scan: what the filter hides is neither listed nor entered", "[sync]") {
  TempTree tree;
  tree.file("a/keep").file("a/drop").file("hidden/below").file("dir-only").file("x/dir-only/below");
  tree.mode("hidden", 0000);
  std::map<std::string, bool> asked;
  Strings steps;
  ScanRequest request = request_of();
  request.hidden = [&](std::string_view path, bool is_dir) {
    asked.emplace(path, is_dir);
    const auto name = split_path(path).name;
    return name == "drop" || name == "hidden" || (name == "dir-only" && is_dir);
  };
  request.enter = [&](const Dir& dir) { steps.push_back("+" + dir.path()); };
  request.leave = [&](std::string_view path) { steps.push_back("-" + std::string(path)); };
  const ScanResult result = scan_tree(tree, request);
  CHECK(paths_of(result) == Strings{"", "a", "a/keep", "dir-only", "x"});
  CHECK(asked == std::map<std::string, bool>{{"a", true},
                                             {"a/drop", false},
                                             {"a/keep", false},
                                             {"dir-only", false},
                                             {"hidden", true},
                                             {"x", true},
                                             {"x/dir-only", true}});
  CHECK(steps == Strings{"+", "+a", "-a", "+x", "-x", "-"});
  CHECK(result.problems.empty());
  tree.mode("hidden", 0755);
  request.hidden = [](std::string_view, bool) -> bool { throw Error(Fault::Usage, "bad rule"); };
  CHECK_THROWS_WITH(scan_tree(tree, request), "bad rule");
}

TEST_CASE("scan: directories without files are pruned when asked", "[sync]") {
  TempTree tree;
  tree.dir("a/b/c").file("d/e/f").dir("d/empty");
  ScanRequest request = request_of();
  request.options.scan = {Scan::Recursive, Scan::PruneEmptyDirs};
  const ScanResult result = scan_tree(tree, request);
  CHECK(paths_of(result) == Strings{"", "d", "d/e", "d/e/f"});
  check_encodes(result);
}

TEST_CASE("scan: small files are inlined on request, with or without digests", "[sync]") {
  TempTree tree;
  tree.file("empty").file("small", "12345").file("large", std::string(100, 'x'));
  ScanRequest request = request_of();
  request.options.inline_limit = 5;
  const ScanResult quick = scan_tree(tree, request);
  CHECK(entry_of(quick, "empty").inlined);
  CHECK(entry_of(quick, "small").content == "12345");
  CHECK_FALSE(entry_of(quick, "small").digest.has_value());
  CHECK_FALSE(entry_of(quick, "large").inlined);
  request.options.compare = Compare::Content;
  const ScanResult content = scan_tree(tree, request);
  CHECK(entry_of(content, "small").digest == digest_of("12345"));
  CHECK(entry_of(content, "large").digest == digest_of(std::string(100, 'x')));
  check_encodes(content);
}

TEST_CASE("scan: owners are listed in the order of their first use, by name or by number",
          "[sync]") {
  TempTree tree;
  tree.file("a").file("b").file("c").fifo("b0");
  if (is_root()) tree.owner("b", 54321, 54322).owner("b0", 5, 5);
  ScanResult result = scan_tree(tree);
  check_encodes(result);
  if (is_root()) {
    CHECK(result.entries.users == std::vector<Principal>{{"root", 0}, {"", 54321}});
    CHECK(result.entries.users[entry_of(result, "b").owner].id == 54321);
  }
  ScanRequest request = request_of();
  request.options.scan = {Scan::Recursive, Scan::NumericIds};
  result = scan_tree(tree, request);
  CHECK(result.entries.users[0] == Principal{"", ::geteuid()});
  request.options.keep = {};
  result = scan_tree(tree, request);
  CHECK(result.entries.users == std::vector<Principal>{{"", 0}});
  check_encodes(result);
}

TEST_CASE("scan: extended attributes and ACLs are read when kept", "[sync]") {
  TempTree tree;
  tree.file("f").dir("d");
  const Dir root = Dir::open_root(tree.path());
  try {
    set_xattr(root, "f", "user.b", "2");
    set_xattr(root, "f", "user.a", "1");
    set_xattr(root, "d", "user.d", "3");
    // Version 2; user::rw- user:1:r-- group::r-- mask::r-- other::---
    set_xattr(
        root, "f", std::string(kAclAccess),
        std::string(
            "\2\0\0\0\1\0\6\0\377\377\377\377\2\0\4\0\1\0\0\0\4\0\4\0\377\377\377\377\20\0\4\0\377"
            "\377\377\377\40\0\0\0\377\377\377\377",
            44));
  } catch (const Error& error) {
    WARN("no extended attributes here: " << error.what());
    return;
  }
  ScanRequest request = request_of();
  CHECK(entry_of(scan_tree(tree, request), "f").xattrs.empty());
  request.options.keep = {Keep::Xattrs};
  ScanResult result = scan_tree(tree, request);
  CHECK(entry_of(result, "f").xattrs == std::vector<Xattr>{{"user.a", "1"}, {"user.b", "2"}});
  CHECK(entry_of(result, "d").xattrs == std::vector<Xattr>{{"user.d", "3"}});
  request.options.keep = {Keep::Acls};
  result = scan_tree(tree, request);
  REQUIRE(entry_of(result, "f").xattrs.size() == 1);
  CHECK(entry_of(result, "f").xattrs[0].value.size() == 44);
  check_encodes(result);
}

TEST_CASE("scan: two trees with the same contents have one generation", "[sync]") {
  TempTree one;
  TempTree two;
  for (TempTree* tree : {&one, &two}) tree->file("a/b", "bytes").symlink("l", "a").dir("e", 0700);
  two.mtime("a/b", 1).mtime("e", 1);
  const ScanRequest request = request_of(Compare::Content);
  const auto digest = [&](const TempTree& tree) {
    return generation(scan_tree(tree, request).entries, request.options);
  };
  CHECK(digest(one) == digest(two));
  two.file("a/b", "Bytes");
  CHECK(digest(one) != digest(two));
}

TEST_CASE("scan: contents are compared while the tree is small", "[sync]") {
  ScanResult tree;
  tree.files = 5'000;
  tree.bytes = 64ULL << 20;
  CHECK(suitable_compare(tree) == Compare::Content);
  ++tree.files;
  CHECK(suitable_compare(tree) == Compare::Quick);
  tree.files = 1;
  ++tree.bytes;
  CHECK(suitable_compare(tree) == Compare::Quick);
}
