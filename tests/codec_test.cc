// SPDX-License-Identifier: MIT
#include "protocol/codec.h"

#include <fstream>
#include <limits>
#include <random>

#include "base/io.h"
#include "protocol/frame.h"
#include "protocol/wire.h"
#include "tests/support/catch.h"
#include "tests/support/samples.h"
#include "tests/support/setting.h"

using namespace xs;

namespace {

constexpr Features kAll = kOurFeatures;

std::string encoded(const Message& message) {
  std::string out;
  encode(message, out);
  return out;
}

// The first frame in the bytes, decoded; nothing when it is refused or not whole.
std::optional<Message> decode_frame(std::string_view bytes) try {
  FrameReader reader;
  reader.feed(bytes);
  const auto frame = reader.next();
  if (!frame || reader.pending() > 0) return std::nullopt;
  return decode(frame->spec->number, frame->payload, kAll);
} catch (const Error& error) {
  REQUIRE(error.fault() == Fault::Protocol);
  REQUIRE_FALSE(error.text().empty());
  return std::nullopt;
}

void require_refused(std::uint8_t number, const std::string& payload, const std::string& because) {
  INFO("expecting: " << because);
  try {
    decode(number, payload, kAll);
    FAIL("decoded");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Catch::Contains(because));
  }
}

std::string number(std::uint64_t value) {
  std::string out;
  wire::put_number(out, value);
  return out;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("codec: a default message survives a round trip", "[protocol]", Message) {
  const Message message = TestType{};
  CHECK(decode(TestType::spec.number, encoded(message), kAll) == message);
}

TEST_CASE("codec: a full message survives a round trip", "[protocol]") {
  std::size_t seen = 0;
  for (const Message& message : test::samples()) {
    INFO(spec_of(message).name);
    CHECK(message.index() == seen++);
    CHECK(decode(spec_of(message).number, encoded(message), kAll) == message);
  }
  CHECK(seen == std::variant_size_v<Message>);
}

TEST_CASE("codec: the bytes on the wire are those of the golden files", "[protocol]") {
  const bool update = std::getenv("XS_UPDATE_GOLDEN") != nullptr;
  for (const Message& message : test::samples()) {
    INFO(test::golden_path(message) << " (written anew with XS_UPDATE_GOLDEN=1)");
    const std::string bytes = test::frame_of(message);
    if (update) std::ofstream(test::golden_path(message), std::ios::binary) << bytes;
    CHECK(read_file(test::golden_path(message), 1U << 20) == bytes);
  }
}

TEST_CASE("codec: every truncation of a golden frame is refused or incomplete", "[protocol]") {
  for (const Message& message : test::samples()) {
    const std::string whole = test::frame_of(message);
    REQUIRE(decode_frame(whole) == message);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      INFO(spec_of(message).name << " cut to " << length);
      CHECK_FALSE(decode_frame(std::string_view(whole).substr(0, length)));
    }
    // The payload alone, cut: the frame is whole but what is in it is not.
    const std::string payload = encoded(message);
    for (std::size_t length = 0; length < payload.size(); ++length) {
      INFO(spec_of(message).name << " payload cut to " << length);
      try {
        const Message other = decode(spec_of(message).number, payload.substr(0, length), kAll);
        CHECK(encoded(other) == payload.substr(0, length));
      } catch (const Error& error) {
        CHECK(error.fault() == Fault::Protocol);
      }
    }
  }
}

TEST_CASE("codec: a corrupted byte is refused, or stands for something else that encodes to it",
          "[protocol]") {
  for (const Message& message : test::samples()) {
    const std::string whole = test::frame_of(message);
    std::size_t accepted = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(value);
        const auto decoded = decode_frame(damaged);
        if (!decoded) continue;
        ++accepted;
        if (test::frame_of(*decoded) == damaged) continue;
        INFO(spec_of(message).name << " byte " << at << " = " << value);
        FAIL("two encodings of one value");
      }
    }
    CHECK(accepted >= whole.size());  // at least the undamaged ones
  }
}

TEST_CASE("codec: bytes after the last field are refused", "[protocol]") {
  for (const Message& message : test::samples()) {
    require_refused(spec_of(message).number, encoded(message) + '\0', "follow its last field");
  }
}

TEST_CASE("codec: an unknown message number is refused", "[protocol]") {
  for (const unsigned unknown : {0U, 16U, 63U, 255U}) {
    require_refused(static_cast<std::uint8_t>(unknown), "", "unknown message number");
  }
}

