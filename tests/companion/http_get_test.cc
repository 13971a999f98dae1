// SPDX-License-Identifier: MIT
#include "companion/http_get.h"

#include "companion/checks/memory.h"
#include "companion/checks/proxy_alive.h"
#include "companion/checks/proxy_answers.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/http_peer.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

HttpReply get(std::uint16_t port, Duration time = 5s) {
  SteadyClock clock;
  return http_get({"127.0.0.1", port, "/x"}, clock, clock.now() + time);
}

// What stands in the way, and that the time was kept.
Error failing(const HttpPlan& plan, Duration time = 5s) {
  const HttpPeer peer(plan);
  SteadyClock clock;
  const Instant begin = clock.now();
  const auto error = thrown_by([&] { get(peer.port(), time); });
  CHECK(clock.now() - begin < time + 10s);
  REQUIRE(error);
  return *error;
}

Verdict memory(const std::string& body, unsigned threshold) {
  const HttpPeer peer(body);
  SteadyClock clock;
  MemoryCheck check({{"127.0.0.1", peer.port(), "/memory-usage"}, threshold});
  return check.ask(clock, clock.now() + 5s);
}

}  // namespace

TEST_CASE("http get: asks in HTTP/1.0 and takes any status", "[companion]") {
  const HttpPeer peer(HttpPlan{http_reply(503, "body\n")});
  const HttpReply reply = get(peer.port());
  CHECK(reply.status == 503);
  CHECK(reply.body == "body\n");
  CHECK_THAT(peer.request(), Contains("GET /x HTTP/1.0\r\nHost: 127.0.0.1:"));
}

TEST_CASE("http get: pieces, no length, and a connection that stays open are fine", "[companion]") {
  const std::string bare = "HTTP/1.1 200\r\n\r\nhello";
  CHECK(get(HttpPeer(HttpPlan{bare, 1}).port()).body == "hello");
  HttpPlan kept{http_reply(200, "hello")};
  kept.hold = true;
  CHECK(get(HttpPeer(kept).port()).body == "hello");
}

TEST_CASE("http get: who asks our own companion may be told more", "[companion]") {
  const std::string status(200'000, 'x');
  const HttpPeer peer(status);
  SteadyClock clock;
  const HttpTarget target{"127.0.0.1", peer.port(), "/x"};
  CHECK(http_get(target, clock, clock.now() + 5s, kOwnReplyLimit).body == status);
  CHECK(thrown_by([&] { get(peer.port()); })->fault() == Fault::Protocol);
}

TEST_CASE("http get: the answer's date comes along, whatever its case", "[companion]") {
  CHECK(
      parse_http_reply("HTTP/1.1 200 OK\r\nX-Date: no\r\nDATE:  Fri, 15 Jan 2027 \r\n\r\n").date ==
      "Fri, 15 Jan 2027");
  CHECK(parse_http_reply("HTTP/1.1 200 OK\r\n\r\nDate: no\r\n\r\n").date.empty());
  CHECK(parse_http_reply("HTTP/1.1 200 OK\r\nDate\r\n\r\n").date.empty());
}

TEST_CASE("http get: a slow, huge, cut or foreign answer is an error in time", "[companion]") {
  HttpPlan plan{http_reply(200, "hello")};
  SECTION("one byte and another, for ever") {
    plan.piece = 1;
    plan.pause = 40ms;
    CHECK(failing(plan, 300ms).fault() == Fault::Timeout);
  }
  SECTION("silence") {
    plan.reply.clear();
    plan.hold = true;
    CHECK(failing(plan, 200ms).fault() == Fault::Timeout);
  }
  SECTION("endless headers and endless body") {
    plan.reply = GENERATE("HTTP/1.1 200 OK\r\nA: ", "HTTP/1.1 200 OK\r\n\r\nx");
    plan.endless = true;
    const Error error = failing(plan);
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Contains("more than 65536 bytes"));
  }
  SECTION("cut anywhere") {
    const std::string whole = plan.reply;
    for (std::size_t size = 0; size < whole.size(); size += 7) {
      plan.reply = whole.substr(0, size);
      CHECK((failing(plan).fault() == Fault::Stream || size < 13));
    }
  }
  SECTION("reset") {
    plan.reply = plan.reply.substr(0, 60);
    plan.reset = true;
    CHECK(failing(plan).fault() == Fault::Stream);
  }
  SECTION("another protocol") {
    plan.reply = "SSH-2.0-OpenSSH\r\n\r\n";
    CHECK(failing(plan).fault() == Fault::Protocol);
  }
  SECTION("a transfer encoding that nobody asked for") {
    plan.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    CHECK(failing(plan).fault() == Fault::Protocol);
  }
  SECTION("two lengths") {
    plan.reply = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
    CHECK(failing(plan).fault() == Fault::Protocol);
  }
}

