// SPDX-License-Identifier: MIT
#include "protocol/entries.h"

#include <algorithm>
#include <limits>
#include <random>

#include "base/error.h"
#include "protocol/frame.h"
#include "tests/support/catch.h"
#include "tests/support/samples.h"
#include "tests/support/setting.h"

using namespace xs;

namespace {

std::string encoded(const Entries& entries) {
  std::string out;
  encode_entries(entries, out);
  return out;
}

Entries decoded(std::string_view bytes, Features features = kOurFeatures) {
  wire::Reader reader(bytes);
  Entries entries = decode_entries(reader, features);
  reader.expect_end();
  return entries;
}

Entries one_file(const std::string& path) {
  Entries entries;
  entries.users = entries.groups = {{"xroad", 998}};
  entries.list.emplace_back();
  entries.list[0].path = path;
  return entries;
}

void require_unsendable(const Entries& entries, const std::string& because) {
  std::string out;
  CHECK_THROWS_WITH(encode_entries(entries, out), Catch::Contains(because));
}

}  // namespace

TEST_CASE("entries: a directory stands directly before what is below it", "[protocol]") {
  std::vector<std::string> paths{"b",   "a.x", "a/c",   "a",    "a/b/x", "a/b",
                                 "a-b", "",    "a/b.c", "\xFF", "a/\x01"};
  std::sort(paths.begin(), paths.end(), path_less);
  CHECK(paths == std::vector<std::string>{"", "a", "a/\x01", "a/b", "a/b/x", "a/b.c", "a/c", "a-b",
                                          "a.x", "b", "\xFF"});
  CHECK_FALSE(path_less("a", "a"));
}

TEST_CASE("entries: names that could lead out of a tree are not names", "[protocol]") {
  const std::string longest(255, 'n');
  for (const std::string& good :
       {std::string("a"), std::string("..."), std::string(".x"), std::string(" "),
        std::string("\n"), std::string("\xFF"), std::string("-rf"), longest}) {
    CHECK(valid_path(good));
    CHECK(valid_path("d/" + good));
    CHECK(valid_path(good + "/f"));
  }
  for (const std::string& bad :
       {std::string("."), std::string(".."), std::string("/"), std::string("/a"), std::string("a/"),
        std::string("a//b"), std::string("a/./b"), std::string("a/../b"), std::string("../a"),
        std::string("a\0b", 3), longest + "n"}) {
    CHECK_FALSE(valid_path(bad));
    CHECK_FALSE(valid_path("d/" + bad));
  }
  CHECK(valid_path(""));  // the root
  std::string deep = "d";
  while (deep.size() < limits::kPath - 1) deep += "/d";
  CHECK(valid_path(deep));
  CHECK_FALSE(valid_path(deep + "/dd"));
}

TEST_CASE("entries: every type of entry survives a round trip", "[protocol]") {
  const Entries entries = test::sample_entries();
  CHECK(decoded(encoded(entries)) == entries);
  CHECK(decoded(encoded(Entries{})) == Entries{});
}

