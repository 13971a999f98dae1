// SPDX-License-Identifier: MIT
// A session that goes well: the handshake, messages both ways, what keeps it alive, its end.
#include "protocol/channel.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/converse.h"
#include "tests/support/samples.h"
#include "tests/support/scripted_client.h"
#include "tests/support/scripted_stream.h"

using namespace xs;
using namespace std::chrono_literals;
using test::converse;
using test::frames;
using test::kPreamble;
using test::ManualClock;
using test::plain_hello;
using test::ScriptedClient;
using test::ScriptedStream;
using test::written_messages;

TEST_CASE("channel: preamble and hello leave in one flight, before anything is read",
          "[protocol]") {
  ScriptedClient client;
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
  ScriptedClient client;
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
  ScriptedClient client;
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
  ScriptedClient client;
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
  ScriptedClient client;
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

TEST_CASE("channel: a bye is the session's to read, an end after it is not an error of ours",
          "[protocol]") {
  ScriptedClient client;
  client.open(frames({Bye{"closing"}}));
  CHECK(client.channel->receive() == Message(Bye{"closing"}));
  client.stream.end();
  CHECK_NOTHROW(client.channel->finish("bye"));
}

TEST_CASE("channel: try_receive never waits", "[protocol]") {
  ScriptedClient client;
  client.open();
  client.stream.arrive(frames({Seal{}}), 5s);
  CHECK_FALSE(client.channel->try_receive());
  CHECK(client.stream.elapsed() == 0s);
  client.clock.advance(5s);
  CHECK(client.channel->try_receive() == Message(Seal{}));
}
