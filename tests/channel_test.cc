// SPDX-License-Identifier: MIT
#include "protocol/channel.h"

#include <functional>

#include "protocol/codec.h"
#include "tests/support/catch.h"
#include "tests/support/converse.h"
#include "tests/support/samples.h"
#include "tests/support/scripted_stream.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Contains;
using test::converse;
using test::ManualClock;
using test::ScriptedStream;

namespace {

const std::string kPreamble(kMagic);

std::string frames(const std::vector<Message>& messages) {
  std::string out;
  for (const Message& message : messages) out += test::frame_of(message);
  return out;
}

Hello plain_hello() {
  Hello hello;
  hello.root = "/etc/xroad";
  return hello;
}

// Everything that a side has written after its preamble.
std::vector<Message> written_messages(const ScriptedStream& stream) {
  REQUIRE(stream.written().starts_with(kMagic));
  FrameReader reader;
  reader.feed(std::string_view(stream.written()).substr(kMagic.size()));
  std::vector<Message> out;
  while (const auto frame = reader.next())
    out.push_back(decode(frame->spec->number, frame->payload, kOurFeatures));
  return out;
}

Error error_of(const std::function<void()>& work) {
  const auto error = test::thrown_by(work);
  REQUIRE(error);
  return *error;
}

// A client whose server is a script.
struct Client {
  ManualClock clock;
  ScriptedStream stream{clock};
  Deadlines deadlines;
  Duration run = 1h;
  std::optional<Channel> channel;

  Channel& make() {
    return channel.emplace(stream, Side::Client, clock, deadlines, clock.now() + run);
  }
  // After the handshake; the script goes on with what has been put in since.
  Channel& open(const std::string& after = "") {
    stream.arrive(kPreamble + frames({Welcome{}}) + after);
    make().connect(plain_hello());
    return *channel;
  }
};

}  // namespace

TEST_CASE("channel: preamble and hello leave in one flight, before anything is read",
          "[protocol]") {
  Client client;
  client.stream.arrive(kPreamble + frames({Welcome{{Feature::Zstd}, "server 1", {}}}), 50ms);
  Hello hello = plain_hello();
  hello.features = kOurFeatures;
  const Welcome welcome = client.make().connect(hello);
  CHECK(welcome.version == "server 1");
  CHECK(client.channel->features() == Features{Feature::Zstd});
  CHECK(client.stream.written() == kPreamble + test::frame_of(hello));
  CHECK(client.channel->sent() == client.stream.written().size());
}

TEST_CASE("channel: the server's preamble leaves before the client has said anything",
          "[protocol]") {
  ManualClock clock;
  ScriptedStream stream(clock);
  Channel channel(stream, Side::Server, clock, {}, clock.now() + 1h);
  channel.greet();
  CHECK(stream.written() == kPreamble);
}

