// SPDX-License-Identifier: MIT
// Bytes that nobody sends, through the real sockets of the real program. It must live on, and say
// nothing but HTTP. Built with the sanitizers, it dies of what it would survive otherwise.
#include <cstdlib>
#include <optional>
#include <random>

#include "base/text.h"
#include "tests/companion/node.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"

using namespace xs;
using namespace std::chrono_literals;
using test::Node;
using test::RawClient;

namespace {

bool is_long() {
  const char* value = std::getenv("XS_LONG");
  return value != nullptr && std::string(value) == "yes";
}

// Takes one answer off the front of `rest`, as a strict client reads it; what is wrong with it.
std::optional<std::string> take_answer(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n\r\n");
  if (end == std::string_view::npos) return "no end of the headers";
  const std::string_view head = rest.substr(0, end + 2);
  const bool starts = head.starts_with("HTTP/1.1 ") || head.starts_with("HTTP/1.0 ");
  const auto status = starts && head.size() > 13 ? parse_number(head.substr(9, 3)) : std::nullopt;
  if (!status || head[12] != ' ' || *status < 100 || *status > 599) return "no status line";
  rest.remove_prefix(end + 4);
  if (*status < 200) return std::nullopt;  // 100 Continue
  std::optional<unsigned long long> length;
  for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
    const std::size_t stop = head.find("\r\n", at);
    const std::string_view line = head.substr(at, stop - at);
    at = stop + 2;
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos || colon == 0) return "a header without a name";
    for (const char c : line) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "a control character";
    }
    const std::string_view name = line.substr(0, colon);
    if (name == "Server") return "a Server header";
    if (name != "Content-Length") continue;
    if (length) return "two lengths";
    length = parse_number(line.substr(colon + 2));
    if (!length) return "a wrong length";
  }
  if (!length) return "no length";
  // An answer to HEAD has none of what it announces: then the next answer, or the end, follows.
  if (rest.size() >= *length && !rest.substr(0, *length).starts_with("HTTP/1.")) {
    rest.remove_prefix(*length);
  } else if (!rest.empty() && !rest.starts_with("HTTP/1.")) {
    return "a body that is not as long as announced";
  }
  return std::nullopt;
}

std::optional<std::string> complaint(std::string_view said) {
  while (!said.empty()) {
    if (auto wrong = take_answer(said)) return wrong;
  }
  return std::nullopt;
}

using Random = std::mt19937;

// Requests that a mutation may leave half in order.
std::string seed_request(Random& random) {
  static const std::vector<std::string> kSeeds = {
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "HEAD /x?y=%41&z HTTP/1.0\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
      "GET http://other/abs HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; c=\"d\"\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
      "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
      "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "POST /maintenance?drain=x HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 21\r\n\r\n"
      "targetState=maybe&a=%",
      "GET /readyz?verbose&exclude=nothing&exclude= HTTP/1.1\r\nHost: [::1]:1\r\n\r\n",
      "GET /status.json HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Folded: a\r\n\tb\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
      "GET /secondary?lag=99999999999999999999&max-age=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  return kSeeds[random() % kSeeds.size()];
}

void mutate(std::string& bytes, Random& random) {
  static const std::vector<std::string> kPieces = {"\r\n",
                                                   "\n",
                                                   "\r",
                                                   ":",
                                                   " ",
                                                   "%",
                                                   "%00",
                                                   "\t",
                                                   "\r\n ",
                                                   "Content-Length: 0\r\n",
                                                   "Content-Length: 18446744073709551616\r\n",
                                                   "Transfer-Encoding: chunked\r\n",
                                                   "HTTP/1.1",
                                                   "Host: evil.example\r\n",
                                                   "ffffffffffffffff\r\n",
                                                   "\xff\xfe",
                                                   "&",
                                                   "=",
                                                   "?",
                                                   "//../"};
  for (std::size_t edits = 1 + random() % 6; edits > 0 && !bytes.empty(); --edits) {
    const std::size_t at = random() % bytes.size();
    switch (random() % 6) {
      case 0: bytes[at] = static_cast<char>(random()); break;
      case 1: bytes.erase(at, 1 + random() % 12); break;
      case 2: bytes.insert(at, random() % 300, static_cast<char>(random())); break;
      case 3: bytes.insert(at, kPieces[random() % kPieces.size()]); break;
      case 4: bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 60)); break;
      default: bytes.resize(at); break;
    }
  }
}