TEST_CASE("codec: unknown enumerators, flags and yes-or-no bytes are refused", "[protocol]") {
  require_refused(File::spec.number, std::string("\0\2\0", 3), "unknown value 2");
  require_refused(FileEnd::spec.number, "\4" + std::string(17, '\0'), "unknown value 4");
  require_refused(Ping::spec.number, std::string("\3\0", 2), "unknown value 3");
  require_refused(Abort::spec.number, std::string("\0\0", 2), "unknown fault class 0");
  require_refused(Abort::spec.number, std::string("\x2F\0", 2), "unknown fault class 47");
  require_refused(Want::spec.number, std::string("\0\0\2", 3), "a yes or no is 2");
  Hello hello;
  std::string payload = encoded(hello);
  // features, version and root are empty: one byte each; then compare, keep, scan.
  payload.replace(4, 1, number(1024));
  require_refused(Hello::spec.number, payload, "unknown flags");
  payload = encoded(hello);
  payload[5] = '\x20';
  require_refused(Hello::spec.number, payload, "unknown flags");
}

TEST_CASE("codec: features that we do not know are read, because the answer leaves them out",
          "[protocol]") {
  std::string payload = encoded(Hello{});
  payload.replace(0, 1, number(0x80000001));
  const auto hello = std::get<Hello>(decode(Hello::spec.number, payload, kAll));
  CHECK(hello.features.bits() == 0x80000001);
  CHECK((hello.features & kOurFeatures) == Features{Feature::Zstd});
}

TEST_CASE("codec: fields that contradict each other are refused both ways", "[protocol]") {
  const FileEnd complete{FileResult::Complete, {}, "why"};
  const FileEnd moved{FileResult::Moved, test::sample_digest(1), ""};
  const Ping alive{PingKind::Alive, "x"};
  std::string out;
  CHECK_THROWS_AS(encode(complete, out), Error);
  CHECK_THROWS_AS(encode(moved, out), Error);
  CHECK_THROWS_AS(encode(alive, out), Error);
  CHECK(out.empty());
  require_refused(FileEnd::spec.number, std::string(1, '\0') + std::string(16, '\0') + "\3why",
                  "contradict");
  require_refused(FileEnd::spec.number, "\1" + std::string(16, '\7') + std::string(1, '\0'),
                  "contradict");
  require_refused(Ping::spec.number, std::string("\0\1x", 3), "contradict");
}

TEST_CASE("codec: every length and count is bounded at its limit and beyond", "[protocol]") {
  struct Field {
    const char* name;
    std::uint8_t message;
    std::string before;  // the payload up to the length
    std::size_t limit;
    std::size_t item;  // bytes of one item: 1 for bytes, 2 for an empty problem
    std::string after;
  };
  const std::string end(1, '\0');
  const std::string generation(16, '\0');
  const std::vector<Field> fields{
      {"want.signature", Want::spec.number, end, limits::kBlock, 1, "\1"},
      {"data.bytes", Data::spec.number, "", limits::kBlock, 1, ""},
      {"delta.bytes", Delta::spec.number, "", limits::kBlock, 1, ""},
      {"ping.bytes", Ping::spec.number, "\1", limits::kPing, 1, ""},
      {"bye.outcome", Bye::spec.number, "", limits::kText, 1, ""},
      {"abort.text", Abort::spec.number, "\1", limits::kText, 1, ""},
      {"welcome.version", Welcome::spec.number, end, limits::kText, 1, end},
      {"unchanged.problems", Unchanged::spec.number, generation, limits::kProblems, 2, ""},
      {"hello.filters", Hello::spec.number, std::string(7, '\0'), limits::kFilterRules, 1,
       end + end},
      {"hello.index.prints", Hello::spec.number, std::string(9, '\0') + "\1" + end, limits::kIndex,
       8, ""},
  };
  for (const Field& field : fields) {
    for (const std::uint64_t count :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{field.limit}}) {
      INFO(field.name << " of " << count);
      const char fill = field.item == 1 && field.name != std::string("hello.filters") ? 'x' : '\0';
      const std::string payload = field.before + number(count) +
                                  std::string(static_cast<std::size_t>(count) * field.item, fill) +
                                  field.after;
      const Message decoded = decode(field.message, payload, kAll);
      CHECK(encoded(decoded) == payload);
    }
    for (const std::uint64_t count :
         {std::uint64_t{field.limit} + 1, std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1,
          std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
      INFO(field.name << " of " << count);
      CHECK_THROWS_AS(decode(field.message, field.before + number(count) + field.after, kAll),
                      Error);
    }
  }
}

