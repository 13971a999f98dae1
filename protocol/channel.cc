// SPDX-License-Identifier: MIT
#include "protocol/channel.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "protocol/codec.h"

namespace xs {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kWriteSoon = std::size_t{64}
                                   << 10;   // queued bytes that are worth a write of their own
constexpr milliseconds kNoiseSettles{300};  // for the rest of a banner to arrive
constexpr int kPingsPerDeadline = 3;

std::string seconds(Duration span) {
  const auto ms = std::chrono::duration_cast<milliseconds>(span).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

std::string_view other(Side us) { return us == Side::Client ? "server" : "client"; }

// Our exit code says what the operator has to mend, and some of them are no failure to systemd:
// what can only happen at this side is never taken from the other one.
Fault as_a_servers(Fault fault) {
  switch (fault) {
    case Fault::Network:
    case Fault::ConnectTimeout:
    case Fault::Refused:
    case Fault::Locked:
    case Fault::HostKey:
    case Fault::Auth:
    case Fault::Mismatch:
    case Fault::Action:
    case Fault::Paused: return Fault::Protocol;
    default: return fault;
  }
}

}  // namespace

Channel::Channel(Stream& stream, Side us, Clock& clock, const Deadlines& deadlines, Instant run_end)
    : stream_(stream),
      us_(us),
      clock_(clock),
      deadlines_(deadlines),
      run_end_(run_end),
      in_buffer_(kReadSize, '\0'),
      patience_(deadlines.first_byte),
      quiet_since_(clock.now()),
      last_sent_(clock.now()) {}

// The one place where what the other side did wrong becomes an Abort.
template <class Work>
auto Channel::guarded(Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.fault() == Fault::Protocol || error.fault() == Fault::Timeout) abort(error);
    throw;
  }
}

// ---- the handshake
// ----------------------------------------------------------------------------------------

Welcome Channel::connect(const Hello& hello) {
  return guarded([&] {
    greet();
    queue(hello);
    begin_wait();
    for (;;) {
      auto message = take();
      if (!message) {
        wait_turn();
        continue;
      }
      Welcome& answer = std::get<Welcome>(*message);  // check_allowed() let nothing else through
      if ((answer.features & hello.features & kOurFeatures) != answer.features) {
        throw Error(Fault::Protocol, "the welcome grants features that were not offered");
      }
      open(answer.features);
      return std::move(answer);
    }
  });
}

void Channel::greet() {
  out_ += kMagic;
  write_out();
}

Hello Channel::accept() {
  return guarded([&] {
    begin_wait();
    for (;;) {
      if (auto message = take()) return std::get<Hello>(std::move(*message));
      wait_turn();
    }
  });
}

void Channel::welcome(Welcome answer) {
  answer.features = answer.features & kOurFeatures;
  queue(answer);
  open(answer.features);
}

void Channel::open(Features agreed) {
  features_ = agreed;
  phase_ = Phase::Open;
  patience_ = deadlines_.idle;
  if (!agreed.has(Feature::Zstd)) return;
  writer_.use_compression();
  reader_.allow_compression();
}

// ---- the session's calls
// ----------------------------------------------------------------------------------

void Channel::send(const Message& message, bool incompressible) {
  guarded([&] {
    queue(message, incompressible);
    if (out_.size() - written_ >= kWriteSoon) write_out();
    begin_wait();
    while (out_.size() - written_ > limits::kOutgoing) wait_turn();
  });
}

void Channel::flush() {
  guarded([&] {
    begin_wait();
    while (written_ < out_.size()) wait_turn();
  });
}

Message Channel::receive() {
  return guarded([&] {
    begin_wait();
    for (;;) {
      if (auto message = take()) return std::move(*message);
      wait_turn();
    }
  });
}

std::optional<Message> Channel::try_receive() {
  return guarded([&] {
    auto message = take();
    if (message) return message;
    write_out();
    read_in();
    return take();
  });
}

void Channel::pulse() {
  guarded([&] {
    write_out();
    read_in();
    ping_when_due(clock_.now());
  });
}

