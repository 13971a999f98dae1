// SPDX-License-Identifier: MIT
// Which names a list of rules leaves out, on either side.
#include "sync/filter_walk.h"

#include <string>

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/filter_lists.h"

using namespace xs;
using namespace xs::test;

namespace {

Names tops() {
  Names names;
  for (const std::string& name : reference_tree()) {
    if (directly_below(name, "")) names.push_back(name);
  }
  return names;
}

Names top_dirs() {
  Names names;
  for (const std::string& name : tops()) {
    if (name.back() == '/') names.push_back(name);
  }
  return names;
}

const Names kBars = {"foo/bar/", "foo/x/bar/", "a/foo/bar/"};
const Names kFoos = {"foo/", "a/foo/"};
const Names kDeepFoo = {"foo/x/bar/"};

}  // namespace

TEST_CASE("filter: a single rule hides what the reference table says", "[sync]") {
  struct Row {
    Names options;
    Names hidden;
  };
  const std::string e_acute = "\xc3\xa9";
  const Row rows[] = {
      {{"-db.properties"}, {"db.properties", "sub/db.properties"}},
      {{"-/db.properties"}, {"db.properties"}},
      {{"-*.tmp"}, {"x.tmp", ".tmp", "sub/y.tmp"}},
      {{"-conf.d/node.ini"}, {"conf.d/node.ini", "sub/conf.d/node.ini"}},
      {{"-/conf.d/node.ini"}, {"conf.d/node.ini"}},
      {{"-conf.d*"}, {"conf.d/", "conf.d.txt", "sub/conf.d/"}},
      {{"-foo"}, kFoos},
      {{"-foo/"}, kFoos},
      {{"-/foo"}, {"foo/"}},
      {{"-linkdir"}, {"linkdir"}},
      {{"-linkdir/"}, {}},
      {{"-foo/bar"}, {"foo/bar/", "a/foo/bar/"}},
      {{"-foo/bar/"}, {"foo/bar/", "a/foo/bar/"}},
      {{"-/foo/bar"}, {"foo/bar/"}},
      {{"-foo/*/bar"}, kDeepFoo},
      {{"-/foo/**/bar"}, kDeepFoo},
      {{"-foo/**"}, {"foo/f.o", "foo/bar/", "foo/x/", "a/foo/bar/"}},
      {{"-/foo/***"}, {"foo/"}},
      {{"-dir/***"}, {"dir/", "q/dir/"}},
      {{"-dir/**"}, {"dir/f", "dir/d2/", "q/dir/z"}},
      {{"-**/bar"}, kBars},
      {{"-**bar"}, kBars},
      {{"-/**/bar"}, kBars},
      {{"-*/bar"}, kBars},
      {{"-bar/**"}, {"foo/bar/f.o", "foo/bar/baz/", "foo/x/bar/h", "a/foo/bar/i"}},
      {{"-a[1]"}, {"a1"}},
      {{"-a\\[1]"}, {"a[1]"}},
      {{"-a[[]1]"}, {"a[1]"}},
      {{"-st\\*r"}, {"st*r"}},
      {{"-st[*]r"}, {"st*r"}},
      {{"-st*r"}, {"st*r"}},
      {{"-back\\slash"}, {"back\\slash"}},
      {{"-back\\slas*"}, {}},
      {{"-back\\\\slas*"}, {"back\\slash"}},
      {{"-[[:upper:]]*"}, {"UP"}},
      {{"-[!a-z]*"}, {".tmp", "UP", "]x", e_acute}},
      {{"-[^a-z]*"}, {".tmp", "UP", "]x", e_acute}},
      {{"-[]]x"}, {"]x"}},
      {{"-[a-"}, {}},
      {{"-[[:bogus:]]x"}, {}},
      {{"-" + e_acute}, {e_acute}},
      {{"-??"}, {"a1", "UP", "]x", e_acute, "dir/d2/"}},
      {{"-[" + e_acute + "]"}, {}},
      {{"-[!a-z]"}, {}},
      {{"-*"}, tops()},
      {{"-**"}, tops()},
      {{"-***"}, tops()},
      {{"-/*"}, tops()},
      {{"-*/"}, top_dirs()},
      {{"-/*/"}, top_dirs()},
      {{"-/"}, {}},
      {{"-**/UP"}, {"UP"}},
      {{"-**UP"}, {"UP"}},
      {{"-[^/]P"}, {}},
      {{"-f**/*.o"}, {"foo/f.o", "foo/bar/f.o"}},
      {{"-foo//bar"}, {}},
      {{"-./foo"}, {}},
      {{"-foo/."}, {}},
      {{"-../ft/foo"}, {}},
      {{"-node.ini "}, {}},
      {{"-# x"}, {}},
      {{"--foo"}, {}},
      {{"fP foo"}, {}},
      {{"f-r foo"}, {}},
      {{"fH foo"}, kFoos},
      {{"f-s foo"}, kFoos},
      {{"f-p foo"}, kFoos},
      {{"f-_foo"}, kFoos},
      {{"fexclude foo"}, kFoos},
      {{"fhide_foo"}, kFoos},
      {{"f-/ ft/foo"}, {"foo/"}},
      {{"f-/ /t/ft/foo"}, {"foo/"}},
      {{"f-/ /foo"}, {}},
      {{"--" + std::string(" foo")}, kFoos},
      {{"-+ foo"}, {}},
      {{"-!"}, {}},
      {{"-"}, {}},
  };
  for (const Row& row : rows) {
    INFO("option " << row.options.front());
    Names expected = row.hidden;
    CHECK(left_out(list_of(row.options)) == sorted(expected));
  }
}

