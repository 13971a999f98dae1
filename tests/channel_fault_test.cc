// SPDX-License-Identifier: MIT
// A session that does not go well: silence, nonsense, a peer that goes away, and what is said then.
#include <functional>
#include <string>
#include <vector>

#include "protocol/channel.h"
#include "tests/support/catch.h"
#include "tests/support/samples.h"
#include "tests/support/scripted_client.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Contains;
using test::frames;
using test::kPreamble;
using test::plain_hello;
using test::ScriptedClient;
using test::written_messages;

namespace {

Error error_of(const std::function<void()>& work) {
  const auto error = test::thrown_by(work);
  REQUIRE(error);
  return *error;
}

}  // namespace

TEST_CASE("channel: each wait ends at its own deadline with its own words", "[protocol]") {
  ScriptedClient client;
  SECTION("nothing at all") {
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK(error.fault() == Fault::Timeout);
    CHECK_THAT(error.text(), Contains("the server was silent for 10 s"));
    CHECK(client.stream.elapsed() == 10s);
  }
  SECTION("a preamble and nothing more") {
    client.stream.arrive(kPreamble, 5s);
    CHECK(error_of([&] { client.make().connect(plain_hello()); }).fault() == Fault::Timeout);
    CHECK(client.stream.elapsed() == 15s);
  }
  SECTION("silence in the session") {
    client.deadlines.idle = 3s;
    client.open();
    const Error error = error_of([&] { client.channel->receive(); });
    CHECK(error.fault() == Fault::Timeout);
    CHECK_THAT(error.text(), Contains("silent for 3 s"));
    CHECK(client.stream.elapsed() == 3s);
    CHECK(std::holds_alternative<Abort>(written_messages(client.stream).back()));
  }
  SECTION("a peer that takes nothing") {
    client.open();
    client.stream.takes = 100;
    client.stream.words = "it said: \"disk is slow\"";
    const Error error = error_of([&] {
      for (int i = 0; i < 100; ++i)
        client.channel->send(Want{0, std::string(limits::kBlock, 'x'), false});
    });
    CHECK(error.fault() == Fault::Timeout);
    CHECK_THAT(error.text(), Contains("took no data for 10 s; it said: \"disk is slow\""));
    CHECK(client.stream.elapsed() < 13s);
  }
  SECTION("a peer that drips for ever meets the end of the run") {
    client.run = 100s;
    client.open();
    for (int i = 1; i < 100; ++i) client.stream.arrive(frames({Ping{}}), i * 9s);
    const Error error = error_of([&] { client.channel->receive(); });
    CHECK(error.fault() == Fault::Timeout);
    CHECK_THAT(error.text(), Contains("longer than its time limit"));
    CHECK(client.stream.elapsed() == 100s);
  }
}

TEST_CASE("channel: our own slowness is not held against the peer", "[protocol]") {
  ScriptedClient client;
  client.open();
  client.stream.arrive(frames({Seal{}}), 65s);
  client.clock.advance(60s);  // a minute of local work without a pulse
  CHECK(client.channel->receive() == Message(Seal{}));
}

TEST_CASE(
    "channel: what the peer does wrong is answered with one abort that names class and reason",
    "[protocol]") {
  struct Case {
    std::string bytes;
    std::string because;
  };
  const std::vector<Case> cases{
      {std::string("\x3F", 1), "unknown message number 63"},
      {frames({Want{}}), "a server must not send a want message"},
      {frames({Welcome{}}), "came after the handshake"},
      {frames({Hello{}}), "a server must not send a hello"},
      {frames({Ping{PingKind::Answer, "x"}}), "not asked"},
      {std::string("\x0A\x01\x00", 3), "malformed seal message: it ends too early"},
      {"\x87", "not agreed on"},
  };
  for (const Case& one : cases) {
    ScriptedClient client;
    client.open(one.bytes);
    const Error error = error_of([&] { client.channel->receive(); });
    INFO(error.text());
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Contains(one.because));
    const auto written = written_messages(client.stream);
    REQUIRE(written.size() == 2);  // the hello and one abort
    const Abort& abort = std::get<Abort>(written.back());
    CHECK(abort.fault == Fault::Protocol);
    CHECK(abort.text == error.text());
    CHECK(client.stream.write_closed());
    client.channel->abort(error);
    CHECK(written_messages(client.stream).size() == 2);
  }
}