Duration Channel::echo(std::string bytes) {
  return guarded([&] {
    const Instant start = clock_.now();
    question_ = bytes;
    answered_ = false;
    queue(Ping{PingKind::Question, std::move(bytes)}, true);
    begin_wait();
    for (;;) {
      if (take())
        throw Error(Fault::Protocol, "the other side sent a message that nobody asked for");
      if (answered_) return Duration(clock_.now() - start);
      wait_turn();
    }
  });
}

void Channel::finish(std::string outcome) noexcept { part(Bye{std::move(outcome)}); }

void Channel::abort(const Error& why) noexcept {
  try {
    std::string text = escape(why.text());
    if (text.size() > limits::kText) text.resize(limits::kText);
    part(Abort{why.fault(), std::move(text)});
  } catch (...) {
    part(Abort{why.fault(), ""});  // no memory for the words
  }
}

void Channel::part(const Message& last) noexcept {
  if (std::exchange(told_, true)) return;
  try {
    queue(last);
    const Instant deadline = clock_.now() + deadlines_.close;
    while (written_ < out_.size() && clock_.now() < deadline) {
      if (write_out()) continue;
      if (write_error_) break;
      // A peer that is itself stuck in writing must be read to come to our last words.
      if (stream_.read_some(in_buffer_).value_or(1) == 0) break;
      if (written_ < out_.size()) stream_.wait(true, deadline);
    }
    stream_.close_write();
    if (std::holds_alternative<Bye>(last) && written_ == out_.size()) stream_.leave();
  } catch (...) {
    ended_ = true;  // broken, or out of memory: whatever brought us here is what gets reported
  }
  phase_ = Phase::Over;
}

// ---- what is behind them
// ----------------------------------------------------------------------------------

void Channel::queue(const Message& message, bool incompressible) {
  if (written_ == out_.size()) {
    out_.clear();
    written_ = 0;
  }
  writer_.append(message, out_, incompressible);
}

bool Channel::write_out() try {
  bool moved = false;
  while (written_ < out_.size() && !write_error_) {
    const auto put = stream_.write_some(std::string_view(out_).substr(written_));
    if (!put || *put == 0) break;
    written_ += *put;
    sent_ += *put;
    moved = true;
  }
  if (moved) last_sent_ = clock_.now();
  // A long queue that never drains whole must not keep what is written.
  if (written_ > limits::kOutgoing) {
    out_.erase(0, written_);
    written_ = 0;
  }
  return moved;
} catch (const Error& error) {
  if (error.fault() != Fault::Stream) throw;
  write_error_ = error;
  return false;
}

bool Channel::read_in() {
  if (ended_ || reader_.pending() >= limits::kPending) return false;
  const auto got = stream_.read_some(in_buffer_);
  if (!got) return false;
  ended_ = *got == 0;
  received_ += *got;
  reader_.feed(preamble_.feed(std::string_view(in_buffer_).substr(0, *got)));
  return true;
}

// Silence counts from where somebody begins to wait, not from before: our own work is not the
// peer's fault.
void Channel::begin_wait() { quiet_since_ = clock_.now(); }

// One turn of a wait: moves what can be moved, otherwise sleeps until something can be, or fails.
void Channel::wait_turn() {
  const bool wrote = write_out();
  const bool read = read_in();
  if (preamble_.broken()) explain_noise();
  const Instant now = clock_.now();
  if (now >= run_end_) throw Error(Fault::Timeout, "the run took longer than its time limit");
  if (wrote || read) {
    quiet_since_ = now;
    return;
  }
  if (ended_) explain_end();
  if (write_error_ && now - quiet_since_ >= deadlines_.close) throw *write_error_;
  if (now - quiet_since_ >= patience_) throw too_quiet();
  ping_when_due(now);
  stream_.wait(written_ < out_.size() && !write_error_, next_wake());
}

