// SPDX-License-Identifier: MIT
#include "sync/filter_walk.h"

#include <algorithm>
#include <map>
#include <random>

#include "base/error.h"
#include "protocol/limits.h"
#include "tests/support/catch.h"

using namespace xs;

namespace {

using Files = std::map<std::string, std::string>;
using Names = std::vector<std::string>;

// The tree of the reference table; a trailing slash marks a directory.
const Names& reference_tree() {
  static const Names kTree = {"foo/",
                              "foo/f.o",
                              "foo/bar/",
                              "foo/bar/f.o",
                              "foo/bar/baz/",
                              "foo/bar/baz/g",
                              "foo/x/",
                              "foo/x/bar/",
                              "foo/x/bar/h",
                              "a/",
                              "a/foo/",
                              "a/foo/bar/",
                              "a/foo/bar/i",
                              "dir/",
                              "dir/f",
                              "dir/d2/",
                              "dir/d2/g",
                              "q/",
                              "q/dir/",
                              "q/dir/z",
                              "conf.d/",
                              "conf.d/node.ini",
                              "sub/",
                              "sub/db.properties",
                              "sub/y.tmp",
                              "sub/conf.d/",
                              "sub/conf.d/node.ini",
                              "db.properties",
                              "conf.d.txt",
                              "x.tmp",
                              ".tmp",
                              "a1",
                              "a[1]",
                              "st*r",
                              "back\\slash",
                              "UP",
                              "]x",
                              "\xc3\xa9",
                              "sp ace/",
                              "linkdir"};
  return kTree;
}

FilterLookup lookup_in(const Files& files) {
  return [files](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
}

bool directly_below(const std::string& name, const std::string& dir) {
  return name.size() > dir.size() && name.compare(0, dir.size(), dir) == 0 &&
         (name.find('/', dir.size()) == std::string::npos ||
          name.find('/', dir.size()) == name.size() - 1);
}

enum class Ask { Hidden, Protected, Deleting };

// Walks `tree` and returns the topmost names that the list leaves out.
void walk_below(FilterWalk& walk, const Names& tree, const FilterLookup& lookup, Ask ask,
                const std::string& dir, Names& out) {
  walk.enter(dir.substr(0, dir.empty() ? 0 : dir.size() - 1), lookup);
  for (const std::string& name : tree) {
    if (!directly_below(name, dir)) continue;
    const bool is_dir = name.back() == '/';
    const std::string path = is_dir ? name.substr(0, name.size() - 1) : name;
    const bool gone = ask == Ask::Hidden ? walk.hidden(path, is_dir)
                                         : walk.is_protected(path, is_dir, ask == Ask::Deleting);
    if (gone) out.push_back(name);
    if (!gone && is_dir) walk_below(walk, tree, lookup, ask, name, out);
  }
  walk.leave();
}

Names left_out(const FilterList& list, Ask ask = Ask::Hidden, const Names& tree = reference_tree(),
               const Files& files = {}, bool delete_excluded = false) {
  Names out;
  FilterWalk walk(list, {"/t/ft", delete_excluded});
  walk_below(walk, tree, lookup_in(files), ask, "", out);
  std::sort(out.begin(), out.end());
  return out;
}

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

// "-P" is --exclude=P, "+P" is --include=P, "fR" is --filter=R.
FilterList list_of(const Names& options) {
  FilterList list;
  for (const std::string& option : options) {
    const std::string value = option.substr(1);
    if (option[0] == '-') list.exclude(value);
    if (option[0] == '+') list.include(value);
    if (option[0] == 'f') list.filter(value);
  }
  return list;
}

std::string error_of(const std::function<void()>& call, Fault fault = Fault::Usage) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.fault() == fault);
    return error.text();
  }
  return "no error";
}

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

