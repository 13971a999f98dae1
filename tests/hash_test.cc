// SPDX-License-Identifier: MIT
#include "sync/hash.h"

#include <fcntl.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "sync/dir.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"
#include "tests/support/temp_tree.h"

namespace {

using namespace xs;

Entry file(const std::string& path, const std::string& bytes) {
  Entry entry;
  entry.path = path;
  entry.size = bytes.size();
  entry.digest = digest_of(bytes);
  entry.mtime_ns = 1'700'000'000'000'000'000;
  entry.mode = 0644;
  return entry;
}

Entries sample() {
  Entries entries;
  entries.users = {{"root", 0}, {"", 1234}};
  entries.groups = {{"root", 0}};
  Entry root;
  root.type = EntryType::Dir;
  root.mode = 0755;
  Entry link;
  link.path = "link";
  link.type = EntryType::Symlink;
  link.content = "target";
  entries.list = {root, file("a", "bytes"), file("b", "other"), link};
  entries.list[2].owner = 1;
  entries.list[2].xattrs = {{"system.posix_acl_access", "acl"}, {"user.x", "1"}};
  return entries;
}

Options options_of(Compare compare) {
  Options options;
  options.compare = compare;
  options.keep = {Keep::Permissions, Keep::Owner, Keep::Group,
                  Keep::Symlinks,    Keep::Acls,  Keep::Xattrs};
  options.scan = {Scan::Recursive};
  return options;
}

// Whether the change is one that the generation under these options tells; the fingerprints must
// agree.
bool tells(const Options& options, const std::function<void(Entries&)>& change) {
  Entries changed = sample();
  change(changed);
  const bool told = generation(sample(), options) != generation(changed, options);
  CHECK((fingerprints(sample(), options, 7) != fingerprints(changed, options, 7)) == told);
  return told;
}

}  // namespace

TEST_CASE("hash: digests are those of the reference", "[sync]") {
  CHECK(to_hex(digest_of("")) == "99aa06d3014798d86001c324468d497f");
  CHECK(to_hex(Digest{}) == std::string(32, '0'));
}