TEST_CASE("http get: a port that refuses and a path that is none are errors", "[companion]") {
  CHECK(thrown_by([] { get(free_port()); })->fault() == Fault::Network);
  SteadyClock clock;
  const auto odd = thrown_by([&] {
    http_get({"127.0.0.1", 1, "/a\r\nHost: b"}, clock, clock.now() + 1s);
  });
  REQUIRE(odd);
  CHECK(odd->fault() == Fault::Usage);
}

TEST_CASE("memory: fails above the threshold and not at it", "[companion]") {
  const std::string body =
      R"({"totalMemory":900,"freeMemory":97,"maxMemory":1000,"usedMemory":803,"threshold":80,)"
      R"("usedPercent":80})";
  CHECK(memory(body, 80).ok);
  const Verdict above = memory(body, 79);
  CHECK_FALSE(above.ok);
  CHECK(above.message == "Memory usage above threshold");
  CHECK(above.detail == "the proxy uses 80 % of its largest heap, the threshold is 79 %");
  CHECK(above.measured == std::vector<Measured>{{"used_percent", 80}});
  // An older proxy, which leaves the division to us.
  const std::string old = R"({"totalMemory":900,"freeMemory":97,"maxMemory":1000})";
  CHECK(memory(old, 80).ok);
  CHECK_FALSE(memory(old, 79).ok);
}

TEST_CASE("memory: a proxy that does not tell is a failure with the reason", "[companion]") {
  for (const char* body : {"", "[]", "{", "{}", R"({"usedPercent":"80"})", R"({"usedPercent":-1})",
                           R"({"totalMemory":1,"freeMemory":2,"maxMemory":3})",
                           R"({"totalMemory":1,"freeMemory":1,"maxMemory":0})"}) {
    INFO(body);
    const auto error = thrown_by([&] { memory(body, 80); });
    REQUIRE(error);
    CHECK_THAT(error->text(), Contains("/memory-usage does not tell the memory usage"));
  }
  const HttpPeer peer(HttpPlan{http_reply(404, "")});
  SteadyClock clock;
  MemoryCheck check({{"127.0.0.1", peer.port(), "/memory-usage"}, 80});
  const auto error = thrown_by([&] { check.ask(clock, clock.now() + 5s); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("answers with status 404"));
}

TEST_CASE("proxy answers: its health port's words are passed on", "[companion]") {
  SteadyClock clock;
  const auto ask = [&](std::uint16_t port) {
    return ProxyAnswersCheck(ProxyAnswersSettings{{"127.0.0.1", port, "/"}})
        .ask(clock, clock.now() + 5s);
  };
  CHECK(ask(HttpPeer(HttpPlan{http_reply(200, "")}).port()).ok);
  const Verdict sick =
      ask(HttpPeer(HttpPlan{http_reply(500, "ServerConf is not available\n")}).port());
  CHECK(sick.message == "Proxy is not healthy");
  CHECK_THAT(sick.detail, Contains("500: ServerConf is not available"));
  CHECK_THAT(ask(HttpPeer(HttpPlan{http_reply(503, "maintenance\x1b[2J")}).port()).detail,
             Contains("503: maintenance\\#033[2J"));
  CHECK(ask(free_port()).message == "Proxy does not answer");
  CHECK_THAT(ask(0).detail, Contains("is not set"));
}

TEST_CASE("proxy alive: any answer of its admin port will do, silence and refusal will not",
          "[companion]") {
  SteadyClock clock;
  const auto ask = [&](std::uint16_t port, Duration time) {
    return ProxyAliveCheck({"127.0.0.1", port, "/memory-usage"}).ask(clock, clock.now() + time);
  };
  const HttpPeer proxy(HttpPlan{http_reply(404, "")});
  CHECK(ask(proxy.port(), 5s).ok);
  CHECK_THAT(proxy.request(), Contains("GET / HTTP/1.0"));
  const Verdict dead = ask(free_port(), 5s);
  CHECK_FALSE(dead.ok);
  CHECK(dead.message == "Proxy is not running");
  CHECK_FALSE(ask(HttpPeer(HttpPlan{""}).port(), 5s).ok);
  const auto hung = thrown_by([&] { ask(SilentPort().port(), 200ms); });
  REQUIRE(hung);
  CHECK(hung->fault() == Fault::Timeout);
}