TEST_CASE("filter: every kind of line end, comments and prefixes of an exclude file are read",
          "[sync]") {
  FilterList list;
  list.exclude_from("# no\n; no\n\n/foo/\r\n+ UP\rU*\n #x\n- a1\ntrail \n!x", "rules");
  CHECK(list.to_wire() == Names{"- /foo/", "+ UP", "- U*", "-  #x", "- a1", "- trail ", "- !x"});
  list.include_from("!\na\n- b", "rules");
  CHECK(list.to_wire() == Names{"+ a", "- b"});
  FilterList nul;
  nul.exclude_from(std::string("a\nb\0#c\0+ d\0\0e", 13), "rules", true);
  CHECK(nul.to_wire() == Names{"- a\nb", "+ d", "- e"});
}

TEST_CASE("filter: a merge file is read in place, with the modifiers of its rule as defaults",
          "[sync]") {
  const Files files = {{"full", "- a\n# c\nP b\n. more\n"},
                       {"more", "+ c/"},
                       {"bare", "- x\n!\n# c\n"},
                       {"words", "-_a +_b\n!\t-_c"},
                       {"clear", "!\n- z"}};
  const auto reader = [&](const std::string& path) { return files.at(path); };
  const auto wire = [&](const std::string& rule) {
    FilterList list = list_of({"-first"});
    list.filter(rule, reader);
    return list.to_wire();
  };
  CHECK(wire(". full") == Names{"- first", "- a", "-r b", "+ c/"});
  CHECK(wire(".- bare") == Names{"- first", "- - x", "- !"});
  CHECK(wire("merge,+/p bare") == Names{"- first", "+/p - x", "+/p !"});
  CHECK(wire(".s more") == Names{"- first", "+s c/"});
  CHECK(wire(".e more") == Names{"- first", "- more", "+ c/"});
  CHECK(wire(".w words") == Names{"- c"});
  CHECK(wire("._clear") == Names{"- z"});
  CHECK(error_of([&] { wire(".s full"); }) ==
        "full:3: filter rule 'P b', position 2: the merge file has a side already, so its rules "
        "may not name one");
}

TEST_CASE("filter: merge files nest 32 deep and no deeper", "[sync]") {
  const auto reader_to = [](int last) {
    return [last](const std::string& path) {
      const int number = std::stoi(path);
      return number == last ? std::string("- end") : ". " + std::to_string(number + 1);
    };
  };
  FilterList list;
  list.filter(". 1", reader_to(32));
  CHECK(list.to_wire() == Names{"- end"});
  CHECK(error_of([&] { list.filter(". 1", reader_to(33)); }).find("nested more than 32 deep") !=
        std::string::npos);
  CHECK(error_of([&] { list.filter(". self", [](const std::string&) { return ". self"; }); }) !=
        "no error");
  CHECK(error_of([&] { list.filter(". x"); }).find("cannot be read here") != std::string::npos);
}

