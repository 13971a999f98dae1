// SPDX-License-Identifier: MIT
#include "sync/journal.h"

#include "protocol/wire.h"
#include "sync/durable.h"
#include "sync/generations.h"
#include "sync/real_disk.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace xs {
namespace {

using test::TempDir;

Step step(ActionKind kind, const std::string& path, const std::string& staged = {}) {
  Step made;
  made.kind = kind;
  made.path = path;
  made.staged = staged;
  if (!staged.empty()) made.staged_inode = 77;
  return made;
}

Journal sample() {
  Journal journal;
  journal.id = 0x0123456789abcdef;
  journal.generation = 4;
  journal.areas = Areas({"m/n", "z"});
  journal.wake = std::string("signer\0x", 8);
  const std::string run = run_dir("", journal.id);
  journal.steps.push_back(step(ActionKind::Displace, "a"));
  journal.steps.back().kept = ".xroad-sync/previous/4/0";
  journal.steps.back().old_inode = 12;
  journal.steps.push_back(step(ActionKind::MakeDir, "a", run + "/s0"));
  journal.steps.push_back(
      step(ActionKind::Install, "m/n/\xff\n", run_dir("m/n", journal.id) + "/s1"));
  journal.steps.push_back(step(ActionKind::Link, "l", run + "/s2"));
  journal.steps.push_back(step(ActionKind::Symlink, "s", run + "/s3"));
  journal.steps.push_back(step(ActionKind::Special, "f", run + "/s4"));
  journal.steps.push_back(step(ActionKind::InstallIndex, "i", run + "/s5"));
  journal.steps.push_back(step(ActionKind::Delete, "z/old"));
  journal.steps.push_back(step(ActionKind::DeleteDir, "gone"));
  journal.steps.push_back(step(ActionKind::DirAttributes, ""));
  Attributes& attributes = journal.steps.back().attributes;
  attributes.mode = 07777;
  attributes.uid = 4294967294;
  attributes.mtime_ns = -5;
  attributes.label = "system_u:object_r:etc_t:s0";
  attributes.keep = {Keep::Xattrs, Keep::Acls};
  attributes.xattrs = {{"user.a", std::string("\0v", 2)}};
  return journal;
}

std::string refusal(const Journal& journal) {
  try {
    (void)decode_journal(encode_journal(journal));
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Protocol);
    return error.text();
  }
  return "believed";
}

}  // namespace

TEST_CASE("journal: every field survives a round trip", "[sync]") {
  CHECK(decode_journal(encode_journal(sample())) == sample());
  CHECK(decode_journal(encode_journal(Journal{})) == Journal{});
}

TEST_CASE("journal: one wrong bit anywhere, or a missing end, is refused", "[sync]") {
  const std::string good = encode_journal(sample());
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    CHECK_THROWS_AS(decode_journal(bad), Error);
    CHECK_THROWS_AS(decode_journal(good.substr(0, at)), Error);
  }
  CHECK_THROWS_AS(decode_journal(good + "x"), Error);
}

TEST_CASE("journal: a path that leads elsewhere is refused, whatever the checksum says", "[sync]") {
  const std::string run = run_dir("", sample().id);
  const auto with = [](Step bad) {
    Journal journal = sample();
    journal.steps = {std::move(bad)};
    return refusal(journal);
  };
  CHECK(with(step(ActionKind::Delete, "../x")) != "believed");
  CHECK(with(step(ActionKind::Delete, "/x")) != "believed");
  CHECK(with(step(ActionKind::Delete, "")) != "believed");
  CHECK(with(step(ActionKind::Delete, ".xroad-sync/lock")) != "believed");
  CHECK(with(step(ActionKind::Delete, "a/.xroad-sync")) != "believed");
  CHECK(with(step(ActionKind::Install, "a")) != "believed");
  CHECK(with(step(ActionKind::Install, "a", "b")) != "believed");
  CHECK(with(step(ActionKind::Install, "a", run)) != "believed");
  CHECK(with(step(ActionKind::Install, "a", run + "/../../b")) != "believed");
  CHECK(with(step(ActionKind::Install, "m/n/a", run + "/s1")) != "believed");
  CHECK(with(step(ActionKind::Delete, "a", run + "/s1")) != "believed");
  CHECK(with(step(ActionKind::Displace, "a")) != "believed");
  Step kept = step(ActionKind::Delete, "a");
  kept.kept = "b/c";
  CHECK(with(kept) != "believed");
  CHECK(with(step(ActionKind::Install, "a", run + "/s1")) == "believed");
}