TEST_CASE("channel: before the handshake nothing but the handshake is taken", "[protocol]") {
  for (const Message& early : {Message(Seal{}), Message(Ping{}), Message(Bye{})}) {
    ScriptedClient client;
    client.stream.arrive(kPreamble + frames({early}));
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Contains("before the handshake"));
  }
  ScriptedClient refused;
  refused.stream.arrive(kPreamble + frames({Abort{Fault::Role, "this node is a slave"}}));
  const Error error = error_of([&] { refused.make().connect(plain_hello()); });
  CHECK(error.fault() == Fault::Role);
  CHECK_THAT(error.text(), Contains("the server gave up: this node is a slave"));
}

TEST_CASE("channel: a welcome cannot grant what was not offered", "[protocol]") {
  ScriptedClient client;
  client.stream.arrive(kPreamble + frames({Welcome{{Feature::Zstd}, "", {}}}));
  const Error error = error_of([&] { client.make().connect(plain_hello()); });
  CHECK(error.fault() == Fault::Protocol);
  CHECK_THAT(error.text(), Contains("not offered"));
}

TEST_CASE("channel: the peer's abort keeps its class, and its words are escaped", "[protocol]") {
  ScriptedClient client;
  client.open(frames({Abort{Fault::Vanished, "moved\n\x1b[2J"}}));
  const Error error = error_of([&] { client.channel->receive(); });
  CHECK(error.fault() == Fault::Vanished);
  CHECK(error.text() == "the server gave up: moved\\#012\\#033[2J");
  client.channel->abort(error);
  CHECK(written_messages(client.stream).size() == 1);  // an abort is not answered with an abort
}

TEST_CASE("channel: a server cannot choose an exit code that only we can have", "[protocol]") {
  for (const FaultInfo& info : kFaults) {
    ScriptedClient client;
    client.open(frames({Abort{info.fault, "so there"}}));
    const Error error = error_of([&] { client.channel->receive(); });
    INFO(info.name);
    CHECK_THAT(error.text(), Contains("so there"));
    switch (info.fault) {
      case Fault::Network:
      case Fault::ConnectTimeout:
      case Fault::Refused:
      case Fault::Locked:  // 40, which is a success to the unit
      case Fault::HostKey:
      case Fault::Auth:
      case Fault::Mismatch:
      case Fault::Action:
      case Fault::Paused: CHECK(error.fault() == Fault::Protocol); break;
      default: CHECK(error.fault() == info.fault);
    }
  }
}

TEST_CASE("channel: text before the preamble is quoted, with what to do", "[protocol]") {
  ScriptedClient client;
  SECTION("a banner, then a working server") {
    client.stream.arrive("Welcome to ss1\n", 1ms);
    client.stream.arrive("Last login: today\n" + kPreamble + frames({Welcome{}}), 2ms);
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Contains("Welcome to ss1\\#012Last login: today\\#012"));
    CHECK_THAT(error.text(), Contains("must print nothing"));
    CHECK(client.stream.elapsed() < 1s);
  }
  SECTION("another program") {
    client.stream.arrive("This account is disabled.\n");
    client.stream.end(1ms);
    client.stream.words = "it ended with status 1";
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Contains("not xroad-sync-server") &&
                                 Contains("This account is disabled.") &&
                                 Contains("it ended with status 1"));
  }
  SECTION("nothing") {
    client.stream.end();
    client.stream.words = "the remote side said: \"command not found\"";
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK(error.fault() == Fault::Start);
    CHECK_THAT(error.text(), Contains("command not found"));
  }
  SECTION("a flood that never ends is quoted once it is enough") {
    client.stream.arrive(std::string(1'000'000, '#'));
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK(error.text().size() < 600);
    CHECK(client.stream.elapsed() == 0s);
  }
}