TEST_CASE("filter: a malformed rule is named with the position of what is wrong", "[sync]") {
  const std::pair<const char*, const char*> kCases[] = {
      {"-foo", "filter rule '-foo', position 1: invalid modifier 'f'"},
      {"-,sz foo", "filter rule '-,sz foo', position 3: invalid modifier 'z'"},
      {"hide,s foo", "filter rule 'hide,s foo', position 5: invalid modifier 's'"},
      {"Pr foo", "filter rule 'Pr foo', position 1: invalid modifier 'r'"},
      {"exclude\tfoo", "filter rule 'exclude\\#011foo', position 7: invalid modifier '\\#011'"},
      {"-n foo", "filter rule '-n foo', position 1: invalid modifier 'n'"},
      {":! foo", "filter rule ':! foo', position 1: invalid modifier '!'"},
      {".-+ foo", "filter rule '.-+ foo', position 2: invalid modifier '+'"},
      {"- ", "filter rule '- ', position 2: the pattern is missing"},
      {"-", "filter rule '-', position 1: the pattern is missing"},
      {":", "filter rule ':', position 1: the file name is missing"},
      {"! x", "filter rule '! x', position 1: nothing may follow the clear rule"},
      {"clear x", "filter rule 'clear x', position 5: nothing may follow the clear rule"},
      {"foo",
       "filter rule 'foo', position 0: this is no filter rule (it begins with none of - + . : H S "
       "P R ! or a "
       "long name)"},
      {"excludes x",
       "filter rule 'excludes x', position 0: this is no filter rule (it begins with none of - + . "
       ": H "
       "S P R ! or a long name)"},
  };
  for (const auto& [rule, message] : kCases) {
    FilterList list = list_of({"-kept"});
    const std::string text = rule;
    CHECK(error_of([&] { list.filter(text); }) == message);
    CHECK(list.to_wire() == Names{"- kept"});
  }
  FilterList list;
  CHECK(error_of([&] { list.filter("-C"); }, Fault::Unsupported)
            .find("position 1: the CVS modifier") != std::string::npos);
  CHECK(error_of([&] { list.filter(":C"); }, Fault::Unsupported) != "no error");
  CHECK(error_of([&] { list.exclude("- "); }) ==
        "filter rule '- ', position 2: the pattern is missing");
  CHECK(error_of([&] { list.exclude(std::string("a\0b", 3)); }) ==
        "filter rule 'a\\#000b', position 1: a NUL byte");
  CHECK(error_of([&] { list.exclude_from("a\r\n\r\n# c\nb\n- \n", "/etc/rules"); }) ==
        "/etc/rules:5: filter rule '- ', position 2: the pattern is missing");
}

TEST_CASE("filter: rules beyond the limits are refused", "[sync]") {
  FilterList list;
  list.exclude(std::string(limits::kFilterRule - 2, 'x'));
  CHECK(error_of([&] { list.exclude(std::string(limits::kFilterRule - 1, 'x')); }) != "no error");
  std::string many;
  for (std::size_t i = 0; i < limits::kFilterRules; ++i) many += "a\n";
  FilterList full;
  full.exclude_from(many, "many");
  CHECK(error_of([&] { full.exclude("one more"); }) != "no error");
  CHECK(full.rules().size() == limits::kFilterRules);
  CHECK(error_of([&] { list.exclude_from(many + "b\n", "many"); }) != "no error");
}

TEST_CASE("filter: every rule survives the wire", "[sync]") {
  const FilterList list =
      list_of({"-/conf.d/node.ini", "+ a", "-- b", "f-/!xsrp  two/", "fP,p q", "fS_r", "fH s",
               "f+! */", "f:nw-esrp/ .rules/", "f:+ up/.more", "-#x", "-!x", "- ", "f- /", "-\n"});
  CHECK(list.to_wire() == Names{"- /conf.d/node.ini", "+  a", "- b", "-/!xsrp  two/", "-rp q",
                                "+s r", "-s s", "+! */", ":/nw-srp .rules/", ":+ up/.more", "- #x",
                                "- !x", "-  ", "- /", "- \n"});
  CHECK(FilterList::from_wire(list.to_wire()) == list);
}

TEST_CASE("filter: nothing but canonical rules is accepted from the wire", "[sync]") {
  for (const char* rule :
       {"",    "!",  "clear", ". file", "exclude a", "-_a", "-,s a", "-ps a",   "-ss a", "H a",
        "P a", "-C", ":C",    ":e a",   "-z a",      "- ",  "+",     "garbage", "+/",    ":x a"}) {
    INFO(rule);
    CHECK(error_of(
              [&] {
                FilterList::from_wire({"- good", rule});
              },
              Fault::Protocol) != "no error");
  }
  CHECK(error_of([&] { FilterList::from_wire({": .m", ": .m"}); }, Fault::Protocol) != "no error");
  CHECK(error_of([&] { FilterList::from_wire(Names(limits::kFilterRules + 1, "- a")); },
                 Fault::Protocol) != "no error");
  CHECK(error_of([&] { FilterList::from_wire({"- " + std::string(limits::kFilterRule, 'a')}); },
                 Fault::Protocol) != "no error");
  CHECK(error_of([&] { FilterList::from_wire({std::string("- a\0b", 5)}); }, Fault::Protocol) !=
        "no error");
  CHECK(FilterList::from_wire({"- a", ": .m"}).has_dir_merge());
}