TEST_CASE("codec: places that are gone stand in ascending order, each once", "[protocol]") {
  const std::string no_entries(3, '\0');
  const std::string no_problems_more(2, '\0');
  const auto manifest = [&](const std::string& gone) {
    return no_entries + gone + no_problems_more;
  };
  CHECK(decode(Manifest::spec.number, manifest("\3\1\2\5"), kAll) ==
        Message(Manifest{{}, {1, 2, 5}, {}, Part::More}));
  require_refused(Manifest::spec.number, manifest("\2\2\1"), "out of order");
  require_refused(Manifest::spec.number, manifest("\2\1\1"), "out of order");
  require_refused(Manifest::spec.number, manifest(number(limits::kIndex + 1)), "over its limit");
  require_refused(Manifest::spec.number, manifest("\1" + number(std::uint64_t{1} << 32)), "");
}

TEST_CASE("codec: what the other side would refuse is not sent", "[protocol]") {
  std::string out;
  CHECK_THROWS_WITH(encode(Data{std::string(limits::kBlock + 1, 'x')}, out),
                    Catch::StartsWith("cannot send a data message"));
  CHECK_THROWS_AS(encode(Bye{std::string("a\0b", 3)}, out), Error);
  Hello hello;
  hello.filters.assign(limits::kFilterRules + 1, "");
  CHECK_THROWS_AS(encode(hello, out), Error);
  hello.filters.assign(200, std::string(limits::kFilterRule,
                                        'x'));  // each in its limit, together beyond the hello's
  CHECK_THROWS_WITH(encode(hello, out), Catch::Contains("over its limit"));
  hello.filters.clear();
  hello.options.inline_limit = limits::kInline + 1;
  CHECK_THROWS_AS(encode(hello, out), Error);
  CHECK_THROWS_AS(encode(Changed{{}, {"b", "a"}, {}, Part::Last}, out), Error);
  CHECK_THROWS_AS(encode(Changed{{}, {"../x"}, {}, Part::Last}, out), Error);
  CHECK_THROWS_AS(encode(Manifest{{}, {2, 1}, {}, Part::Last}, out), Error);
  CHECK_THROWS_AS(encode(Manifest{{}, {1, 1}, {}, Part::Last}, out), Error);
  CHECK_THROWS_AS(
      encode(Manifest{{}, std::vector<std::uint32_t>(limits::kIndex + 1), {}, Part::Last}, out),
      Error);
  CHECK(out.empty());
}

TEST_CASE("codec: random payloads are refused or re-encode to themselves", "[protocol]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string payload(random() % 40, '\0');
    for (char& c : payload) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 4);
    const auto kind = static_cast<std::uint8_t>(1 + random() % std::variant_size_v<Message>);
    try {
      const Message message = decode(kind, payload, kAll);
      INFO(spec_of(message).name << " in round " << round);
      CHECK(encoded(message) == payload);
    } catch (const Error& error) {
      if (error.fault() != Fault::Protocol) FAIL(error.text());
    }
  }
}

TEST_CASE("wire: a whole number has one encoding and at most 64 bits", "[protocol]") {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{127}, std::uint64_t{128},
        std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1, std::uint64_t{1} << 63,
        std::numeric_limits<std::uint64_t>::max()}) {
    wire::Reader reader(number(value));
    const std::string bytes = number(value);
    wire::Reader again(bytes);
    CHECK(again.number() == value);
    CHECK(again.left() == 0);
  }
  const std::string max = number(std::numeric_limits<std::uint64_t>::max());
  CHECK(max.size() == 10);
  for (const std::string& bad :
       {std::string("\x80\0", 2), std::string("\xFF\x80\0", 3), max.substr(0, 9) + "\x02",
        max.substr(0, 9) + "\x81\x01", std::string("\x80", 1), std::string()}) {
    wire::Reader reader(bad);
    CHECK_THROWS_AS(reader.number(), Error);
  }
  wire::Reader small("\x07");
  CHECK_THROWS_AS(small.number(6), Error);
}

TEST_CASE("wire: zigzag and back is the identity at the ends of the range", "[protocol]") {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1},
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    CHECK(wire::unzigzag(wire::zigzag(value)) == value);
  }
  CHECK(wire::zigzag(-1) == 1);
}
