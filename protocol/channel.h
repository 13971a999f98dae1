// SPDX-License-Identifier: MIT
// Channel: messages over a Stream, with deadlines. The sessions of client and server are written on
// it. Sending never blocks reading: what arrives while a write is stuck is kept, so two sides that
// both write go on. Every wait ends: at the idle deadline when nothing moves, at the end of the run
// whatever moves. While we wait, pings tell the other side that we live; its pings never reach the
// session. What the other side sends wrongly is answered with one Abort and thrown as an Error of
// class Protocol; its own Abort is thrown as an Error of the class that it names. After an Error
// the channel is only good for abort().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "protocol/frame.h"
#include "protocol/limits.h"
#include "protocol/messages.h"
#include "protocol/preamble.h"
#include "protocol/stream.h"

namespace xs {

class Channel {
 public:
  // `run_end`: no call waits beyond it. The stream and the clock must outlive the channel.
  Channel(Stream& stream, Side us, Clock& clock, const Deadlines& deadlines, Instant run_end);

  // The client's handshake. Preamble and hello leave together; one round trip.
  Welcome connect(const Hello& hello);
  // The server's: greet() sends the preamble, before anything has arrived; accept() waits for the
  // hello; welcome() answers it with the features that both have.
  void greet();
  Hello accept();
  void welcome(Welcome answer);
  Features features() const { return features_; }

  // Queues the message, and waits only while more than limits::kOutgoing is unwritten. It leaves
  // with the next receive() or flush(), or earlier: what is sent in a row travels together.
  void send(const Message& message, bool incompressible = false);
  void flush();
  Message receive();
  // The next message if it is here already.
  std::optional<Message> try_receive();
  // To be called in long local work: moves what can be moved without waiting, and pings when due.
  void pulse();
  // Sends the bytes to the other side and waits until they come back. How long that took.
  Duration echo(std::string bytes);

  // Last words, once: goodbye, or why we give up. Waits at most Deadlines::close until they are
  // written; that the other side no longer listens is no error, because nothing depends on its
  // hearing them.
  void finish(std::string outcome) noexcept;
  void abort(const Error& why) noexcept;

  std::uint64_t sent() const { return sent_; }  // bytes on the stream
  std::uint64_t received() const { return received_; }

 private:
  enum class Phase { Opening, Open, Over };

  template <class Work>
  auto guarded(Work&& work);
  void open(Features agreed);
  void part(const Message& last) noexcept;
  void queue(const Message& message, bool incompressible = false);
  bool write_out();
  bool read_in();
  void wait_turn();
  void begin_wait();
  Instant next_wake() const;
  Error too_quiet();
  void ping_when_due(Instant now);
  std::optional<Message> take();
  void check_allowed(const Spec& spec) const;
  bool handle(Message& message);
  void answer_ping(const Ping& ping);
  [[noreturn]] void explain_end();
  [[noreturn]] void explain_noise();

  Stream& stream_;
  const Side us_;
  Clock& clock_;
  const Deadlines deadlines_;
  const Instant run_end_;

  Preamble preamble_;
  FrameWriter writer_;
  FrameReader reader_;
  Features features_ = kOurFeatures;
  Phase phase_ = Phase::Opening;
  std::string out_;
  std::size_t written_ = 0;  // of out_
  std::string in_buffer_;
  bool ended_ = false;  // the other side has closed
  // Writing has failed. What the other side said before it left may explain more, so that is read
  // first.
  std::optional<Error> write_error_;
  bool told_ = false;    // an Abort or a Bye of either side has passed: do not send another
  Duration patience_{};  // how long nothing may move
  Instant quiet_since_;
  Instant last_sent_;
  std::optional<std::string> question_;
  bool answered_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace xs