namespace {

const Names kSmallTree = {"a/",     "a/x",  "a/y", "a/b/", "a/b/x", "a/b/y",
                          "a/b/.f", "a/.f", "x",   "y",    ".f"};

Names with_files(const std::string& rule, const Files& files, Ask ask = Ask::Hidden) {
  return left_out(list_of({"f" + rule}), ask, kSmallTree, files);
}

}  // namespace

TEST_CASE("filter: a per-directory file rules its directory and what is below", "[sync]") {
  CHECK(with_files(": .f", {{"a/.f", "- x"}}) == Names{"a/b/x", "a/x"});
  CHECK(with_files(":n .f", {{"a/.f", "- x"}}) == Names{"a/x"});
  CHECK(with_files(": .f", {{"a/.f", "- /x"}}) == Names{"a/x"});
  CHECK(with_files(": .f", {{".f", "- /a/b/x"}}) == Names{"a/b/x"});
  CHECK(with_files(": .f", {{"a/.f", "- /b/*"}}) == sorted({"a/b/.f", "a/b/x", "a/b/y"}));
  CHECK(with_files(":- .f", {{"a/.f", "x\n+ y"}}) == Names{"a/b/x", "a/x"});
  CHECK(with_files(":w .f", {{"a/.f", "-_x -_y"}}) == sorted({"a/b/x", "a/b/y", "a/x", "a/y"}));
  CHECK(with_files(":e .f", {}) == sorted({".f", "a/.f", "a/b/.f"}));
  CHECK(with_files(": .f/", {{".f", "- x\n- b"}}) == Names{"a/b/"});
  CHECK(with_files(":e .f/", {}).empty());
  CHECK(with_files(":s .f", {{".f", "- x"}}, Ask::Protected).empty());
  CHECK(with_files(":r .f", {{".f", "- x"}}, Ask::Protected) == sorted({"x", "a/x", "a/b/x"}));
}

TEST_CASE(
    "filter: the nearest per-directory file speaks first and can clear the others of its name",
    "[sync]") {
  CHECK(with_files(": .f", {{".f", "- x"}, {"a/b/.f", "+ x"}}) == Names{"a/x", "x"});
  CHECK(with_files(": .f", {{".f", "- x"}, {"a/.f", "!\n- y"}}) == sorted({"x", "a/y", "a/b/y"}));
  const FilterList two = list_of({"f: .f", "f: .g", "-y"});
  CHECK(left_out(two, Ask::Hidden, kSmallTree, {{".g", "- x"}, {"a/.f", "!"}}) ==
        sorted({"a/b/x", "a/b/y", "a/x", "a/y", "x", "y"}));
  CHECK(left_out(two, Ask::Hidden, kSmallTree, {{".g", "+ y"}}).empty());
  const FilterList again = list_of({"f: .f", "-y", "f:- sub/.f"});
  CHECK(again.to_wire() == Names{": .f", "- y"});
  CHECK(with_files(": .f", {{".f", "- x\n: .g\n!\n: .g"}, {".g", "- y"}}) ==
        sorted({"y", "a/y", "a/b/y"}));
  CHECK(with_files(": .f", {{".f", ": .g"}, {".g", "- y\n: .f"}}) == sorted({"y", "a/y", "a/b/y"}));
}