TEST_CASE("filter: the first rule that matches decides", "[sync]") {
  CHECK(left_out(list_of({"+/foo/bar/", "-/foo/*"})) == Names{"foo/f.o", "foo/x/"});
  CHECK(left_out(list_of({"-/foo/*", "+/foo/bar/"})) == Names{"foo/bar/", "foo/f.o", "foo/x/"});
  CHECK(left_out(list_of({"+foo/bar/f.o", "-*"})) == sorted(tops()));
  Names objects;
  for (const std::string& name : reference_tree()) {
    const bool object = name.size() > 2 && name.substr(name.size() - 2) == ".o";
    if (name.back() != '/' && !object) objects.push_back(name);
  }
  CHECK(left_out(list_of({"+*/", "+*.o", "-*"})) == sorted(objects));
  Names files;
  for (const std::string& name : reference_tree()) {
    if (name.back() != '/') files.push_back(name);
  }
  CHECK(left_out(list_of({"f-! */"})) == sorted(files));
  CHECK(left_out(list_of({"-foo", "-!", "-UP"})) == Names{"UP"});
  CHECK(left_out(list_of({"-foo", "fclear", "-UP"})) == Names{"UP"});
}

TEST_CASE("filter: the root itself is never hidden or protected", "[sync]") {
  FilterWalk walk(list_of({"-*", "f-! x"}), {"/t", false});
  CHECK_FALSE(walk.hidden("", true));
  CHECK_FALSE(walk.is_protected("", true));
  CHECK(walk.hidden("y", true));
}

TEST_CASE("filter: an exclude protects, and each side can be named alone", "[sync]") {
  const Names up = {"UP"};
  for (const char* rule : {"f- UP", "fP UP", "f-r UP", "f-sr UP", "fprotect UP"}) {
    INFO(rule);
    CHECK(left_out(list_of({rule}), Ask::Protected) == up);
  }
  for (const char* rule : {"fH UP", "f-s UP", "fR UP", "fS UP"}) {
    INFO(rule);
    CHECK(left_out(list_of({rule}), Ask::Protected).empty());
  }
  CHECK(left_out(list_of({"fR UP", "- UP"}), Ask::Protected).empty());
  CHECK(left_out(list_of({"fR UP", "- UP"})).empty());
  CHECK(left_out(list_of({"fR UP", "-UP"})) == up);
  CHECK(left_out(list_of({"fS UP", "-UP"})).empty());
  CHECK(left_out(list_of({"fS UP", "-UP"}), Ask::Protected) == up);
}

TEST_CASE("filter: a perishable rule is void in a directory that is being deleted", "[sync]") {
  const FilterList list = list_of({"f-p *.tmp", "-UP"});
  CHECK(left_out(list, Ask::Hidden) == Names{".tmp", "UP", "sub/y.tmp", "x.tmp"});
  CHECK(left_out(list, Ask::Protected) == Names{".tmp", "UP", "sub/y.tmp", "x.tmp"});
  CHECK(left_out(list, Ask::Deleting) == Names{"UP"});
}

