// SPDX-License-Identifier: MIT
#include "sync/dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "sync/attributes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"

namespace {

using namespace xs;
using test::as_nobody;
using test::TempTree;

Fault fault_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.fault();
  }
  FAIL("no error");
  return Fault::Usage;
}

int code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return 0;
}

std::vector<std::string> names_of(const Dir& dir) {
  Listing listing;
  dir.list(listing);
  listing.sort();
  std::vector<std::string> names;
  names.reserve(listing.size());
  for (std::size_t at = 0; at < listing.size(); ++at) names.emplace_back(listing.name(at));
  return names;
}

bool is_root() { return ::geteuid() == 0; }

constexpr std::uint32_t kStranger = 54321;

}  // namespace

TEST_CASE("dir: a root that is missing, a file or behind a loop is refused with its reason",
          "[sync]") {
  TempTree tree;
  tree.file("file").symlink("loop", "loop").symlink("dangling", "nothing");
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("missing")); }) == Fault::Partial);
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("dangling")); }) == Fault::Partial);
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("file")); }) == Fault::Selection);
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("file/below")); }) == Fault::Selection);
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("loop")); }) == Fault::Selection);
  CHECK(fault_of([&] { Dir::open_root(""); }) == Fault::Selection);
}

TEST_CASE("dir: a symbolic link in the root's path is followed when we own it", "[sync]") {
  TempTree tree;
  tree.file("real/inside/mark")
      .symlink("link", "real/inside")
      .symlink("absolute", tree.path_of("real"));
  CHECK(names_of(Dir::open_root(tree.path_of("link"))) == std::vector<std::string>{"mark"});
  CHECK(names_of(Dir::open_root(tree.path_of("link/"))) == std::vector<std::string>{"mark"});
  CHECK(names_of(Dir::open_root(tree.path_of("absolute/inside"))) ==
        std::vector<std::string>{"mark"});
  CHECK(names_of(Dir::open_root(tree.path_of("real/../link/."))) ==
        std::vector<std::string>{"mark"});
}

TEST_CASE("dir: a stranger's symbolic link anywhere in the root's path is refused", "[sync]") {
  if (!is_root()) {
    WARN("needs root: a link that belongs to somebody else");
    return;
  }
  TempTree tree;
  tree.dir("real/inside").symlink("link", "real").symlink("ours", "link");
  tree.owner("link", kStranger, kStranger);
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("link")); }) == Fault::Selection);
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("link/inside")); }) == Fault::Selection);
  CHECK(fault_of([&] { Dir::open_root(tree.path_of("ours/inside")); }) == Fault::Selection);
}

TEST_CASE("dir: a name that is not one plain component is refused", "[sync]") {
  TempTree tree;
  tree.file("a/b").file("c");
  const Dir root = Dir::open_root(tree.path());
  const std::vector<std::string> bad{
      "", ".", "..", "a/b", "/", "a/", std::string("c\0d", 3), std::string(256, 'n')};
  for (const std::string& name : bad) {
    INFO("name of " << name.size() << " bytes: " << name);
    CHECK(fault_of([&] { root.open_dir(name); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.open_file(name, O_RDONLY); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.create_file(name, 0600); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.unlink(name); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.rmdir(name); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.mkdir(name, 0700); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.rename("c", root, name); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.link("c", root, name); }) == Fault::Protocol);
    CHECK(fault_of([&] { root.symlink("c", name); }) == Fault::Protocol);
    if (name != Dir::kSelf) CHECK(fault_of([&] { root.stat(name); }) == Fault::Protocol);
    if (!name.empty()) CHECK_THROWS_AS(root.walk("a/" + name), Error);
  }
  CHECK(tree.exists("c"));
}

