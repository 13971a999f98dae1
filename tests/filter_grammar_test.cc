// SPDX-License-Identifier: MIT
// How rules are written: in files, merged, on the wire, and what is none.
#include "sync/filter.h"

#include <string>
#include <utility>

#include "base/error.h"
#include "protocol/limits.h"
#include "tests/support/catch.h"
#include "tests/support/filter_lists.h"

using namespace xs;
using namespace xs::test;

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