TEST_CASE("filter: delete-excluded leaves only rules that name the receiver to protect", "[sync]") {
  const FilterList list = list_of({"-UP", "fP a1", "f-sr ]x", "fR x.tmp", "fP *.tmp"});
  const Files none;
  CHECK(left_out(list, Ask::Protected, reference_tree(), none, true) ==
        Names{".tmp", "]x", "a1", "sub/y.tmp"});
  CHECK(left_out(list, Ask::Hidden, reference_tree(), none, true) == Names{"UP", "]x"});
}

TEST_CASE("filter: mandatory rules cannot be lifted by any rule of the list", "[sync]") {
  const FilterList fence = list_of({"-db.properties", "f-p *.tmp", "-/sub/conf.d/"});
  const Names kept = {".tmp",      "db.properties", "sub/conf.d/", "sub/db.properties",
                      "sub/y.tmp", "x.tmp"};
  FilterList ours = list_of({"+*", "f+ db.properties", "f!", "fR *", "fS *", "f+! nothing"});
  const FilterList both = ours.with_mandatory(fence);
  for (const bool delete_excluded : {false, true}) {
    CHECK(left_out(both, Ask::Hidden, reference_tree(), {}, delete_excluded) == kept);
    CHECK(left_out(both, Ask::Protected, reference_tree(), {}, delete_excluded) == kept);
    CHECK(left_out(both, Ask::Deleting, reference_tree(), {}, delete_excluded) == kept);
  }
  FilterList later = both;
  later.filter("!");
  later.exclude("UP");
  CHECK(left_out(later) == sorted({".tmp", "UP", "db.properties", "sub/conf.d/",
                                   "sub/db.properties", "sub/y.tmp", "x.tmp"}));
  CHECK(both.to_wire() == ours.to_wire());
  CHECK_THROWS_AS(ours.with_mandatory(list_of({"f: .rules"})), Error);
}

TEST_CASE("filter: a mandatory include only ends the mandatory list", "[sync]") {
  const FilterList both = list_of({"-a1"}).with_mandatory(list_of({"+a1", "+UP", "-*"}));
  FilterWalk walk(both, {"/t", false});
  CHECK(walk.hidden("a1", false));
  CHECK_FALSE(walk.hidden("UP", false));
  CHECK(walk.hidden("foo", true));
}

TEST_CASE("filter: rules for attributes and rules for files do not meet", "[sync]") {
  FilterWalk walk(list_of({"f-x user.secret*", "f+xs security.*", "fP,x trusted.*", "-user.*"}),
                  {"/t", false});
  CHECK(walk.xattr_hidden("user.secret.key") == true);
  CHECK(walk.xattr_hidden("security.selinux") == false);
  CHECK(walk.xattr_hidden("trusted.a") == std::nullopt);
  CHECK(walk.xattr_protected("trusted.a") == true);
  CHECK(walk.xattr_hidden("user.other") == std::nullopt);
  CHECK(walk.hidden("user.other", false));
  CHECK_FALSE(walk.hidden("trusted.a", false));
}

TEST_CASE("filter: a name is hidden with a hidden parent when it did not come from a walk",
          "[sync]") {
  FilterWalk walk(list_of({"-/foo/", "-*.tmp"}), {"/t", false});
  CHECK_FALSE(walk.hidden("foo/bar", false));
  CHECK(walk.hidden_with_parents("foo/bar", false));
  CHECK(walk.hidden_with_parents("a/x.tmp/b", false));
  CHECK_FALSE(walk.hidden_with_parents("a/foo/bar", false));
  CHECK(walk.hidden_with_parents("foo", true));
  CHECK_FALSE(walk.hidden_with_parents("foo", false));
}

TEST_CASE("filter: under the file system's root an absolute rule is a plain one", "[sync]") {
  FilterWalk walk(list_of({"f-/ /etc/x", "f-/ **y"}), {"/", false});
  CHECK(walk.hidden("etc/x", false));
  CHECK(walk.hidden("q/y", false));
  CHECK(walk.hidden("y", false));
  CHECK_FALSE(walk.hidden("a/etc/x", false));
}
