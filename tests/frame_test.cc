// SPDX-License-Identifier: MIT
#include "protocol/frame.h"

#include <zstd.h>

#include <random>

#include "protocol/codec.h"
#include "protocol/wire.h"
#include "tests/support/catch.h"
#include "tests/support/samples.h"
#include "tests/support/setting.h"

using namespace xs;

namespace {

std::vector<Message> read_all(FrameReader& reader, std::string_view bytes, std::size_t step) {
  std::vector<Message> out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    reader.feed(bytes.substr(0, step));
    while (const auto frame = reader.next()) {
      out.push_back(decode(frame->spec->number, frame->payload, kOurFeatures));
    }
  }
  return out;
}

std::string random_text(std::mt19937& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 6);
  return text;
}

std::string packed_frame(std::uint8_t packing, std::size_t raw, const std::string& body) {
  std::string out(1, static_cast<char>(Data::spec.number | packing << 6));
  wire::put_number(out, raw);
  wire::put_bytes(out, body);
  return out;
}

void require_refused(FrameReader& reader, const std::string& bytes, const std::string& because) {
  reader.feed(bytes);
  CHECK_THROWS_WITH(reader.next(), Catch::Contains(because));
}

FrameReader unpacking() {
  FrameReader reader;
  reader.allow_compression();
  return reader;
}

}  // namespace

TEST_CASE("frame: messages come out whole whatever the pieces they come in", "[protocol]") {
  const std::vector<Message> messages = test::samples();
  const bool packed = GENERATE(false, true);
  FrameWriter writer;
  if (packed) writer.use_compression();
  std::string wire;
  for (const Message& message : messages) writer.append(message, wire);
  for (const std::size_t step : {1U, 2U, 3U, 7U, 15U, 1000000U}) {
    INFO("pieces of " << step << ", packed " << packed);
    FrameReader reader;
    if (packed) reader.allow_compression();
    CHECK(read_all(reader, wire, step) == messages);
    CHECK(reader.pending() == 0);
  }
}