TEST_CASE("filter: a per-directory file may name another one and merge a third", "[sync]") {
  CHECK(with_files(": .f", {{"a/.f", ": .g"}, {"a/.g", "- x"}, {".g", "- y"}}) ==
        Names{"a/b/x", "a/x"});
  CHECK(with_files(": .f", {{"a/.f", ". ./b/more"}, {"a/b/more", "- y"}}) == Names{"a/b/y", "a/y"});
  CHECK(with_files(": .f", {{".f", ". more"}, {"more", "- /a/x"}}) == Names{"a/x"});
  CHECK(with_files(": .f", {{"a/.f", ". more"}, {"more", "- /x"}}).empty());
  CHECK(with_files(": .f", {{".f", ". more"}, {"more", "H x"}}, Ask::Protected).empty());
  CHECK(error_of(
            [] {
              with_files(": .f", {{"a/.f", ". none"}});
            },
            Fault::Io) == "the merge file 'none' cannot be read");
  CHECK(error_of([] {
          with_files(": .f", {{"a/.f", "- ok\n-zz"}});
        }) == "a/.f:2: filter rule '-zz', position 1: invalid modifier 'z'");
  std::string many;
  for (int i = 0; i < 100; ++i) many += ": .g" + std::to_string(i) + "\n";
  CHECK(error_of([&] {
          with_files(": .f", {{".f", many}});
        }).find("different dir-merge files") != std::string::npos);
}

TEST_CASE("filter: a dir-merge with a path also reads the directories above the root", "[sync]") {
  CHECK(with_files(": /.f", {{"/.f", "- x"}, {"/t/.f", "- /ft/a/y"}}) ==
        sorted({"a/b/x", "a/x", "a/y", "x"}));
  CHECK(with_files(": ../.f", {{"/.f", "- x"}, {"/t/.f", "- y"}}) == sorted({"a/b/y", "a/y", "y"}));
  CHECK(with_files(":n /.f", {{"/t/.f", "- y"}}).empty());
  CHECK(with_files(": /.f", {{"/.f", "- /t/ft/x"}, {"/t/.f", "- /x"}}) == Names{"x"});
  CHECK(with_files(": sub/.f", {{".f", "- /x"}, {"sub/.f", "- y"}}) == Names{"x"});
}

TEST_CASE("filter: a leading slash in a per-directory file takes its directory's name literally",
          "[sync]") {
  FilterWalk walk(list_of({"f: .f"}), {"/t/[r]", false});
  const auto lookup = lookup_in({{"d[1]/.f", "- /x*"}});
  walk.enter("", lookup);
  walk.enter("d[1]", lookup);
  CHECK(walk.hidden("d[1]/xy", false));
  CHECK_FALSE(walk.hidden("d[1]/q/xy", false));
  walk.leave();
  CHECK_FALSE(walk.hidden("d1/xy", false));
  walk.leave();
}

TEST_CASE("filter: rules of a directory are gone after leaving it", "[sync]") {
  FilterWalk walk(list_of({"f: .f"}), {"/", false});
  const auto lookup = lookup_in({{"a/.f", "- x\n: .g"}, {"a/.g", "- z"}, {"b/.g", "- z"}});
  walk.enter("", lookup);
  walk.enter("a", lookup);
  CHECK(walk.hidden("a/x", false));
  CHECK(walk.hidden("a/z", false));
  walk.leave();
  walk.enter("b", lookup);
  CHECK_FALSE(walk.hidden("b/x", false));
  CHECK_FALSE(walk.hidden("b/z", false));
  walk.leave();
  walk.leave();
}

TEST_CASE("filter: a walk for one side does not read per-directory rules of the other", "[sync]") {
  const FilterList list = list_of({"f:s .f"});
  const auto lookup = lookup_in({{".f", ": .g\n- x"}, {".g", ". none"}});
  FilterWalk receiver(list, {"/t", false, false, true});
  receiver.enter("", lookup);
  CHECK_FALSE(receiver.is_protected("x", false));
  FilterWalk sender(list, {"/t", false, true, false});
  CHECK_THROWS_AS(sender.enter("", lookup), Error);
}

TEST_CASE("filter: under the file system's root an absolute rule is a plain one", "[sync]") {
  FilterWalk walk(list_of({"f-/ /etc/x", "f-/ **y"}), {"/", false});
  CHECK(walk.hidden("etc/x", false));
  CHECK(walk.hidden("q/y", false));
  CHECK(walk.hidden("y", false));
  CHECK_FALSE(walk.hidden("a/etc/x", false));
}
