// SPDX-License-Identifier: MIT
#include "protocol/throttled_stream.h"

#include <array>

#include "sync/size_spec.h"
#include "tests/support/catch.h"
#include "tests/support/scripted_stream.h"

using namespace xs;
using namespace std::chrono_literals;
using test::ManualClock;
using test::ScriptedStream;

namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

TEST_CASE("throttled_stream: a rate is kept in both directions", "[protocol]") {
  for (const std::uint64_t rate : {512U, 100'000U, 50'000'000U}) {
    ManualClock clock;
    ScriptedStream inner(clock);
    const std::size_t size = rate * 5;
    inner.arrive(std::string(size, 'x'));
    ThrottledStream stream(inner, clock, rate);
    std::array<char, 65536> buffer;
    std::size_t got = 0;
    for (int rounds = 0; got < size; ++rounds) {
      REQUIRE(rounds < 100'000);
      const auto more = stream.read_some(buffer);
      if (more) got += *more;
      if (!more) stream.wait(false, clock.now() + 1h);
    }
    CHECK(seconds(inner.elapsed()) == Approx(4.9).margin(rate == 512 ? 1.0 : 0.1));
    const std::string bytes(size, 'y');
    const Instant begin = clock.now();
    for (int rounds = 0; inner.written().size() < size; ++rounds) {
      REQUIRE(rounds < 100'000);
      const std::size_t from = inner.written().size();
      if (!stream.write_some(std::string_view(bytes).substr(from))) {
        stream.wait(true, clock.now() + 1h);
      }
    }
    CHECK(seconds(clock.now() - begin) == Approx(4.9).margin(rate == 512 ? 1.0 : 0.1));
  }
}

TEST_CASE("throttled_stream: a pause saves up a tenth of a second at most", "[protocol]") {
  ManualClock clock;
  ScriptedStream inner(clock);
  inner.arrive(std::string(1'000'000, 'x'));
  ThrottledStream stream(inner, clock, 100'000);
  clock.advance(1h);
  std::array<char, 65536> buffer;
  CHECK(stream.read_some(buffer).value_or(0) == 10'000);
  CHECK_FALSE(stream.read_some(buffer));
}

TEST_CASE("throttled_stream: a wait ends at its deadline", "[protocol]") {
  ManualClock clock;
  ScriptedStream inner(clock);
  ThrottledStream stream(inner, clock, 1000);
  const Instant deadline = clock.now() + 3s;
  stream.wait(false, deadline);
  CHECK(clock.now() == deadline);
}

TEST_CASE("size_spec: sizes and rates read as rsync reads them", "[sync]") {
  CHECK(parse_size("--max-size", "10") == 10);
  CHECK(parse_size("--max-size", "1.5k") == 1536);
  CHECK(parse_size("--max-size", "2KB") == 2000);
  CHECK(parse_size("--max-size", "2MiB-1") == 2 * 1024 * 1024 - 1);
  CHECK(parse_size("--max-size", "1g+1") == (1ULL << 30) + 1);
  CHECK(parse_size("--max-size", "7b") == 7);
  CHECK(parse_rate("0") == 0);
  CHECK(parse_rate("100") == 102'400);
  CHECK(parse_rate("1.5m") == 1'572'864);
  CHECK(parse_rate("600b") == 600);
  for (const char* text : {"", "k", "1x", "1ki", "-1", "1..2", "1k2", "9999999p", "1+2", " 1"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_size("--max-size", text), Error);
  }
  CHECK_THROWS_AS(parse_rate("100b"), Error);
}