class Fuzzed {
 public:
  Fuzzed() {
    node_.configure(Node::kNoChecks);
    node_.serve();
  }
  // Sends it in pieces that end where `cuts` say, and judges what comes back.
  void feed(std::uint16_t port, const std::string& bytes, const std::vector<std::size_t>& cuts) {
    RawClient client(port);
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
      if (!client.send(std::string_view(bytes).substr(from, cut - from))) break;
      from = cut;
    }
    if (from < bytes.size()) client.send(std::string_view(bytes).substr(from));
    // An answer to somebody later says that it was read.
    CHECK(test::http_ask(port, "GET /livez").status() == "HTTP/1.1 200 OK");
    client.finish();
    const std::string said = client.read_to_end();
    const auto wrong = complaint(said);
    if (!wrong) return;
    FAIL(*wrong << " in the answer\n" << escape(said) << "\nto\n" << escape(bytes));
  }
  void still_works() {
    INFO(node_.daemon().log());
    CHECK(test::http_ask(node_.health, "GET /").status() == "HTTP/1.1 200 OK");
    CHECK(test::http_ask(node_.admin, "GET /livez").body == "ok\n");
    CHECK(RawClient(node_.agent).read_to_end() == "up ready\n");
  }
  void ends_well() {
    still_works();
    node_.daemon().signal(SIGTERM);
    CHECK(node_.daemon().wait() == 0);
    CHECK(node_.daemon().log().find("Sanitizer") == std::string::npos);
    CHECK(node_.daemon().log().find("runtime error") == std::string::npos);
  }
  const Node& node() const { return node_; }

 private:
  Node node_;
};

}  // namespace

TEST_CASE("http fuzz: the judge knows a bad answer", "[fuzz]") {
  const std::string good = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
  CHECK_FALSE(complaint(""));
  CHECK_FALSE(complaint(good + good));
  CHECK_FALSE(complaint("HTTP/1.1 100 Continue\r\n\r\n" + good));
  CHECK_FALSE(complaint("HTTP/1.1 500 Error\r\nContent-Length: 9\r\n\r\n" + good));  // to HEAD
  for (const char* bad :
       {"x", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok\n",
        "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \r x\r\nContent-Length: 0\r\n\r\n"}) {
    INFO(bad);
    CHECK(complaint(bad));
  }
}

TEST_CASE("http fuzz: a request may come in two pieces, cut anywhere", "[fuzz]") {
  Fuzzed fuzzed;
  const std::string request =
      "POST /maintenance HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 17\r\n\r\n"
      "targetState=false";
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    INFO("cut at " << cut);
    RawClient client(fuzzed.node().admin);
    client.send(request.substr(0, cut));
    client.send(request.substr(cut));
    const std::string wanted = "Maintenance mode set: false => false\n";
    CHECK(client.read_until([&](const std::string& all) { return all.ends_with(wanted); })
              .starts_with("HTTP/1.1 200 OK\r\n"));
  }
  // Byte by byte, too.
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < request.size(); ++i) cuts.push_back(i);
  fuzzed.feed(fuzzed.node().health, request + request, cuts);
  fuzzed.ends_well();
}

TEST_CASE("http fuzz: whatever comes, it answers in HTTP or not at all, and lives on", "[fuzz]") {
  Fuzzed fuzzed;
  const unsigned seed = test::random_seed();
  INFO("seed " << seed);
  Random random(seed);
  const int rounds = is_long() ? 100'000 : 3'000;
  for (int round = 0; round < rounds; ++round) {
    std::string bytes;
    for (std::size_t pipelined = 1 + random() % 4; pipelined > 0; --pipelined) {
      std::string one = seed_request(random);
      if (random() % 8 != 0) mutate(one, random);
      bytes += one;
    }
    std::vector<std::size_t> cuts;
    for (std::size_t at = random() % 40; random() % 3 != 0 && at < bytes.size();
         at += 1 + random() % 40) {
      cuts.push_back(at);
    }
    fuzzed.feed(round % 2 == 0 ? fuzzed.node().health : fuzzed.node().admin, bytes, cuts);
    if (round % 500 == 0) fuzzed.still_works();
  }
  fuzzed.ends_well();
}