Instant Channel::next_wake() const {
  Instant until = std::min(run_end_, quiet_since_ + patience_);
  if (write_error_) return std::min(until, quiet_since_ + deadlines_.close);
  if (phase_ != Phase::Open || written_ < out_.size()) return until;
  return std::min(until, last_sent_ + Duration(deadlines_.idle) / kPingsPerDeadline);
}

Error Channel::too_quiet() {
  const std::string_view doing = written_ < out_.size() ? " took no data for " : " was silent for ";
  const std::string words = stream_.last_words();
  return {Fault::Timeout, "the " + std::string(other(us_)) + std::string(doing) +
                              seconds(patience_) + (words.empty() ? "" : "; " + words)};
}

void Channel::ping_when_due(Instant now) {
  if (phase_ != Phase::Open || told_ || write_error_ || written_ < out_.size()) return;
  if (now - last_sent_ < Duration(deadlines_.idle) / kPingsPerDeadline) return;
  queue(Ping{});
  // Written here and not by wait_turn(), which would take it for progress: a peer that is dead but
  // whose kernel still takes our pings must run into the idle deadline.
  write_out();
  last_sent_ = now;
}

std::optional<Message> Channel::take() {
  while (const auto frame = reader_.next()) {
    check_allowed(*frame->spec);
    Message message = decode(frame->spec->number, frame->payload, features_);
    if (!handle(message)) return message;
  }
  return std::nullopt;
}

void Channel::check_allowed(const Spec& spec) const {
  const auto peer = static_cast<unsigned>(us_ == Side::Client ? Side::Server : Side::Client);
  const std::string name(spec.name);
  if ((static_cast<unsigned>(spec.sender) & peer) == 0) {
    throw Error(Fault::Protocol,
                "a " + std::string(other(us_)) + " must not send a " + name + " message");
  }
  const bool shakes_hands =
      spec.number == Hello::spec.number || spec.number == Welcome::spec.number;
  const bool opening = phase_ == Phase::Opening;
  if (opening != shakes_hands && spec.number != Abort::spec.number) {
    throw Error(Fault::Protocol,
                "a " + name + " message came " + (opening ? "before" : "after") + " the handshake");
  }
}

// Messages of the channel itself; true when the session shall not see it.
bool Channel::handle(Message& message) {
  if (const auto* ping = std::get_if<Ping>(&message)) {
    answer_ping(*ping);
    return true;
  }
  if (const auto* bye = std::get_if<Abort>(&message)) {
    told_ = true;
    throw Error(us_ == Side::Client ? as_a_servers(bye->fault) : bye->fault,
                "the " + std::string(other(us_)) + " gave up: " + escape(bye->text));
  }
  if (std::holds_alternative<Bye>(message)) told_ = true;
  return false;
}

void Channel::answer_ping(const Ping& ping) {
  switch (ping.kind) {
    case PingKind::Alive: return;
    case PingKind::Question:
      // Whoever asks faster than it reads the answers would have us keep them all.
      if (out_.size() - written_ > limits::kOutgoing)
        throw Error(Fault::Protocol, "too many pings at once");
      queue(Ping{PingKind::Answer, ping.bytes}, true);
      return;
    case PingKind::Answer:
      if (question_ != ping.bytes)
        throw Error(Fault::Protocol, "an answer to a ping that was not asked");
      question_.reset();
      answered_ = true;
      return;
  }
}

void Channel::explain_noise() {
  const Instant deadline = std::min(clock_.now() + kNoiseSettles, run_end_);
  while (!ended_ && !preamble_.quote_is_full() && clock_.now() < deadline) {
    if (!read_in()) stream_.wait(false, deadline);
  }
  throw preamble_.error(us_, ended_, stream_.last_words());
}

void Channel::explain_end() {
  if (!preamble_.done()) throw preamble_.error(us_, true, stream_.last_words());
  const std::string words = stream_.last_words();
  throw Error(Fault::Stream, "the " + std::string(other(us_)) + " closed the connection " +
                                 (reader_.pending() > 0 ? "in the middle of a message"
                                                        : "before the session was over") +
                                 (words.empty() ? "" : "; " + words));
}

}  // namespace xs