TEST_CASE("entries: times survive at both ends of the range and around zero", "[protocol]") {
  Entries entries = one_file("a");
  entries.list.resize(8, entries.list[0]);
  const std::int64_t times[] = {std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::max(),
                                -1,
                                0,
                                1,
                                999'999'999,
                                1'000'000'000,
                                -1'000'000'000};
  for (std::size_t i = 0; i < 8; ++i) {
    entries.list[i].path = std::string(1, static_cast<char>('a' + i));
    entries.list[i].mtime_ns = times[i];
  }
  CHECK(decoded(encoded(entries)) == entries);
}

TEST_CASE("entries: a time outside 64 bits of nanoseconds is refused", "[protocol]") {
  const Entries base = one_file("a");
  const std::string bytes = encoded(base);
  // The entry ends with its size, the step in seconds and four bytes of nanoseconds.
  const std::string head = bytes.substr(0, bytes.size() - 5);
  const auto with = [&](std::int64_t seconds, std::uint32_t nanoseconds) {
    std::string out = head;
    wire::put_number(out, wire::zigzag(seconds));
    wire::put_fixed32(out, nanoseconds);
    return out;
  };
  CHECK(decoded(with(9'223'372'036, 854'775'807)).list[0].mtime_ns ==
        std::numeric_limits<std::int64_t>::max());
  CHECK(decoded(with(-9'223'372'037, 145'224'192)).list[0].mtime_ns ==
        std::numeric_limits<std::int64_t>::min());
  CHECK_THROWS_AS(decoded(with(9'223'372'036, 854'775'808)), Error);
  CHECK_THROWS_AS(decoded(with(-9'223'372'037, 145'224'191)), Error);
  CHECK_THROWS_AS(decoded(with(std::numeric_limits<std::int64_t>::max(), 0)), Error);
  CHECK_THROWS_AS(decoded(with(std::numeric_limits<std::int64_t>::min(), 0)), Error);
  CHECK_THROWS_AS(decoded(with(0, 1'000'000'000)), Error);
}

TEST_CASE("entries: what contradicts an entry's type is neither sent nor read", "[protocol]") {
  const auto changed = [](auto change) {
    Entries entries = one_file("a");
    change(entries.list[0]);
    return entries;
  };
  require_unsendable(changed([](Entry& e) { e.mode = 010000; }), "bad mode");
  require_unsendable(changed([](Entry& e) { e.type = EntryType::Symlink; }), "bad link target");
  require_unsendable(changed([](Entry& e) { e.type = EntryType::Dir, e.content = "x"; }),
                     "no contents");
  require_unsendable(changed([](Entry& e) { e.type = EntryType::Dir, e.size = 1; }), "no size");
  require_unsendable(changed([](Entry& e) { e.type = EntryType::Dir, e.digest.emplace(); }),
                     "only a file has a digest");
  require_unsendable(changed([](Entry& e) { e.type = EntryType::Dir, e.inlined = true; }),
                     "only a file can be inlined");
  require_unsendable(changed([](Entry& e) { e.content = "x"; }), "without the inlined mark");
  require_unsendable(changed([](Entry& e) { e.inlined = true, e.content = "x"; }),
                     "size of the file");
  require_unsendable(changed([](Entry& e) { e.type = EntryType::Hardlink, e.content = "b"; }),
                     "earlier path");
  require_unsendable(changed([](Entry& e) { e.type = EntryType::Hardlink, e.content = "a"; }),
                     "earlier path");
  require_unsendable(changed([](Entry& e) { e.path = ""; }), "root is not a directory");
  require_unsendable(changed([](Entry& e) { e.path = "../a"; }), "bad path");
  require_unsendable(changed([](Entry& e) { e.owner = 1; }), "not in the table");
  require_unsendable(changed([](Entry& e) { e.xattrs = {{"b", ""}, {"a", ""}}; }), "out of order");
  require_unsendable(changed([](Entry& e) { e.xattrs = {{"a", ""}, {"a", ""}}; }), "out of order");
  require_unsendable(changed([](Entry& e) { e.xattrs = {{"", ""}}; }), "attribute name");
  require_unsendable(changed([](Entry& e) { e.xattrs.resize(limits::kXattrs + 1); }), "too many");
}

TEST_CASE("entries: a batch is sorted, without repetition, and its tables hold only what is used",
          "[protocol]") {
  Entries entries = one_file("b");
  entries.list.push_back(entries.list[0]);
  require_unsendable(entries, "out of order or repeated");
  entries.list[1].path = "a";
  require_unsendable(entries, "out of order or repeated");
  entries = one_file("a");
  entries.users.push_back({"root", 0});
  require_unsendable(entries, "no entry uses");
  entries.users[1] = entries.users[0];
  require_unsendable(entries, "twice");
  entries = one_file("a");
  entries.users = {{"root", 0}, {"xroad", 998}};
  entries.list.push_back(entries.list[0]);
  entries.list[0].owner = 1;
  entries.list[1].path = "b";
  require_unsendable(entries, "out of its order");
}

TEST_CASE("entries: features that were not agreed on are refused", "[protocol]") {
  const auto with = [](EntryType type, bool xattr) {
    Entries entries = one_file("b");
    entries.list[0].type = type;
    if (type == EntryType::Hardlink) entries.list[0].content = "a";
    if (xattr) entries.list[0].xattrs = {{"user.a", "b"}};
    return encoded(entries);
  };
  struct Case {
    Feature feature;
    std::string bytes;
  };
  const std::vector<Case> cases{{Feature::Hardlinks, with(EntryType::Hardlink, false)},
                                {Feature::Specials, with(EntryType::Fifo, false)},
                                {Feature::Specials, with(EntryType::Socket, false)},
                                {Feature::Specials, with(EntryType::BlockDevice, false)},
                                {Feature::Xattrs, with(EntryType::File, true)}};
  for (const Case& one : cases) {
    const auto without =
        Features::from_bits(kOurFeatures.bits() & ~static_cast<std::uint32_t>(one.feature));
    CHECK_NOTHROW(decoded(one.bytes, Features{one.feature}));
    CHECK_THROWS_WITH(decoded(one.bytes, without), Catch::Contains("not agreed on"));
  }
}

TEST_CASE("entries: a huge count allocates nothing and is refused", "[protocol]") {
  for (const std::uint64_t count : {std::uint64_t{1000}, std::uint64_t{1} << 20,
                                    std::uint64_t{1} << 31, std::uint64_t{1} << 63}) {
    std::string bytes;
    wire::put_number(bytes, 0);
    wire::put_number(bytes, 0);
    wire::put_number(bytes, count);
    bytes += std::string(64, '\0');
    CHECK_THROWS_AS(decoded(bytes), Error);
    std::string principals;
    wire::put_number(principals, count);
    CHECK_THROWS_AS(decoded(principals), Error);
  }
}

TEST_CASE("entries: an entry of a large tree costs at most 14 bytes after compression",
          "[protocol]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  FrameWriter writer;
  writer.use_compression();
  std::string wire;
  constexpr int kDirs = 1000;
  constexpr int kFiles = 100;
  for (int dir = 0; dir < kDirs; dir += 20) {
    Manifest part;
    part.entries.users = part.entries.groups = {{"xroad", 998}};
    for (int d = dir; d < dir + 20; ++d) {
      Entry entry;
      entry.path = "d" + std::to_string(10000 + d);
      entry.type = EntryType::Dir;
      entry.mode = 0755;
      const auto now = std::int64_t{1'700'000'000} * 1'000'000'000;
      entry.mtime_ns = now + static_cast<std::int64_t>(random() % 1'000'000'000'000);
      part.entries.list.push_back(entry);
      for (int f = 0; f < kFiles; ++f) {
        Entry file;
        file.path = entry.path + "/f" + std::to_string(100 + f) + ".xml";
        file.mode = 0640;
        file.size = random() % 20'000;
        file.mtime_ns = now + static_cast<std::int64_t>(
                                  random() % 1'000'000'000'000);  // any nanosecond of 17 minutes
        part.entries.list.push_back(file);
      }
    }
    writer.append(part, wire);
  }
  const double each = static_cast<double>(wire.size()) / (kDirs * (kFiles + 1));
  INFO(each << " bytes an entry");
  CHECK(each <= 14.0);
  CHECK(each >
        4.0);  // a tree of random times cannot be smaller: the test would be measuring nothing
}

TEST_CASE("entries: paths that front coding hides the length of are counted as written out",
          "[protocol]") {
  Entries entries;
  entries.users = entries.groups = {{"", 0}};
  const std::string deep = [] {
    std::string path;
    while (path.size() < 4000) path += std::string(99, 'x') + "/";
    return path;
  }();
  const auto grow = [&](std::size_t count) {
    while (entries.list.size() < count) {
      Entry entry;
      entry.type = EntryType::Dir;
      entry.path = deep + std::to_string(10'000 + entries.list.size());
      entries.list.push_back(entry);
    }
  };
  const std::size_t most = limits::kPaths / (deep.size() + 5);
  grow(most);
  std::string bytes;
  encode_entries(entries, bytes);
  CHECK(bytes.size() < limits::kManifest);
  wire::Reader fits(bytes);
  CHECK(decode_entries(fits, kOurFeatures) == entries);
  // One more of the same form as the last: the count is two bytes in both.
  std::string shorter;
  entries.list.pop_back();
  encode_entries(entries, shorter);
  const std::string last = bytes.substr(shorter.size());
  grow(most + 1);
  CHECK_THROWS_AS(encode_entries(entries, bytes), Error);
  std::string count, next;
  wire::put_number(count, most);
  wire::put_number(next, most + 1);
  REQUIRE(count.size() == next.size());
  std::string full;
  entries.list.pop_back();
  encode_entries(entries, full);
  full.replace(full.find(count), count.size(), next);
  std::string one = last;
  ++one[one.size() - 6];
  full += one;
  wire::Reader over(full);
  try {
    decode_entries(over, kOurFeatures);
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(std::string(error.text()).find("too long together") != std::string::npos);
  }
}