TEST_CASE("journal: a count that cannot be true costs no memory", "[sync]") {
  std::string payload;
  wire::put_number(payload, 1);
  wire::put_number(payload, 0);
  wire::put_number(payload, 0);
  wire::put_bytes(payload, "");
  wire::put_number(payload, 39'999'999);
  CHECK_THROWS_AS(decode_journal(seal("XSJRNL01", payload)), Error);
}

TEST_CASE("journal: what is written is read back, and dropped", "[sync]") {
  const TempDir temp;
  RealDisk disk(Dir::open_root(temp.path()));
  ensure_area(disk, "");
  CHECK_FALSE(read_journal(disk));
  write_journal(disk, sample());
  write_journal(disk, sample());
  REQUIRE(read_journal(disk));
  CHECK(*read_journal(disk) == sample());
  CHECK_FALSE(disk.stat(journal_path() + ".new"));
  CHECK(disk.stat(journal_path())->permissions() == 0600);
  drop_journal(disk);
  CHECK_FALSE(read_journal(disk));
}

TEST_CASE("journal: one that does not verify says what to do", "[sync]") {
  const TempDir temp;
  RealDisk disk(Dir::open_root(temp.path()));
  ensure_area(disk, "");
  temp.write(".xroad-sync/journal", "XSJRNL01 and so on");
  try {
    (void)read_journal(disk);
    FAIL("believed");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Io);
    CHECK(error.text().find("nothing was touched") != std::string::npos);
    CHECK(error.text().find("run again") != std::string::npos);
  }
}

TEST_CASE("journal: the areas on other file systems are remembered", "[sync]") {
  const TempDir temp;
  RealDisk disk(Dir::open_root(temp.path()));
  ensure_area(disk, "");
  CHECK(remembered_areas(disk) == Areas());
  remember_areas(disk, Areas());
  CHECK_FALSE(disk.stat(".xroad-sync/areas"));
  remember_areas(disk, Areas({"b", "a/c", "b"}));
  CHECK(remembered_areas(disk).roots() == std::vector<std::string>{"", "a/c", "b"});
  CHECK(remembered_areas(disk).root_of("a/c/x") == "a/c");
  CHECK(remembered_areas(disk).root_of("a/c").empty());
  CHECK(remembered_areas(disk).root_of("a/cx").empty());
}

TEST_CASE("journal: the manifest of a generation survives a round trip", "[sync]") {
  Generation generation;
  generation.number = 9;
  generation.made_ns = 123;
  generation.bytes = 45;
  generation.areas = Areas({"m"});
  generation.states = {{"a", OldState::Kind::Absent, {}, {}},
                       {"m/b", OldState::Kind::Kept, "m/.xroad-sync/previous/9/3", {}},
                       {"d", OldState::Kind::Dir, {}, sample().steps.back().attributes}};
  const Generation back = decode_generation(encode_generation(generation));
  CHECK(back.states == generation.states);
  CHECK(back.number == 9);
  CHECK(back.areas == generation.areas);
  generation.states[1].kept = ".xroad-sync/previous/9/3";
  CHECK_THROWS_AS(decode_generation(encode_generation(generation)), Error);
  generation.states[1].kept = "m/.xroad-sync/previous/8/3";
  CHECK_THROWS_AS(decode_generation(encode_generation(generation)), Error);
}

}  // namespace xs