TEST_CASE("dir: no symbolic link below the root is followed", "[sync]") {
  TempTree outside;
  outside.file("secret", "secret", 0640).dir("dir");
  TempTree tree;
  tree.symlink("to-dir", outside.path()).symlink("to-file", outside.path_of("secret"));
  const Dir root = Dir::open_root(tree.path());
  CHECK_THROWS_AS(root.open_dir("to-dir"), Error);
  CHECK_THROWS_AS(root.walk("to-dir/dir"), Error);
  CHECK(code_of([&] { root.open_file("to-file", O_RDONLY); }) == ELOOP);
  CHECK(code_of([&] { root.open_file("to-file", O_WRONLY | O_TRUNC); }) == ELOOP);
  CHECK(code_of([&] { root.create_file("to-file", 0600); }) == EEXIST);
  CHECK(code_of([&] { root.set_mode("to-file", 0777); }) == ELOOP);
  CHECK(root.stat("to-file").type() == EntryType::Symlink);
  CHECK(root.readlink("to-file") == outside.path_of("secret"));
  const auto before = outside.stat("secret");
  root.set_mtime("to-file", 1'500'000'000'123'456'789);
  CHECK(root.stat("to-file").mtime_ns == 1'500'000'000'123'456'789);
  if (is_root()) {
    root.set_owner("to-file", kStranger, kStranger);
    CHECK(root.stat("to-file").uid == kStranger);
  }
  root.link("to-file", root, "second");
  CHECK(root.stat("second").type() == EntryType::Symlink);
  const auto after = outside.stat("secret");
  CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
  CHECK(after.st_uid == before.st_uid);
  CHECK(after.st_nlink == 1);
  CHECK(outside.read("secret") == "secret");
}

TEST_CASE("dir: a fifo or device under a file's name is refused without waiting", "[sync]") {
  TempTree tree;
  tree.fifo("pipe").dir("dir");
  const Dir root = Dir::open_root(tree.path());
  CHECK(code_of([&] { root.open_file("pipe", O_RDONLY); }) == EINVAL);
  CHECK(code_of([&] { root.open_file("dir", O_RDONLY); }) == EINVAL);
  CHECK_FALSE(root.open_file_if_exists("absent", O_RDONLY).has_value());
  CHECK(code_of([&] { root.open_file("absent", O_RDONLY); }) == ENOENT);
}

TEST_CASE("dir: parents that may be searched but not read work", "[sync]") {
  TempTree tree;
  tree.file("search/only/below/file", "bytes");
  if (is_root()) {
    for (const char* path : {"search", "search/only", "search/only/below"})
      tree.owner(path, 65534, 65534);
  }
  tree.mode("search/only", 0311).mode("search", 0311);
  const std::string path = tree.path();
  CHECK(as_nobody([&path] {
          const Dir root = Dir::open_root(path);
          const Dir below = root.walk("search/only/below");
          if (names_of(below) != std::vector<std::string>{"file"}) return 1;
          const Dir search = root.open_dir("search");
          if (search.open_dir("only").stat("below").type() != EntryType::Dir) return 2;
          search.open_dir("only").mkdir("new", 0700);
          if (code_of([&] { names_of(search); }) != EACCES) return 3;
          if (names_of(Dir::open_root(path + "/search/only/below")).size() != 1) return 4;
          search.open_dir("only").rename("new", below, "moved");
          below.rmdir("moved");
          return Dir::open_root(path + "/search").stat("only").is_dir() ? 0 : 5;
        }) == 0);
}