TEST_CASE("frame: a compressed stream carries text, noise and zeros in any order", "[protocol]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  FrameWriter writer;
  writer.use_compression();
  std::vector<Message> sent;
  std::string wire;
  std::size_t raw = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bytes;
    switch (random() % 4) {
      case 0: bytes = random_text(random, random() % 100'000); break;
      case 1:
        bytes.assign(random() % limits::kBlock, '\0');
        break;  // beyond the ratio: must leave plain
      case 2: bytes = random_text(random, random() % 70); break;
      default:
        bytes.resize(random() % 50'000);
        for (char& c : bytes) c = static_cast<char>(random());
    }
    raw += bytes.size();
    sent.emplace_back(Data{std::move(bytes)});
    writer.append(sent.back(), wire, random() % 8 == 0);
  }
  CHECK(wire.size() < raw);
  FrameReader reader = unpacking();
  CHECK(read_all(reader, wire, 4096) == sent);
}

TEST_CASE("frame: later messages of a compressed stream refer to earlier ones", "[protocol]") {
  std::mt19937 random(1);
  const std::string bytes = random_text(random, 20'000);
  FrameWriter writer;
  writer.use_compression();
  std::string first;
  std::string second;
  writer.append(Data{bytes}, first);
  writer.append(Data{bytes + random_text(random, 500)}, second);
  CHECK(second.size() * 10 < first.size());
}

TEST_CASE("frame: a size over the message's limit is refused before its bytes arrive",
          "[protocol]") {
  for (const Message& sample : test::samples()) {
    const Spec& spec = spec_of(sample);
    for (const std::uint64_t size : {std::uint64_t{spec.limit} + 1, std::uint64_t{1} << 31,
                                     (std::uint64_t{1} << 32) - 1, std::uint64_t{1} << 63}) {
      INFO(spec.name << " of " << size);
      std::string head(1, static_cast<char>(spec.number));
      wire::put_number(head, size);
      FrameReader reader;
      require_refused(reader, head, "over its limit");
    }
    FrameReader reader;
    std::string head(1, static_cast<char>(spec.number));
    wire::put_number(head, spec.limit);
    reader.feed(head);
    CHECK_FALSE(reader.next());  // at the limit it waits for the bytes
  }
}

TEST_CASE(
    "frame: unknown numbers, packings and overlong sizes are refused at the first byte that shows "
    "it",
    "[protocol]") {
  FrameReader zero;
  require_refused(zero, std::string(1, '\0'), "unknown message number 0");
  FrameReader high;
  require_refused(high, "\x3F", "unknown message number 63");
  FrameReader packing = unpacking();
  require_refused(packing, "\xC7", "unknown packing");
  FrameReader longer;
  require_refused(longer, std::string("\x07\x80\0", 3), "shortest form");
  FrameReader endless;
  require_refused(endless, "\x07" + std::string(10, '\xFF'), "more than 64 bits");
}

TEST_CASE("frame: compression that was not agreed on is refused", "[protocol]") {
  FrameReader reader;
  require_refused(reader, packed_frame(2, 100, "x"), "not agreed on");
  FrameReader middle = unpacking();
  require_refused(middle, packed_frame(1, 100, std::string(50, 'x')), "no compressed stream");
}

TEST_CASE("frame: a compressed frame cannot hold more or less than it announces", "[protocol]") {
  const std::string raw(500, 'a');
  const std::string text =
      "a sentence that is repeated so that it packs; a sentence that is repeated so that it packs";
  Compressor compressor;
  std::string body;
  compressor.block(text, body);
  for (const std::size_t announced :
       {text.size() - 1, text.size() + 1, std::size_t{0}, text.size() * 2}) {
    INFO(announced);
    FrameReader reader = unpacking();
    reader.feed(packed_frame(2, announced, body));
    CHECK_THROWS_AS(reader.next(), Error);
  }
  FrameReader trailing = unpacking();
  trailing.feed(packed_frame(2, text.size(), body + "junk"));
  CHECK_THROWS_AS(trailing.next(), Error);
  FrameReader good = unpacking();
  good.feed(packed_frame(2, text.size(), body));
  REQUIRE(good.next());
}

TEST_CASE("frame: a bomb is refused by its ratio, before it is unpacked", "[protocol]") {
  std::string body;
  Compressor().block(std::string(limits::kBlock, '\0'), body);
  REQUIRE(body.size() * limits::kRatio < limits::kBlock);
  FrameReader reader = unpacking();
  require_refused(reader, packed_frame(2, limits::kBlock, body), "ratio");
}

TEST_CASE("frame: a window over our limit is refused", "[protocol]") {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, static_cast<int>(limits::kWindowLog) + 2);
  std::mt19937 random(7);
  const std::string raw = random_text(random, 100'000);
  std::string body(ZSTD_compressBound(raw.size()), '\0');
  ZSTD_inBuffer input{raw.data(), raw.size(), 0};
  ZSTD_outBuffer output{body.data(), body.size(), 0};
  REQUIRE(ZSTD_compressStream2(context, &output, &input, ZSTD_e_flush) == 0);
  ZSTD_freeCCtx(context);
  body.resize(output.pos);
  FrameReader reader = unpacking();
  require_refused(reader, packed_frame(2, raw.size(), body), "damaged compressed frame");
}

TEST_CASE(
    "frame: every corrupted byte of a compressed frame is refused or yields the announced size",
    "[protocol]") {
  std::mt19937 random(3);
  const std::string raw = random_text(random, 400);
  std::string body;
  Compressor().block(raw, body);
  const std::string whole = packed_frame(2, raw.size(), body);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      FrameReader reader = unpacking();
      reader.feed(damaged);
      try {
        if (const auto frame = reader.next()) CHECK(frame->payload.size() <= frame->spec->limit);
      } catch (const Error& error) {
        CHECK(error.fault() == Fault::Protocol);
      }
    }
  }
}
