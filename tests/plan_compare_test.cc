// SPDX-License-Identifier: MIT
#include "sync/plan_compare.h"

#include "sync/plan.h"
#include "tests/support/catch.h"
#include "tests/support/plans.h"
#include "tests/support/trees.h"

namespace xs {
namespace {

using namespace test;

}  // namespace

TEST_CASE("plan: content comparison is by digest; a time alone is no change", "[sync]") {
  const PlanRules rules = rules_for();
  CHECK(empty(plan_of(file("f"), file("f").mtime(1), rules)));
  const Plan plan = plan_of(file("f", "abc"), file("f", "xyz"), rules);
  CHECK(steps(plan) == Lines{"Install f"});
  CHECK(plan.contents == std::vector<StagedContent>{{1, Source::Remote, true}});
  CHECK(plan.bytes == 3);
  CHECK(itemised(plan) == Lines{"f: content"});
  CHECK(itemised(plan_of(file("f", "abc"), file("f", "wxyz").mtime(1), rules)) ==
        Lines{"f: content size time"});
  // Without a digest there is no knowing.
  CHECK(steps(plan_of(file("f"), file("f").no_digest(), rules)) == Lines{"Install f"});
  CHECK(steps(plan_of(file("f").no_digest(), file("f"), rules)) == Lines{"Install f"});
  CHECK(steps(plan_of(file("f").no_digest(), file("f").no_digest(), rules)) == Lines{"Install f"});
  CHECK(empty(plan_of(file("f").no_digest().inlined(), file("f").no_digest().inlined(), rules)));
}

TEST_CASE("plan: quick comparison trusts size and mtime, and digests where those differ",
          "[sync]") {
  const PlanRules rules = rules_for(Compare::Quick);
  CHECK(empty(plan_of(file("f").no_digest(), file("f").no_digest(), rules)));
  CHECK(empty(plan_of(file("f", "abc"), file("f", "xyz"), rules)));
  const Item local = file("f").no_digest();
  const Plan later = plan_of(local, file("f").no_digest().mtime(kTreeTime, 1), rules);
  CHECK(later.contents == std::vector<StagedContent>{{1, Source::Remote, true}});
  CHECK(itemised(later) == Lines{"f: content time"});
  const Plan touched = plan_of(file("f"), file("f").mtime(kTreeTime, 1), rules);
  CHECK(touched.contents == std::vector<StagedContent>{{1, Source::Local, true}});
  CHECK(itemised(touched) == Lines{"f: time"});
  // One digest alone says nothing against our bytes.
  CHECK(plan_of(local, file("f").mode(0600), rules).contents.at(0).source == Source::Local);
  CHECK(plan_of(file("f"), file("f").no_digest().mode(0600), rules).contents.at(0).source ==
        Source::Local);
  // Its generation counts times even where they are not kept, so the plan does too.
  const PlanRules timeless = rules_for(Compare::Quick, {Keep::Permissions});
  CHECK_FALSE(empty(plan_of(file("f"), file("f").mtime(1), timeless)));
  CHECK(empty(plan_of(fifo("f"), fifo("f").mtime(1), rules)));
  CHECK(empty(plan_of(symlink("f", "a"), symlink("f", "a").mtime(1), rules)));
  CHECK(empty(plan_of(dir("f"), dir("f").mtime(1), rules)));
}

TEST_CASE("plan: size-only sees sizes, always takes nothing on trust", "[sync]") {
  const PlanRules size_only = rules_for(Compare::SizeOnly);
  CHECK(empty(plan_of(file("f", "abc"), file("f", "xyz").mtime(1), size_only)));
  CHECK_FALSE(empty(plan_of(file("f", "abc"), file("f", "ab"), size_only)));
  // Also where our bytes are known to be others, they stay under the new attributes, as rsync's do.
  const Plan other = plan_of(file("f", "abc").no_digest().inlined(),
                             file("f", "xyz").no_digest().inlined().mode(0600), size_only);
  CHECK(other.contents.at(0).source == Source::Local);

  const PlanRules always = rules_for(Compare::Always);
  CHECK_FALSE(empty(plan_of(file("f").no_digest(), file("f").no_digest(), always)));
  CHECK(empty(plan_of(file("f"), file("f"), always)));
  CHECK_FALSE(empty(plan_of(file("f"), file("f").mtime(1), always)));
}

TEST_CASE("plan: each attribute counts exactly where it is kept", "[sync]") {
  const std::string acl = "system.posix_acl_access";
  struct Row {
    Keep keep;
    std::string flag;
    Item after;
  };
  const Row rows[] = {{Keep::Permissions, "mode", file("f").mode(0600)},
                      {Keep::Owner, "owner", file("f").owner("root", 0)},
                      {Keep::Group, "group", file("f").group("root", 0)},
                      {Keep::Acls, "acl", file("f").xattr(acl, "x")},
                      {Keep::Xattrs, "xattr", file("f").xattr("user.a", "x")}};
  for (const Row& row : rows) {
    INFO(row.flag);
    const Plan plan = plan_of(file("f"), row.after, rules_for(Compare::Content, {row.keep}));
    CHECK(itemised(plan) == Lines{"f: " + row.flag});
    // A live file is never touched: its bytes are staged again.
    CHECK(steps(plan) == Lines{"Install f"});
    CHECK(plan.contents == std::vector<StagedContent>{{1, Source::Local, true}});
    const Flags<Keep> others = Flags<Keep>::from_bits(kKnown<Keep> & ~Flags<Keep>{row.keep}.bits());
    CHECK(empty(plan_of(file("f"), row.after, rules_for(Compare::Content, others))));
  }
}

TEST_CASE("plan: extended attributes are compared by name and value, in and out of order",
          "[sync]") {
  const PlanRules rules = rules_for();
  const auto with = [](std::string name, std::string value) {
    return file("f").xattr("user.b", "1").xattr(std::move(name), std::move(value));
  };
  CHECK(empty(plan_of(with("user.c", "2"), with("user.c", "2"), rules)));
  CHECK_FALSE(empty(plan_of(with("user.c", "2"), with("user.c", "3"), rules)));
  CHECK_FALSE(empty(plan_of(with("user.c", "2"), with("user.d", "2"), rules)));
  CHECK_FALSE(empty(plan_of(with("user.c", "2"), file("f").xattr("user.b", "1"), rules)));
  CHECK_FALSE(empty(plan_of(file("f").xattr("user.b", "1"), with("user.a", "2"), rules)));
}

TEST_CASE("plan: owners count by name, by number without one or when asked", "[sync]") {
  PlanRules rules = rules_for();
  CHECK(empty(plan_of(file("f").owner("u", 5), file("f").owner("u", 7), rules)));
  CHECK_FALSE(empty(plan_of(file("f").owner("u", 5), file("f").owner("v", 5), rules)));
  CHECK(empty(plan_of(file("f").owner("", 5), file("f").owner("", 5), rules)));
  CHECK_FALSE(empty(plan_of(file("f").owner("", 5), file("f").owner("", 6), rules)));
  CHECK_FALSE(empty(plan_of(file("f").owner("", 5), file("f").owner("u", 5), rules)));
  rules.options.scan = {Scan::Recursive, Scan::NumericIds};
  CHECK_FALSE(empty(plan_of(file("f").owner("u", 5), file("f").owner("u", 7), rules)));
  CHECK(empty(plan_of(file("f").group("u", 5), file("f").group("v", 5), rules)));
}

TEST_CASE("plan: other types differ by target, number and owner, and are made anew", "[sync]") {
  const PlanRules rules = rules_for();
  CHECK(itemised(plan_of(symlink("l", "a"), symlink("l", "b"), rules)) == Lines{"l: content"});
  CHECK(empty(plan_of(symlink("l", "a").mode(0777), symlink("l", "a").mode(0700), rules)));
  CHECK(steps(plan_of(symlink("l", "a"), symlink("l", "a").owner("o"), rules)) ==
        Lines{"Symlink l"});
  CHECK(itemised(plan_of(char_device("c", 1), char_device("c", 2), rules)) == Lines{"c: content"});
  CHECK(itemised(plan_of(block_device("c"), char_device("c"), rules)) == Lines{"c: created"});
  CHECK(steps(plan_of(fifo("p"), fifo("p").mode(0600), rules)) == Lines{"Special p"});
}

TEST_CASE("plan: a directory is rewritten for its attributes only, and never for its time",
          "[sync]") {
  const Plan plan = plan_of(dir("d").mode(0755).mtime(1), dir("d").mode(0700), rules_for());
  CHECK(steps(plan) == Lines{"DirAttributes d"});
  CHECK(plan.replaces + plan.creates == 0);
  CHECK(empty(plan_of(dir("d").mtime(1), dir("d"), rules_for(Compare::Quick))));
}

TEST_CASE("plan: inlined bytes are used before anything is read or fetched", "[sync]") {
  const Plan fresh = plan_of(dir("d"), file("f").inlined(), rules_for());
  CHECK(fresh.contents.at(0).source == Source::Inlined);
  const Plan chmod = plan_of(file("f").mode(0600), file("f").inlined(), rules_for());
  CHECK(chmod.contents.at(0).source == Source::Inlined);
}

TEST_CASE("plan: paths cover what is below them and no neighbour", "[sync]") {
  const PathSet set({"b/c", "a!", "b/c/d", "b", "x/y"});
  for (const char* path : {"a!", "a!/q", "b", "b/c", "b/z", "b/c/d/e", "x/y/z"}) {
    INFO(path);
    CHECK(set.covers(path));
  }
  for (const char* path : {"", "a", "a!b", "b!", "bc", "x", "x/yy", "x/y!"}) {
    INFO(path);
    CHECK_FALSE(set.covers(path));
  }
  CHECK(*set.find_within("x") == "x/y");
  CHECK(*set.find_within("x/y") == "x/y");
  CHECK(set.find_within("") != nullptr);
  CHECK(set.find_within("x/y/z") == nullptr);
  CHECK(set.find_within("a") == nullptr);
  CHECK(PathSet({""}).covers("anything"));
  CHECK(PathSet({}).find_within("") == nullptr);
}

}  // namespace xs