TEST_CASE("dir: what is made, moved, linked and removed is where it was asked for", "[sync]") {
  TempTree tree;
  const Dir root = Dir::open_root(tree.path());
  root.mkdir("a", 0700);
  root.mkdir("b", 0755);
  const Dir a = root.open_dir("a");
  const Dir b = root.walk("b");
  CHECK(a.path() == "a");
  {
    Fd file = a.create_file("f", 0600);
    CHECK(::write(file.get(), "12345", 5) == 5);
    file.close("f");
  }
  CHECK(code_of([&] { a.create_file("f", 0600); }) == EEXIST);
  CHECK(a.stat("f").size == 5);
  a.link("f", b, "kept");
  CHECK(a.stat("f").nlink == 2);
  CHECK(a.stat("f").same_inode(b.stat("kept")));
  a.rename("f", b, "g");
  CHECK(names_of(a).empty());
  CHECK(names_of(b) == std::vector<std::string>{"g", "kept"});
  b.set_mode("g", 04751);
  CHECK(b.stat("g").permissions() == 04751);
  b.set_mode(Dir::kSelf, 0711);
  CHECK(root.stat("b").permissions() == 0711);
  b.set_mtime(Dir::kSelf, 1'500'000'000'000'000'001);
  CHECK(root.stat("b").mtime_ns == 1'500'000'000'000'000'001);
  b.set_owner(Dir::kSelf, ::geteuid(), ::getegid());
  CHECK(b.stat(Dir::kSelf).same_inode(root.stat("b")));
  b.set_mtime("g", -1'500'000'000);
  CHECK(b.stat("g").mtime_ns == -1'500'000'000);
  b.symlink("any where", "l");
  CHECK(b.readlink("l") == "any where");
  b.mknod("pipe", S_IFIFO | 0600, 0);
  CHECK(b.stat("pipe").type() == EntryType::Fifo);
  for (const char* name : {"g", "kept", "l", "pipe"}) b.unlink(name);
  CHECK(code_of([&] { b.unlink("g"); }) == ENOENT);
  b.sync();
  root.sync_filesystem();
  root.rmdir("b");
  CHECK_FALSE(root.open_dir_if_exists("b").has_value());
  CHECK_FALSE(root.stat_if_exists("b").has_value());
  CHECK(root.open_dir_if_exists("a").has_value());
}

TEST_CASE("dir: an error names the path below the root, escaped", "[sync]") {
  TempTree tree;
  tree.dir("a/li\nne");
  const Dir root = Dir::open_root(tree.path());
  const Dir below = root.walk("a/li\nne");
  CHECK_THROWS_WITH(below.stat("x"), "stat 'a/li\\#012ne/x': No such file or directory");
  CHECK_THROWS_WITH(root.walk("a/none/x"), Catch::Contains("'a/none'"));
  CHECK(root.subject(Dir::kSelf) == tree.path());
}

TEST_CASE("dir: a directory of many names is listed whole, and again", "[sync]") {
  TempTree tree;
  const Dir root = Dir::open_root(tree.path());
  std::set<std::string> made;
  for (int i = 0; i < 4000; ++i) {
    const std::string name = "a-rather-long-name-that-fills-the-buffer-" + std::to_string(i);
    root.symlink("x", name);
    made.insert(name);
  }
  const auto first = names_of(root);
  CHECK(std::set<std::string>(first.begin(), first.end()) == made);
  CHECK(first.size() == made.size());
  CHECK(std::is_sorted(first.begin(), first.end()));
  CHECK(names_of(root) == first);
}

TEST_CASE("dir: a stamp tells every change of a file", "[sync]") {
  TempTree tree;
  tree.file("f", "one");
  const Dir root = Dir::open_root(tree.path());
  std::set<std::uint64_t> stamps{root.stat("f").stamp()};
  CHECK(stamps.count(root.stat("f").stamp()) == 1);
  tree.mode("f", 0600);
  stamps.insert(root.stat("f").stamp());
  tree.file("f", "four", 0600);
  stamps.insert(root.stat("f").stamp());
  tree.mtime("f", 1);
  stamps.insert(root.stat("f").stamp());
  tree.remove("f").file("f", "four", 0600).mtime("f", 1);
  stamps.insert(root.stat("f").stamp());
  CHECK(stamps.size() == 5);
}

TEST_CASE("dir: space and file systems are told apart", "[sync]") {
  TempTree tree;
  tree.dir("a");
  const Dir root = Dir::open_root(tree.path());
  CHECK(root.space().bytes > 0);
  CHECK(root.space().inodes > 0);
  CHECK(root.same_filesystem(root.open_dir("a")));
  CHECK_FALSE(root.same_filesystem(Dir::open_root("/proc")));
}

TEST_CASE("dir: extended attributes are those of the entry, not of what it points to", "[sync]") {
  TempTree tree;
  tree.file("f").symlink("l", "f").dir("d");
  const Dir root = Dir::open_root(tree.path());
  if (code_of([&] { set_xattr(root, "f", "user.one", "1"); }) == ENOTSUP) {
    WARN("no user attributes here");
    return;
  }
  set_xattr(root, "f", "user.two", std::string("a\0b", 3));
  set_xattr(root, "d", "user.dir", "");
  set_xattr(root, Dir::kSelf, "user.root", "r");
  CHECK(get_xattr(root, "f", "user.two") == std::string("a\0b", 3));
  CHECK(get_xattr(root, "d", "user.dir") == std::string());
  CHECK(get_xattr(root.open_dir("d"), Dir::kSelf, "user.dir") == std::string());
  CHECK(get_xattr(root, Dir::kSelf, "user.root") == std::string("r"));
  CHECK_FALSE(get_xattr(root, "f", "user.none").has_value());
  CHECK_FALSE(get_xattr(root, "l", "user.one").has_value());
  CHECK_THROWS_AS(set_xattr(root, "l", "user.one", "x"), Error);
  const Flags<Keep> keep{Keep::Xattrs};
  const std::vector<Xattr> expected{{"user.one", "1"}, {"user.two", std::string("a\0b", 3)}};
  CHECK(read_xattrs(root, "f", keep) == expected);
  CHECK(read_xattrs(root, "f", {Keep::Acls}).empty());
  remove_xattr(root, "f", "user.one");
  remove_xattr(root, "f", "user.one");
  CHECK(read_xattrs(root, "f", keep).size() == 1);
  CHECK(code_of([&] { get_xattr(root, "absent", "user.one"); }) == ENOENT);
}

TEST_CASE("dir: the managed attributes depend on options and privilege", "[sync]") {
  const Flags<Keep> both{Keep::Acls, Keep::Xattrs};
  CHECK(manages(both, "user.x", false));
  CHECK_FALSE(manages(both, "security.capability", false));
  CHECK(manages(both, "security.capability", true));
  CHECK_FALSE(manages(both, "security.selinux", true));
  CHECK_FALSE(manages(both, "system.nfs4_acl", true));
  CHECK(manages(both, kAclAccess, false));
  CHECK_FALSE(manages({Keep::Xattrs}, kAclAccess, true));
  CHECK_FALSE(manages({Keep::Acls}, "user.x", true));
}

TEST_CASE("dir: an unknown user never becomes somebody", "[sync]") {
  CHECK(local_uid({"root", 7}) == 0U);
  CHECK(local_uid({"", 7}) == 7U);
  CHECK_FALSE(local_uid({"no-such-user-xs", 0}).has_value());
  CHECK_FALSE(local_gid({"no-such-group-xs", 0}).has_value());
  Names names(false);
  CHECK(names.user(0) == Principal{"root", 0});
  CHECK(names.user(4'000'000'123) == Principal{"", 4'000'000'123});
  Names numbers(true);
  CHECK(numbers.user(0) == Principal{"", 0});
}

TEST_CASE("dir: a link that is swapped in for a directory never leads out", "[sync]") {
  TempTree outside;
  outside.file("below/outside");
  TempTree tree;
  tree.file("dir/below/inside").symlink("link", outside.path());
  const Dir root = Dir::open_root(tree.path());
  std::atomic<bool> stop{false};
  std::atomic<unsigned long> flips{0};
  const std::string one = tree.path_of("dir");
  const std::string two = tree.path_of("link");
  std::thread flipper([&] {
    while (!stop) {
      if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), RENAME_EXCHANGE) == 0) ++flips;
    }
  });
  int inside = 0;
  int refused = 0;
  int escaped = 0;
  const auto count = [&](const Dir& dir) {
    if (dir.stat_if_exists("inside")) ++inside;
    if (dir.stat_if_exists("outside")) ++escaped;
  };
  for (int i = 0; i < 6000 || ((inside == 0 || refused == 0) && i < 200'000); ++i) {
    try {
      count(i % 2 == 0 ? root.walk("dir/below") : root.open_dir("dir").open_dir("below"));
    } catch (const Error&) {
      ++refused;
    }
  }
  stop = true;
  flipper.join();
  INFO(inside << " inside, " << refused << " refused, " << flips << " flips");
  CHECK(escaped == 0);
  CHECK(inside > 0);
  CHECK(refused > 0);
}
