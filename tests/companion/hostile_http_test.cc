// SPDX-License-Identifier: MIT
// What no load balancer sends.
#include <sys/resource.h>

#include <random>

#include "tests/companion/ports.h"
#include "tests/support/setting.h"

using namespace xs;
using namespace std::chrono_literals;
using namespace std::string_literals;
using test::eventually;
using test::Ports;
using test::RawClient;

namespace {

constexpr const char* kOk = "HTTP/1.1 200 OK";

// Far below the 10 s for which a silent client keeps its place, and enough for a busy machine.
constexpr auto kSoon = 5s;

// A probe as a load balancer sends it, and how long it took.
std::chrono::milliseconds probe(Ports& ports) {
  const auto start = std::chrono::steady_clock::now();
  CHECK(ports.health().status() == kOk);
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start);
}

// What the other side still says when its time is over.
std::string last_words(Ports& ports, RawClient& client) {
  probe(ports);  // connections are taken in their order: by now the client's is, too
  ports.clock.advance(40s);
  ports.service().sweep();
  return client.read_to_end();
}

using Clients = std::vector<std::unique_ptr<RawClient>>;

Clients open_many(std::uint16_t port, int count, const std::string& bytes) {
  Clients clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawClient>(port));
    if (!bytes.empty()) clients.back()->send(bytes);
  }
  return clients;
}

}  // namespace

TEST_CASE("hostile: 400 half-open connections delay no probe", "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  const std::uint16_t port = ports.known().health_port();
  const Clients silent = open_many(port, 200, "");
  const Clients begun = open_many(port, 200, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
  for (int i = 0; i < 20; ++i) CHECK(probe(ports) < kSoon);
  // None of them was sacrificed: there is room for all.
  CHECK_FALSE(silent.front()->is_closed());
  CHECK_FALSE(begun.front()->is_closed());
}

TEST_CASE("hostile: more connections than there is room for push out the oldest", "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  const std::uint16_t port = ports.known().health_port();
  // A load balancer's kept connection, which had an answer, outlives them.
  RawClient kept(port);
  const auto ask = [&] {
    kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return kept.read_until([](const std::string& all) { return all.ends_with("\r\n\r\n"); });
  };
  CHECK(ask().starts_with(kOk));
  Clients flood;
  for (int round = 0; round < 4; ++round) {
    for (auto& client : open_many(port, 200, "GET")) flood.push_back(std::move(client));
    CHECK(probe(ports) < kSoon);
  }
  CHECK(eventually([&] { return flood.front()->is_closed(); }));
  CHECK_FALSE(flood.back()->is_closed());
  CHECK(ask().starts_with(kOk));
}

TEST_CASE("hostile: idle connections from anywhere keep no probe out", "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  const std::uint16_t port = ports.known().health_port();
  const bool they_ask = GENERATE(false, true);
  Clients idle;
  // More than there is room for, from one address or from as many as there are connections.
  for (const int addresses : {1, 600}) {
    for (int i = 0; i < 600; ++i) {
      const int from = 256 + i % addresses;
      idle.push_back(std::make_unique<RawClient>(
          "127.0.0.1", port,
          "127.0." + std::to_string(from / 256) + "." + std::to_string(from % 256)));
      if (they_ask) {
        idle.back()->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        idle.back()->read_until([](const std::string& all) { return all.ends_with("\r\n\r\n"); });
      }
      if (i % 20 == 0) CHECK(probe(ports) < kSoon);
    }
  }
}

TEST_CASE("hostile: a client that will say no more is let go, answered or not", "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  const std::uint16_t port = ports.known().health_port();
  for (int round = 0; round < 20; ++round) {  // the end may come with the bytes, or after them
    RawClient asked(port);
    asked.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    asked.finish();
    const std::string said = asked.read_to_end();
    CHECK(said.starts_with(kOk));
    CHECK(said.find(kOk, 1) != std::string::npos);
    RawClient begun(port);
    begun.send("GET / HTTP/1.1\r\nHo");
    begun.finish();
    CHECK(eventually([&] {
      ports.service().sweep();
      return begun.is_closed();
    }));
  }
}

TEST_CASE("hostile: a request that drips is cut after 10 s, whatever it sends", "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  Service& service = ports.known();
  RawClient drip(service.health_port());
  probe(ports);  // so that its connection is taken
  for (int second = 0; second < 9; ++second) {
    CHECK(drip.send("G"));
    ports.clock.advance(1s);
    service.sweep();
    CHECK_FALSE(drip.is_closed());
  }
  ports.clock.advance(1s);
  service.sweep();
  CHECK(eventually([&] { return drip.is_closed(); }));
  CHECK(ports.health().status() == kOk);
}

TEST_CASE("hostile: malformed and huge requests end, and the port lives on", "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  const std::uint16_t port = ports.known().health_port();
  const std::string nul = "GET /\0/x HTTP/1.1\r\nHo\0st: a\r\n\r\n"s;
  const std::vector<std::string> requests = {
      "\r\n\r\n\r\n",
      std::string(64, '\0'),
      nul,
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(100'000, 'x') + ": y\r\n\r\n",
      "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n",
      std::string(100'000, 'A'),
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
      "GET / HTTP/1.1\r\n : \r\n:\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  // somebody speaks TLS
  };
  for (const std::string& request : requests) {
    INFO(request.substr(0, 60));
    RawClient client(port);
    client.send(request);
    client.finish();
    const std::string reply = last_words(ports, client);
    CHECK(reply.find("Server:") == std::string::npos);
    CHECK(probe(ports) < kSoon);
  }
}

TEST_CASE("hostile: pipelined requests are answered one by one, unread answers hold nobody",
          "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  const std::uint16_t port = ports.known().health_port();
  const std::string one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string many;
  for (int i = 0; i < 20; ++i) many += one;
  RawClient client(port);
  client.send(many);
  const auto answers = [](const std::string& all) {
    int count = 0;
    for (std::size_t at = all.find(kOk); at != std::string::npos; at = all.find(kOk, at + 1)) {
      ++count;
    }
    return count;
  };
  CHECK(answers(client.read_until([&](const std::string& all) { return answers(all) == 20; })) ==
        20);
  const Clients unread = open_many(port, 100, many);
  CHECK(probe(ports) < kSoon);
}

TEST_CASE("hostile: random bytes through the socket never take the port down", "[companion]") {
  Ports ports{Ports::WithoutChecks()};
  const std::uint16_t port = ports.known().health_port();
  const std::uint16_t admin = ports.service().admin_port();
  const unsigned seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::string base =
      "POST /maintenance?targetState=maybe&a=%zz HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\nreason=a%2b+";
  for (int round = 0; round < 400; ++round) {
    std::string bytes = base;
    const unsigned edits = 1 + random() % 8;
    for (unsigned i = 0; i < edits; ++i) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0: bytes[at] = static_cast<char>(random()); break;
        case 1: bytes.erase(at, 1 + random() % 10); break;
        default: bytes.insert(at, random() % 20, static_cast<char>(random())); break;
      }
      if (bytes.empty()) bytes = "x";
    }
    RawClient client(round % 2 == 0 ? port : admin);
    client.send(bytes);
    client.finish();
    if (round % 50 == 0) {
      last_words(ports, client);
      CHECK(probe(ports) < kSoon);
    }
  }
  CHECK(ports.admin("/livez").body == "ok\n");
}
