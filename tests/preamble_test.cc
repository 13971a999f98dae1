// SPDX-License-Identifier: MIT
#include "protocol/preamble.h"

#include "protocol/limits.h"
#include "tests/support/catch.h"

using namespace xs;
using Catch::Contains;

namespace {

Preamble fed(std::string_view bytes, std::size_t step) {
  Preamble preamble;
  for (std::size_t at = 0; at < bytes.size(); at += step) preamble.feed(bytes.substr(at, step));
  return preamble;
}

}  // namespace

TEST_CASE("preamble: the magic is taken in any pieces and the frames behind it are left",
          "[protocol]") {
  const std::string wire = std::string(kMagic) + "frames";
  for (const std::size_t step : {1U, 2U, 3U, 7U, 15U}) {
    Preamble preamble;
    std::string rest;
    for (std::size_t at = 0; at < wire.size(); at += step)
      rest += preamble.feed(std::string_view(wire).substr(at, step));
    CHECK(preamble.done());
    CHECK_FALSE(preamble.broken());
    CHECK(rest == "frames");
  }
}

TEST_CASE("preamble: noise is quoted, escaped and cut to 200 bytes, whatever its pieces",
          "[protocol]") {
  const std::string banner = "Welcome to\x1b[31m ss1\r\n" + std::string(500, 'x');
  for (const std::size_t step : {1U, 7U, 1000U}) {
    const Preamble preamble = fed(banner, step);
    CHECK(preamble.broken());
    CHECK(preamble.quote_is_full());
    const Error error = preamble.error(Side::Client, false, "");
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Contains("Welcome to\\#033[31m ss1\\#015\\#012xxx"));
    CHECK_THAT(error.text(), Contains("x...\""));
    CHECK_THAT(error.text(), Contains("login shell must print nothing"));
    CHECK(error.text().size() < 200 + 9 + 150);  // three escapes and our own words
  }
}

TEST_CASE("preamble: each way not to begin has its own words and class", "[protocol]") {
  const Error silent = Preamble().error(Side::Client, true, "it ended with status 127");
  CHECK(silent.fault() == Fault::Start);
  CHECK_THAT(silent.text(), Contains("before it said anything; it ended with status 127"));
  const Error other = fed("usage: foo\n", 4).error(Side::Client, true, "");
  CHECK(other.fault() == Fault::Protocol);
  CHECK_THAT(other.text(),
             Contains("not xroad-sync-server; it printed \"usage: foo\\#012\" and ended"));
  const Error newer = fed("\xF5XRSYNC7....", 5).error(Side::Client, false, "");
  CHECK(newer.fault() == Fault::Protocol);
  CHECK_THAT(newer.text(), Contains("generation 7") && Contains("generation 1"));
}

TEST_CASE("preamble: the server speaks of its client", "[protocol]") {
  const Error left = Preamble().error(Side::Server, true, "");
  CHECK(left.fault() == Fault::Stream);
  CHECK_THAT(left.text(), Contains("the client left"));
  const Error other = fed("GET / HTTP/1.0\r\n", 4).error(Side::Server, false, "");
  CHECK(other.fault() == Fault::Protocol);
  CHECK_THAT(other.text(), Contains("the client is not xroad-sync; it sent \"GET / HTTP"));
}

TEST_CASE("preamble: a banner in front of a working server is noise all the same", "[protocol]") {
  const Preamble preamble = fed("hi\n" + std::string(kMagic), 100);
  CHECK(preamble.broken());
  CHECK_THAT(preamble.error(Side::Client, false, "").text(),
             Contains("printed \"hi\\#012\" before"));
}
