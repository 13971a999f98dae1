// SPDX-License-Identifier: MIT
// ScriptedClient: a client's channel whose server is a script of bytes and pauses, and the words to
// write such scripts. For the tests of channel; no time passes but the script's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/channel.h"
#include "protocol/codec.h"
#include "tests/support/catch.h"
#include "tests/support/samples.h"
#include "tests/support/scripted_stream.h"

namespace xs::test {

inline const std::string kPreamble(kMagic);

inline std::string frames(const std::vector<Message>& messages) {
  std::string out;
  for (const Message& message : messages) out += frame_of(message);
  return out;
}

inline Hello plain_hello() {
  Hello hello;
  hello.root = "/etc/xroad";
  return hello;
}

// Everything that a side has written after its preamble.
inline std::vector<Message> written_messages(const ScriptedStream& stream) {
  REQUIRE(stream.written().starts_with(kMagic));
  FrameReader reader;
  reader.feed(std::string_view(stream.written()).substr(kMagic.size()));
  std::vector<Message> out;
  while (const auto frame = reader.next())
    out.push_back(decode(frame->spec->number, frame->payload, kOurFeatures));
  return out;
}

struct ScriptedClient {
  ManualClock clock;
  ScriptedStream stream{clock};
  Deadlines deadlines;
  Duration run = std::chrono::hours(1);
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

}  // namespace xs::test