TEST_CASE("channel: a session that is cut after any byte ends with a reason", "[protocol]") {
  const std::string script =
      kPreamble + frames({Welcome{}, Manifest{{}, {1}, {}, Part::Last}, Data{"bytes"}, Seal{}});
  for (std::size_t cut = 0; cut < script.size(); ++cut) {
    INFO("cut after " << cut << " of " << script.size());
    ScriptedClient client;
    client.stream.arrive(script.substr(0, cut));
    client.stream.end(1ms);
    const Error error = error_of([&] {
      Channel& channel = client.make();
      channel.connect(plain_hello());
      for (int i = 0; i < 3; ++i) channel.receive();
    });
    CHECK(error.fault() ==
          (cut < kMagic.size() ? cut == 0 ? Fault::Start : Fault::Protocol : Fault::Stream));
    CHECK(client.stream.elapsed() < 1s);
  }
}

TEST_CASE("channel: a stall after any byte ends within the idle deadline", "[protocol]") {
  const std::string script =
      kPreamble + frames({Welcome{}, Manifest{{}, {1}, {}, Part::Last}, Seal{}});
  for (std::size_t cut = 0; cut < script.size(); ++cut) {
    INFO("stalled after " << cut);
    ScriptedClient client;
    if (cut > 0) client.stream.arrive(script.substr(0, cut), 1s);
    const Error error = error_of([&] {
      Channel& channel = client.make();
      channel.connect(plain_hello());
      for (int i = 0; i < 2; ++i) channel.receive();
    });
    CHECK(error.fault() == Fault::Timeout);
    CHECK(client.stream.elapsed() <= 11s);
  }
}

TEST_CASE("channel: whoever asks without reading the answers is refused", "[protocol]") {
  ScriptedClient client;
  std::string questions;
  for (std::size_t i = 0; i < 2 * limits::kOutgoing / limits::kPing; ++i) {
    questions += test::frame_of(Ping{PingKind::Question, std::string(limits::kPing, '?')});
  }
  client.open(questions);
  client.stream.takes = 0;
  const Error error = error_of([&] { client.channel->receive(); });
  CHECK(error.fault() == Fault::Protocol);
  CHECK_THAT(error.text(), Contains("too many pings"));
}

TEST_CASE("channel: a peer that leaves while we write is heard out first", "[protocol]") {
  ScriptedClient client;
  SECTION("it said why") {
    client.open(frames({Abort{Fault::Role, "this node is a slave"}}));
    client.stream.broken = true;
    client.channel->send(Want{});
    CHECK(error_of([&] { client.channel->receive(); }).fault() == Fault::Role);
  }
  SECTION("it was never our program") {
    client.stream.broken = true;
    client.stream.arrive("sh: not found\n", 10ms);
    client.stream.end(20ms);
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK_THAT(error.text(), Contains("sh: not found"));
  }
  SECTION("it said nothing") {
    client.open();
    client.stream.broken = true;
    client.channel->send(Want{});
    const Error error = error_of([&] { client.channel->flush(); });
    CHECK(error.fault() == Fault::Stream);
    CHECK_THAT(error.text(), Contains("the connection is broken"));
    CHECK(client.stream.elapsed() <= 2s);
    const Instant before = client.clock.now();
    client.channel->abort(error);
    CHECK(client.clock.now() == before);
  }
}

TEST_CASE("channel: last words are short-lived and never throw", "[protocol]") {
  SECTION("the peer takes nothing") {
    ScriptedClient client;
    client.open();
    client.stream.takes = 0;
    const Instant before = client.clock.now();
    client.channel->finish("done");
    CHECK(client.clock.now() - before == 2s);
  }
  SECTION("the stream is broken") {
    ScriptedClient client;
    client.open();
    client.stream.broken = true;
    CHECK_NOTHROW(client.channel->abort({Fault::Io, "disk"}));
  }
  SECTION("only the first are said") {
    ScriptedClient client;
    client.open();
    client.channel->finish("done");
    client.channel->abort({Fault::Io, "disk"});
    CHECK(written_messages(client.stream).back() == Message(Bye{"done"}));
    CHECK(client.stream.write_closed());
  }
  SECTION("too long a reason is cut") {
    ScriptedClient client;
    client.open();
    client.channel->abort({Fault::Io, std::string(100'000, 'x')});
    CHECK(std::get<Abort>(written_messages(client.stream).back()).text.size() == limits::kText);
  }
}
