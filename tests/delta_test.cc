// SPDX-License-Identifier: MIT
#include "sync/delta.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>
#include <string>

#include "base/error.h"
#include "protocol/limits.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"

namespace {

using namespace xs;

using Random = std::mt19937_64;

std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// Collects what a sink gets and holds it against the limit of one message.
struct Collector {
  std::string bytes;
  std::size_t largest = 0;
  Sink sink() {
    return [this](std::string_view piece) {
      largest = std::max(largest, piece.size());
      bytes.append(piece);
    };
  }
};

template <class Maker>
std::string run_all(Maker& maker, std::string_view in, std::size_t step) {
  Collector out;
  for (std::size_t at = 0; at < in.size(); at += step) maker.feed(in.substr(at, step), out.sink());
  maker.finish(out.sink());
  CHECK(out.largest <= limits::kBlock);
  return out.bytes;
}

std::string signature_of(std::string_view basis, std::size_t step = 65'536) {
  SignatureMaker maker(basis.size());
  return run_all(maker, basis, step);
}

Signature loaded(std::string_view bytes, std::size_t step = 65'536) {
  Signature signature;
  for (std::size_t at = 0; at < bytes.size(); at += step) signature.feed(bytes.substr(at, step));
  signature.finish();
  return signature;
}

std::string delta_of(const std::string& basis, std::string_view file, std::size_t step = 65'536) {
  const Signature signature = loaded(signature_of(basis, step), step);
  DeltaMaker maker(signature);
  return run_all(maker, file, step);
}

Basis basis_of(const std::string& bytes) {
  return {[&bytes](std::uint64_t offset, std::span<char> into) {
            if (offset >= bytes.size()) return std::size_t{0};
            return bytes.copy(into.data(), into.size(), static_cast<std::size_t>(offset));
          },
          bytes.size()};
}

std::string patched(const std::string& basis, std::string_view delta, std::uint64_t size,
                    std::size_t step = 65'536) {
  Patcher patcher(basis_of(basis), size);
  return run_all(patcher, delta, step);
}

std::string edited(Random& random, std::string bytes, int edits) {
  for (int i = 0; i < edits; ++i) {
    const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
    const std::size_t length = random() % 2000;
    switch (random() % 3) {
      case 0: bytes.insert(at, random_bytes(random, length)); break;
      case 1: bytes.erase(at, length); break;
      default:
        bytes.replace(at, length, random_bytes(random, std::min(length, bytes.size() - at)));
        break;
    }
  }
  return bytes;
}

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string header(std::uint32_t magic, std::uint32_t block, std::uint32_t strong) {
  return big_endian(magic) + big_endian(block) + big_endian(strong);
}

bool refused(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.fault() == Fault::Protocol;
  }
  return false;
}

bool signature_refused(const std::string& bytes) {
  return refused([&] { loaded(bytes); });
}

const std::string kDeltaMagic = "rs\x02\x36";

bool delta_refused(const std::string& commands, std::uint64_t announced = 100) {
  const std::string basis(1000, 'b');
  return refused([&] { patched(basis, kDeltaMagic + commands, announced, 3); });
}