TEST_CASE("hash: pieces of any size give the digest of the whole", "[sync]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::string bytes(300'001, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  Hasher hasher;
  for (const std::size_t step : {1UL, 2UL, 3UL, 7UL, 15UL, 240UL, 4096UL, 500'000UL}) {
    const std::string_view part =
        std::string_view(bytes).substr(0, step < 16 ? 5000 : bytes.size());
    hasher.reset();
    for (std::size_t at = 0; at < part.size(); at += step) hasher.update(part.substr(at, step));
    CHECK(hasher.digest() == digest_of(part));
  }
  test::TempTree tree;
  tree.file("f", bytes);
  const Fd opened = Dir::open_root(tree.path()).open_file("f", O_RDONLY);
  CHECK(digest_of_file(opened, "f") == digest_of(bytes));
}

TEST_CASE("hash: a generation tells every difference that is managed", "[sync]") {
  for (const Compare compare :
       {Compare::Content, Compare::Quick, Compare::SizeOnly, Compare::Always}) {
    const Options options = options_of(compare);
    INFO("compare " << static_cast<int>(compare));
    CHECK_FALSE(tells(options, [](Entries&) {}));
    CHECK(tells(options, [](Entries& e) { e.list[1].path = "aa"; }));
    CHECK(tells(options, [](Entries& e) { e.list[1].mode = 0600; }));
    CHECK(tells(options, [](Entries& e) { e.list[1].size = 6; }));
    CHECK(tells(options, [](Entries& e) { e.list[1].type = EntryType::Fifo; }));
    CHECK(tells(options, [](Entries& e) { e.list[0].mode = 0700; }));
    CHECK(tells(options, [](Entries& e) { e.list[1].owner = 1; }));
    CHECK(tells(options, [](Entries& e) { e.users[0].name = "toor"; }));
    CHECK(tells(options, [](Entries& e) { e.users[1].id = 1235; }));
    CHECK(tells(options, [](Entries& e) { e.list[3].content = "targe"; }));
    CHECK(tells(options, [](Entries& e) { e.list[2].xattrs[1].value = "2"; }));
    CHECK(tells(options, [](Entries& e) { e.list[2].xattrs.pop_back(); }));
    CHECK(tells(options, [](Entries& e) { e.list.pop_back(); }));
    // A known name counts, not the number that it has here; a link has no mode; inlined bytes are
    // the digest's.
    CHECK_FALSE(tells(options, [](Entries& e) { e.users[0].id = 7; }));
    CHECK_FALSE(tells(options, [](Entries& e) { e.list[3].mode = 0777; }));
    CHECK_FALSE(tells(options, [](Entries& e) { e.list[0].mtime_ns = 5; }));
    CHECK_FALSE(tells(options, [](Entries& e) {
      e.list[1].content = "bytes";
      e.list[1].inlined = true;
    }));
    // The tables may be in any order.
    CHECK_FALSE(tells(options, [](Entries& e) {
      std::swap(e.users[0], e.users[1]);
      for (Entry& entry : e.list) entry.owner = 1 - entry.owner;
    }));
  }
}

TEST_CASE("hash: contents and times count as the comparison says", "[sync]") {
  const auto content = [](Entries& e) { e.list[1].digest = digest_of("Bytes"); };
  const auto no_digest = [](Entries& e) { e.list[1].digest.reset(); };
  const auto time = [](Entries& e) { e.list[1].mtime_ns += 1; };
  CHECK(tells(options_of(Compare::Content), content));
  CHECK(tells(options_of(Compare::Content), no_digest));
  CHECK_FALSE(tells(options_of(Compare::Content), time));
  CHECK_FALSE(tells(options_of(Compare::Quick), content));
  CHECK(tells(options_of(Compare::Quick), time));
  CHECK_FALSE(tells(options_of(Compare::SizeOnly), content));
  CHECK_FALSE(tells(options_of(Compare::SizeOnly), time));
}

TEST_CASE("hash: what is not kept is not part of a generation", "[sync]") {
  Options bare = options_of(Compare::Content);
  bare.keep = {Keep::Symlinks};
  CHECK_FALSE(tells(bare, [](Entries& e) { e.list[1].mode = 0600; }));
  CHECK_FALSE(tells(bare, [](Entries& e) { e.list[1].owner = 1; }));
  CHECK_FALSE(tells(bare, [](Entries& e) { e.groups[0].name = "x"; }));
  CHECK_FALSE(tells(bare, [](Entries& e) { e.list[2].xattrs.clear(); }));
  Options acls = bare;
  acls.keep = {Keep::Symlinks, Keep::Acls};
  CHECK(tells(acls, [](Entries& e) { e.list[2].xattrs[0].value = "x"; }));
  CHECK_FALSE(tells(acls, [](Entries& e) { e.list[2].xattrs[1].value = "x"; }));
  Options numeric = options_of(Compare::Content);
  numeric.scan = {Scan::Recursive, Scan::NumericIds};
  CHECK(tells(numeric, [](Entries& e) { e.users[0].id = 7; }));
  CHECK_FALSE(tells(numeric, [](Entries& e) { e.users[0].name = "x"; }));
  CHECK(generation(sample(), bare) != generation(sample(), acls));
}

TEST_CASE("hash: fingerprints are other ones in every run, and begin with the shape", "[sync]") {
  const Options options = options_of(Compare::Content);
  const Entries entries = sample();
  const auto one = fingerprints(entries, options, 1);
  const auto other = fingerprints(entries, options, 2);
  REQUIRE(one.size() == entries.list.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i] != other[i]);
    CHECK(shape_in(one[i]) == shape_of(entries.list[i], 1));
  }
  Entry same = entries.list[1];
  same.digest = digest_of("BYTES");
  same.mode = 0600;
  same.owner = 1;
  CHECK(shape_of(same, 1) == shape_of(entries.list[1], 1));
  // Another path, size or type has another shape but once in 65,536 times.
  const auto differs = [&](const auto& change) {
    Entry changed = entries.list[1];
    change(changed);
    int alike = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed)
      alike += shape_of(changed, seed) == shape_of(entries.list[1], seed) ? 1 : 0;
    return alike <= 2;
  };
  CHECK(differs([](Entry& entry) { entry.path = "aa"; }));
  CHECK(differs([](Entry& entry) { entry.size = 6; }));
  CHECK(differs([](Entry& entry) { entry.type = EntryType::Fifo; }));
}