TEST_CASE("channel: every message of one side reaches the other, whatever the pieces",
          "[protocol]") {
  const std::size_t piece = GENERATE(1U, 2U, 3U, 7U, 15U, 100'000U);
  Client client;
  client.stream.piece = piece;
  std::vector<Message> sent;
  for (const Message& message : test::samples()) {
    const Spec& spec = spec_of(message);
    if (spec.sender == Side::Server && spec.number != Welcome::spec.number) sent.push_back(message);
  }
  client.stream.arrive(kPreamble + frames({Welcome{kOurFeatures, "", {}}}) + frames(sent));
  Hello hello = plain_hello();
  hello.features = kOurFeatures;
  Channel& channel = client.make();
  channel.connect(hello);
  for (const Message& message : sent) CHECK(channel.receive() == message);
}

TEST_CASE("channel: a session over a socketpair goes both ways, compressed or not", "[protocol]") {
  const Features features = GENERATE(Features{}, Features{Feature::Zstd});
  const Manifest manifest{{}, {1}, {}, Part::Last};
  std::string text;
  while (text.size() < 100'000) text += "line " + std::to_string(text.size()) + "\n";
  converse(
      [&](Channel& channel) {
        Hello hello = plain_hello();
        hello.features = features;
        CHECK(channel.connect(hello).features == features);
        channel.send(Want{7, "sig", true});
        CHECK(channel.receive() == Message(manifest));
        CHECK(channel.receive() == Message(Data{text}));
        CHECK(channel.echo(std::string(limits::kPing, 'p')) >= 0s);
        if (features.has(Feature::Zstd)) CHECK(channel.received() < text.size());
        channel.finish("done");
      },
      [&](Channel& channel) {
        channel.greet();
        const Hello hello = channel.accept();
        CHECK(hello.root == "/etc/xroad");
        channel.welcome({hello.features, "test", {}});
        CHECK(channel.receive() == Message(Want{7, "sig", true}));
        channel.send(manifest);
        channel.send(Data{text});
        CHECK(channel.receive() == Message(Bye{"done"}));
      });
}

TEST_CASE("channel: two sides that both write 32 MiB before they read do not deadlock",
          "[protocol]") {
  constexpr int kCount = 128;
  const std::string block(limits::kBlock, 'b');
  const auto write_then_read = [&](Channel& channel, const Message& mine, std::size_t theirs) {
    for (int i = 0; i < kCount; ++i) channel.send(mine);
    channel.flush();
    for (int i = 0; i < kCount; ++i) CHECK(channel.receive().index() == theirs);
  };
  converse(
      [&](Channel& channel) {
        channel.connect(plain_hello());
        write_then_read(channel, Want{1, block, false}, Message(Data{}).index());
      },
      [&](Channel& channel) {
        channel.greet();
        channel.accept();
        channel.welcome({});
        write_then_read(channel, Data{block}, Message(Want{}).index());
      });
}

TEST_CASE("channel: a peer that sends without end is not read beyond the pending limit",
          "[protocol]") {
  Client client;
  client.open();
  const std::string block = test::frame_of(Data{std::string(limits::kBlock, 'x')});
  std::string flood;
  while (flood.size() < limits::kPending + (8U << 20)) flood += block;
  client.stream.arrive(std::move(flood), 1s);
  client.clock.advance(2s);
  for (int i = 0; i < 10'000; ++i) client.channel->pulse();
  CHECK(client.channel->received() < limits::kPending + (1U << 20));
  CHECK(client.channel->received() > limits::kPending - (1U << 20));
  CHECK(client.channel->receive().index() ==
        Message(Data{}).index());  // and what is there can be taken
}

TEST_CASE("channel: while it waits it pings, and the peer's pings keep it waiting", "[protocol]") {
  Client client;
  client.open();
  for (int i = 1; i <= 20; ++i) client.stream.arrive(frames({Ping{}}), i * 9s);
  client.stream.arrive(frames({Seal{}}), 181s);
  CHECK(client.channel->receive() == Message(Seal{}));
  const auto written = written_messages(client.stream);
  const auto pings = std::count(written.begin(), written.end(), Message(Ping{}));
  CHECK(pings >= 50);  // one for each third of ten seconds
  CHECK(pings <= 56);
}

TEST_CASE("channel: long local work pings too, and only when it is due", "[protocol]") {
  Client client;
  client.open();
  for (int i = 0; i < 100; ++i) {
    client.clock.advance(1s);
    client.channel->pulse();
  }
  const auto written = written_messages(client.stream);
  const auto pings = std::count(written.begin(), written.end(), Message(Ping{}));
  CHECK(pings >= 20);
  CHECK(pings <= 30);
}

TEST_CASE("channel: each wait ends at its own deadline with its own words", "[protocol]") {
  Client client;
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
  Client client;
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
    Client client;
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
    Client client;
    client.stream.arrive(kPreamble + frames({early}));
    const Error error = error_of([&] { client.make().connect(plain_hello()); });
    CHECK(error.fault() == Fault::Protocol);
    CHECK_THAT(error.text(), Contains("before the handshake"));
  }
  Client refused;
  refused.stream.arrive(kPreamble + frames({Abort{Fault::Role, "this node is a slave"}}));
  const Error error = error_of([&] { refused.make().connect(plain_hello()); });
  CHECK(error.fault() == Fault::Role);
  CHECK_THAT(error.text(), Contains("the server gave up: this node is a slave"));
}

TEST_CASE("channel: a welcome cannot grant what was not offered", "[protocol]") {
  Client client;
  client.stream.arrive(kPreamble + frames({Welcome{{Feature::Zstd}, "", {}}}));
  const Error error = error_of([&] { client.make().connect(plain_hello()); });
  CHECK(error.fault() == Fault::Protocol);
  CHECK_THAT(error.text(), Contains("not offered"));
}

TEST_CASE("channel: the peer's abort keeps its class, and its words are escaped", "[protocol]") {
  Client client;
  client.open(frames({Abort{Fault::Vanished, "moved\n\x1b[2J"}}));
  const Error error = error_of([&] { client.channel->receive(); });
  CHECK(error.fault() == Fault::Vanished);
  CHECK(error.text() == "the server gave up: moved\\#012\\#033[2J");
  client.channel->abort(error);
  CHECK(written_messages(client.stream).size() == 1);  // an abort is not answered with an abort
}

TEST_CASE("channel: text before the preamble is quoted, with what to do", "[protocol]") {
  Client client;
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
    Client client;
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
    Client client;
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
  Client client;
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
  Client client;
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
    Client client;
    client.open();
    client.stream.takes = 0;
    const Instant before = client.clock.now();
    client.channel->finish("done");
    CHECK(client.clock.now() - before == 2s);
  }
  SECTION("the stream is broken") {
    Client client;
    client.open();
    client.stream.broken = true;
    CHECK_NOTHROW(client.channel->abort({Fault::Io, "disk"}));
  }
  SECTION("only the first are said") {
    Client client;
    client.open();
    client.channel->finish("done");
    client.channel->abort({Fault::Io, "disk"});
    CHECK(written_messages(client.stream).back() == Message(Bye{"done"}));
    CHECK(client.stream.write_closed());
  }
  SECTION("too long a reason is cut") {
    Client client;
    client.open();
    client.channel->abort({Fault::Io, std::string(100'000, 'x')});
    CHECK(std::get<Abort>(written_messages(client.stream).back()).text.size() == limits::kText);
  }
}

TEST_CASE("channel: a bye is the session's to read, an end after it is not an error of ours",
          "[protocol]") {
  Client client;
  client.open(frames({Bye{"closing"}}));
  CHECK(client.channel->receive() == Message(Bye{"closing"}));
  client.stream.end();
  CHECK_NOTHROW(client.channel->finish("bye"));
}

TEST_CASE("channel: try_receive never waits", "[protocol]") {
  Client client;
  client.open();
  client.stream.arrive(frames({Seal{}}), 5s);
  CHECK_FALSE(client.channel->try_receive());
  CHECK(client.stream.elapsed() == 0s);
  client.clock.advance(5s);
  CHECK(client.channel->try_receive() == Message(Seal{}));
}
