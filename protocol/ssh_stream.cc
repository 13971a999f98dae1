// SPDX-License-Identifier: MIT
#include "protocol/ssh_stream.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/text.h"
#include "protocol/tcp_connect.h"

namespace xs {
namespace {

constexpr std::size_t kWriteAtOnce = std::size_t{128} << 10;
constexpr std::size_t kSignalName = 32;
constexpr std::size_t kLibsshRead = 4096;  // what libssh takes from the socket at a time

// From 0.11 the window is fixed and no count that we ask for moves it.
bool window_follows_reads() {
  static const bool follows = ::ssh_version(SSH_VERSION_INT(0, 11, 0)) == nullptr;
  return follows;
}

// The only call of libssh that still takes packets in after the peer's end.
void take_packets(ssh_channel channel) {
#if LIBSSH_VERSION_INT >= SSH_VERSION_INT(0, 11, 0)
  ::ssh_channel_get_exit_state(channel, nullptr, nullptr, nullptr);
#else
  ::ssh_channel_get_exit_status(channel);
#endif
}

}  // namespace

std::unique_ptr<Stream> open_ssh(const SshTarget& target, const Deadlines& deadlines,
                                 Clock& clock) {
  const SshTarget whole = complete(target);
  const Instant last = deadlines.total.count() > 0 ? clock.now() + deadlines.total : Instant::max();
  Fd connection = tcp_connect(whole.host, whole.port, whole.family, clock,
                              std::min(clock.now() + Duration(deadlines.connect), last));
  const Instant login = std::min(clock.now() + Duration(deadlines.login), last);
  auto session = ssh_login(whole, std::move(connection), clock, login);
  return std::make_unique<SshStream>(std::move(session), whole.command, clock, deadlines.close,
                                     login);
}

SshStream::SshStream(std::unique_ptr<SshSession> session, std::string command, Clock& clock,
                     std::chrono::milliseconds close, Instant deadline)
    : command_(std::move(command)),
      clock_(clock),
      close_(close),
      session_(std::move(session)),
      channel_(::ssh_channel_new(session_->get())) {
  if (!channel_) throw Error(Fault::Memory, "libssh: no memory for a channel");
  signal_.reserve(kSignalName);
  if (window_follows_reads()) scratch_.reset(new char[kSshWindow]);
  listen();
  open_channel(deadline);
  starting_ = true;
  request_start();
  taken_ = kSshWindow;  // the server starts with 64 kB
  keep_window();
}

SshStream::~SshStream() {
  try {
    end();
  } catch (const std::exception& error) {  // without a connection there is nothing to end
    spdlog::debug("end of the ssh stream: {}", error.what());
  }
}

void SshStream::listen() {
  callbacks_.userdata = this;
  callbacks_.channel_data_function = on_data;
  callbacks_.channel_exit_status_function = on_exit_status;
  callbacks_.channel_exit_signal_function = on_exit_signal;
  ssh_callbacks_init(&callbacks_);
  if (::ssh_set_channel_callbacks(channel_.get(), &callbacks_) != SSH_OK) {
    throw Error(Fault::Start, "libssh refuses the channel's callbacks");
  }
}

void SshStream::open_channel(Instant deadline) {
  const int rc = session_->drive(SSH_AGAIN, deadline, "opening a channel",
                                 [this] { return ::ssh_channel_open_session(channel_.get()); });
  if (rc == SSH_OK) return;
  if (::ssh_is_connected(session_->get()) == 0) throw broken();
  throw Error(Fault::Start, session_->name() + " lets us log in but opens no session: " +
                                session_->reason() + "; check MaxSessions in its sshd_config");
}

// The first call sends the request, each later one only looks whether the answer has come; once it
// has, another call would send a second request.
void SshStream::request_start() {
  if (!starting_) return;
  const int rc = ::ssh_channel_request_exec(channel_.get(), command_.c_str());
  if (rc == SSH_AGAIN) return;
  starting_ = false;
  if (rc == SSH_OK) return;
  if (::ssh_is_connected(session_->get()) == 0) throw broken();
  throw Error(Fault::Start, session_->name() + " refuses to start " + quote(command_) +
                                "; check the key's options in authorized_keys");
}

// libssh up to 0.10 keeps the window at 0.64 to 1.28 MB, except that ssh_channel_read() and
// ssh_channel_read_timeout() open it to the count that they are asked for, whatever is there to be
// read. ssh_channel_read_nonblocking() first cuts its count down to what is buffered, so it never
// does. Measured with 0.10.6, 64 MiB, round trip 50 ms: 12.6 MB/s with a count of 64 KiB, 148 with
// 8 MiB; through read_nonblocking 12.7 with either. We ask for the whole window on stderr, which
// the callback keeps empty, so that nothing is copied; a quarter at a time, because each opening is
// a packet. 4 MiB is half as fast as 8 at 50 ms, and with 16 sshd drowns in its own buffer at 2 ms.
void SshStream::keep_window() {
  if (!window_follows_reads() || taken_ < kSshWindow / 4) return;
  taken_ = 0;
  ::ssh_channel_read_timeout(channel_.get(), scratch_.get(), kSshWindow, 1, 0);
}

int SshStream::on_data(ssh_session, ssh_channel, void* data, std::uint32_t size, int is_stderr,
                       void* self) noexcept {
  auto& stream = *static_cast<SshStream*>(self);
  if (is_stderr == 0) return 0;  // stays with libssh until read_some()
  stream.said_.add({static_cast<const char*>(data), size});
  stream.taken_ += size;
  return static_cast<int>(size);
}

void SshStream::on_exit_status(ssh_session, ssh_channel, int status, void* self) noexcept {
  static_cast<SshStream*>(self)->status_ = status;
}

void SshStream::on_exit_signal(ssh_session, ssh_channel, const char* signal, int, const char*,
                               const char*, void* self) noexcept {
  std::string& name = static_cast<SshStream*>(self)->signal_;
  if (signal != nullptr) name.assign(std::string_view(signal).substr(0, kSignalName));
}

std::optional<std::size_t> SshStream::read_some(std::span<char> into) {
  session_->quick_ack();
  request_start();
  keep_window();
  std::size_t got = 0;
  // A call takes at most kLibsshRead from the socket, which is often only a part of a packet.
  std::size_t tries = session_->unread() / kLibsshRead + 2;
  while (got < into.size() && tries > 0) {
    const auto room =
        static_cast<std::uint32_t>(std::min<std::size_t>(into.size() - got, kSshWindow));
    const int n = ::ssh_channel_read_timeout(channel_.get(), into.data() + got, room, 0, 0);
    if (n == SSH_ERROR && got == 0) throw broken();
    if (n == SSH_ERROR) break;
    if (n > 0) got += static_cast<std::size_t>(n);
    if (n <= 0) --tries;
    if (n <= 0 && ::ssh_channel_is_eof(channel_.get()) != 0) break;
  }
  taken_ += got;
  if (got > 0 || into.empty()) return got;
  if (::ssh_channel_is_eof(channel_.get()) == 0) return std::nullopt;
  request_start();
  if (starting_) {
    throw Error(Fault::Start,
                session_->name() + " closed the channel instead of starting " + quote(command_));
  }
  ended_ = true;
  return 0;
}

std::optional<std::size_t> SshStream::write_some(std::string_view bytes) {
  request_start();
  if (bytes.empty()) return 0;
  if (session_->output_pending()) return std::nullopt;
  const auto size = static_cast<std::uint32_t>(std::min(bytes.size(), kWriteAtOnce));
  const int put = ::ssh_channel_write(channel_.get(), bytes.data(), size);
  if (put < 0) throw broken();
  if (put == 0) return std::nullopt;
  return static_cast<std::size_t>(put);
}

void SshStream::wait(bool for_write, Instant deadline) {
  const bool pending = session_->output_pending();
  request_start();
  const int waiting = ::ssh_channel_poll(channel_.get(), 0);
  if (waiting > 0 || waiting == SSH_ERROR) return;
  if (waiting == SSH_EOF && !ended_) return;
  if (for_write && !pending && ::ssh_channel_window_size(channel_.get()) > 0) return;
  session_->wait(pending, deadline);
}

void SshStream::close_write() {
  if (std::exchange(write_closed_, true) || ::ssh_channel_is_closed(channel_.get()) != 0) return;
  if (::ssh_channel_send_eof(channel_.get()) == SSH_ERROR) throw broken();
}

// Whether there is an exit status or signal.
bool SshStream::await_exit(Instant deadline) {
  for (;;) {
    take_packets(channel_.get());
    if (status_ || !signal_.empty()) return true;
    if (::ssh_is_connected(session_->get()) == 0 || clock_.now() >= deadline) return false;
    session_->wait(session_->output_pending(), deadline);
  }
}

std::string SshStream::last_words() {
  if (ended_ && ::ssh_channel_is_closed(channel_.get()) == 0) await_exit(clock_.now() + close_);
  return said_.sentence(exit_words());
}

std::string SshStream::exit_words() const {
  if (!signal_.empty()) return "it was ended by signal " + escape(signal_);
  if (!status_) return {};
  std::string text = "it ended with status " + std::to_string(*status_);
  if (*status_ == 127) text += " (command not found)";
  if (*status_ == 126) text += " (command not executable)";
  return text;
}

// A socket that is closed with bytes unread sends a reset, which may overtake our last bytes: so a
// peer that has not ended by itself is given the time to answer our close. One that has ended is
// not waited for: that would cost a round trip for nothing. Nor is one whom the caller has left: it
// is not told that we disconnect, because sshd would then drop what it has not yet handed to the
// program; it reads our bytes, and then the end of the connection.
void SshStream::end() {
  const Instant deadline = clock_.now() + close_;
  while (session_->output_pending() && clock_.now() < deadline) session_->wait(true, deadline);
  if (::ssh_is_connected(session_->get()) == 0) return;
  const bool done =
      ::ssh_channel_is_eof(channel_.get()) != 0 || ::ssh_channel_is_closed(channel_.get()) != 0;
  ::ssh_channel_close(channel_.get());
  if (!done && !leaving_) await_exit(deadline);
  if (!leaving_) return;
  while (session_->output_pending() && clock_.now() < deadline) session_->wait(true, deadline);
  session_->leave();
}

Error SshStream::broken() const {
  return Error(Fault::Stream,
               "the connection to " + session_->name() + " broke: " + session_->reason());
}

}  // namespace xs