double seconds_of(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("delta: a basis and a delta give back the file, whatever the pieces", "[sync]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  Random random(seed);
  for (const std::size_t step : {1UL, 2UL, 3UL, 7UL, 15UL, 1000UL, 65'536UL, 1'000'000UL}) {
    const std::string basis = random_bytes(random, step < 16 ? 20'000 : 700'000 + random() % 5000);
    const std::string file = edited(random, basis, 5);
    INFO("step " << step);
    const std::string delta = delta_of(basis, file, step);
    CHECK((patched(basis, delta, file.size(), step) == file));
    CHECK(delta.size() < file.size() / 2);
  }
}

TEST_CASE("delta: empty, equal, unrelated and repetitive files survive", "[sync]") {
  Random random(7);
  const std::string noise = random_bytes(random, 100'000);
  const std::string zeros(3'000'000, '\0');
  const std::string files[] = {"", "x", noise, zeros, noise + zeros, zeros + noise, noise + noise};
  for (const std::string& basis : files) {
    if (basis.empty()) continue;
    for (const std::string& file : files) {
      CHECK((patched(basis, delta_of(basis, file), file.size()) == file));
    }
  }
  CHECK(delta_of(zeros, zeros).size() < zeros.size() / 100);
}

TEST_CASE("delta: blocks grow with the size and signatures stay within their bound", "[sync]") {
  CHECK(block_length(1) == 256);
  CHECK(block_length(65'536) == 256);
  CHECK(block_length(1 << 20) == 1024);
  CHECK(block_length((1 << 20) + 1) == 1152);
  CHECK(block_length(std::uint64_t{1} << 26) == 8192);
  CHECK(block_length(std::uint64_t{1} << 31) == 8192);
  for (std::uint64_t size = 1; size < std::uint64_t{1} << 36; size = size * 3 + 1) {
    const std::size_t block = block_length(size);
    CHECK(block % 128 == 0);
    CHECK((size + block - 1) / block <= delta::kMaxBlocks);
  }
  CHECK_FALSE(worth_delta(65'535, 1 << 20));
  CHECK(worth_delta(65'536, 512));
  CHECK_FALSE(worth_delta(65'536, 511));
  CHECK_FALSE(worth_delta(65'536, 0));
  CHECK(worth_delta(65'536, std::uint64_t{32} << 30));
  CHECK_FALSE(worth_delta(65'536, std::uint64_t{33} << 30));
  CHECK_FALSE(worth_delta(65'536, ~std::uint64_t{0}));
}

TEST_CASE("delta: a signature of any other kind is refused", "[sync]") {
  const std::string good = signature_of(std::string(100'000, 'x'));
  REQUIRE(good.substr(0, 12) == header(0x72730147, 384, 16));
  CHECK_NOTHROW(loaded(good));
  CHECK_NOTHROW(loaded(good, 1));
  const std::string body = good.substr(12);
  for (const std::uint32_t magic : {0x72730136U, 0x72730137U, 0x72730146U, 0x72730236U, 0U}) {
    CHECK(signature_refused(header(magic, 384, 16) + body));
  }
  for (const std::uint32_t block :
       {0U, 1U, 128U, 255U, 257U, 65'536U, 131'200U, 0x7FFFFFFFU, 0x80000000U, ~0U}) {
    CHECK(signature_refused(header(0x72730147, block, 16) + body));
  }
  for (const std::uint32_t strong : {0U, 1U, 8U, 15U, 17U, 32U, 33U, 0x80000000U, ~0U}) {
    CHECK(signature_refused(header(0x72730147, 384, strong) + body));
  }
  for (std::size_t size = 0; size < 80; ++size) {
    if (size >= 32 && (size - 12) % 20 == 0) continue;
    CHECK(signature_refused(good.substr(0, size)));
  }
  CHECK(signature_refused(good + "x"));
}

TEST_CASE("delta: a signature beyond its bound is refused before it is held", "[sync]") {
  Signature signature;
  signature.feed(header(0x72730147, 8192, 16));
  const std::string part(1 << 20, 's');
  const auto feed_all = [&] {
    for (int i = 0; i < 10; ++i) signature.feed(part);
  };
  CHECK(refused(feed_all));
}

TEST_CASE("delta: different blocks under one weak sum are refused, equal ones are not", "[sync]") {
  Random random(3);
  std::string same = header(0x72730147, 8192, 16);
  for (int i = 0; i < 100'000; ++i) same += "weak" + std::string(16, 's');
  CHECK_NOTHROW(loaded(same));
  const auto with = [&](int different) {
    std::string bytes = header(0x72730147, 1024, 16);
    for (int i = 0; i < different; ++i) bytes += "weak" + random_bytes(random, 16);
    return bytes;
  };
  CHECK_NOTHROW(loaded(with(16)));
  CHECK(signature_refused(with(17)));
  CHECK(signature_refused(with(200'000)));
}

TEST_CASE("delta: weak sums that were chosen to collide in the index are refused", "[sync]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  Random random(seed);
  const auto with = [&](const std::function<std::uint32_t(std::uint32_t)>& weak) {
    std::string bytes = header(0x72730147, 8192, 16);
    for (std::uint32_t i = 0; i < delta::kMaxBlocks; ++i)
      bytes += big_endian(weak(i)) + random_bytes(random, 16);
    return bytes;
  };
  CHECK_NOTHROW(loaded(with([&](std::uint32_t) { return static_cast<std::uint32_t>(random()); })));
  for (const int bits : {16, 18, 19, 20}) {
    CHECK(signature_refused(with([bits](std::uint32_t i) {
      const std::uint32_t high = (std::uint32_t{1} << (32 - bits)) - 1;
      return (i & high) << bits | i >> (32 - bits);
    })));
  }
}

TEST_CASE("delta: a signature that matches at every byte ends with the budget", "[sync]") {
  const std::string zeros(4 << 20, '\0');
  std::string bytes = signature_of(zeros);
  for (std::size_t at = delta::kHeader; at < bytes.size(); at += delta::kRecord) bytes[at + 4] ^= 1;
  const Signature signature = loaded(bytes);
  const auto nothing = [](std::string_view) {};
  DeltaMaker maker(signature, {std::chrono::milliseconds(20), std::chrono::milliseconds(1)});
  const double taken = seconds_of([&] { CHECK(refused([&] { maker.feed(zeros, nothing); })); });
  INFO(taken << " s");
  CHECK(taken < 20);
}

TEST_CASE("delta: a delta that leads out of its basis or its size is refused", "[sync]") {
  const std::string literal = std::string("\x05") + "hello";
  const std::string basis(1000, 'b');
  const std::string end(1, '\0');
  CHECK(patched(basis, kDeltaMagic + literal + end, 5) == "hello");
  CHECK(patched(basis, kDeltaMagic + "\x45\x0A\x03" + literal + end, 8) == "bbbhello");
  CHECK(delta_refused(literal + end, 4));
  CHECK(delta_refused(literal + end, 6));
  CHECK(delta_refused(literal, 5));
  CHECK(delta_refused(literal + end + "x", 5));
  CHECK(delta_refused("", 0));
  CHECK(delta_refused(std::string("\x05hel"), 5));
  CHECK(delta_refused(std::string("\x45\xFF\xFF", 3) + std::string("\x46\xFF\x03\xFF", 4) + end,
                      10'000));
  CHECK(delta_refused("\x49" + std::string("\x03\xE8\x01", 3) + end, 1));
  const std::string huge = "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
  const std::string negative = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
  const std::string zero(8, '\0');
  const std::string one = std::string(7, '\0') + "\x01";
  const auto command = [](char code, const std::string& first, const std::string& second) {
    return std::string(1, code).append(first).append(second).append(1, '\0');
  };
  for (const std::string& value : {huge, negative}) {
    CHECK(delta_refused(command('\x54', value, value)));
    CHECK(delta_refused(command('\x54', zero, value)));
    CHECK(delta_refused(command('\x54', value, one)));
    CHECK(delta_refused(command('\x44', value, literal)));
  }
  CHECK(delta_refused(std::string("\x41\0", 2) + end, 0));
  CHECK(delta_refused(std::string("\x45\0\0", 3) + end, 0));
  CHECK(delta_refused("\x55" + end));
  CHECK(delta_refused("\xFF" + end));
  CHECK(refused([&] { patched(basis, "rs\x02\x37" + literal + end, 5); }));
  CHECK(refused([&] { patched(basis, "", 0); }));
}

TEST_CASE("delta: an endless delta stops at the announced size", "[sync]") {
  const std::string basis(100'000, 'b');
  std::size_t written = 0;
  Patcher patcher(basis_of(basis), 1 << 20);
  std::string copies = kDeltaMagic;
  for (int i = 0; i < 1000; ++i) copies += std::string("\x4B\0\0\0\1\x86\xA0", 7);
  CHECK(refused(
      [&] { patcher.feed(copies, [&](std::string_view piece) { written += piece.size(); }); }));
  CHECK(written <= 1 << 20);
}

TEST_CASE("delta: every corrupt byte ends in an error or in a file of the announced size",
          "[sync]") {
  Random random(11);
  const std::string basis = random_bytes(random, 4000);
  const std::string file = edited(random, basis, 3);
  const std::string good = delta_of(basis, file);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {1, 0x80, 0xFF}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      try {
        if (patched(basis, bad, file.size()).size() != file.size())
          FAIL("a wrong size at byte " << at);
      } catch (const Error& error) {
        if (error.fault() != Fault::Protocol) FAIL("fault at byte " << at << ": " << error.what());
      }
    }
    if (!refused([&] { patched(basis, std::string_view(good).substr(0, at), file.size()); })) {
      FAIL("cut at byte " << at);
    }
  }
}

TEST_CASE("delta: an error of the basis passes through librsync unchanged", "[sync]") {
  const std::string commands = kDeltaMagic + "\x45\x0A\x03" + std::string(1, '\0');
  const auto nothing = [](std::string_view) {};
  Patcher broken(
      {[](std::uint64_t, std::span<char>) -> std::size_t { throw Error(Fault::Io, "disk", EIO); },
       1000},
      3);
  CHECK_THROWS_WITH(broken.feed(commands, nothing), "disk");
  Patcher shrunk({[](std::uint64_t, std::span<char>) { return std::size_t{0}; }, 1000}, 3);
  CHECK_THROWS_WITH(shrunk.feed(commands, nothing), Catch::Contains("became shorter"));
}
