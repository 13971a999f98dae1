// SPDX-License-Identifier: MIT
// SshStream: a Stream over one program that sshd runs for us; what the client uses for a primary.
// The program's start is not waited for; a server that refuses it is an Error of class Start from
// a later call. The first write still has to wait for that answer: sshd opens the channel with a
// window of 0 and grants one when the program runs. A broken connection is an Error of class
// Stream; a channel that the server closes is an orderly end.
#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "protocol/limits.h"
#include "protocol/remote_words.h"
#include "protocol/ssh_login.h"
#include "protocol/ssh_session.h"
#include "protocol/stream.h"

namespace xs {

// How many bytes the server may send before we have taken them.
inline constexpr std::uint32_t kSshWindow = std::uint32_t{8} << 20;

// Connects, logs in, and asks for the command. Each phase has its deadline. Faults: Usage, Network,
// ConnectTimeout, Timeout, HostKey, Auth, Start.
std::unique_ptr<Stream> open_ssh(const SshTarget& target, const Deadlines& deadlines, Clock& clock);

class SshStream final : public Stream {
 public:
  // `deadline` is that of the login. `close` is the most that the destructor and last_words() wait.
  SshStream(std::unique_ptr<SshSession> session, std::string command, Clock& clock,
            std::chrono::milliseconds close, Instant deadline);
  ~SshStream() override;
  SshStream(const SshStream&) = delete;
  SshStream& operator=(const SshStream&) = delete;

  std::optional<std::size_t> read_some(std::span<char> into) override;
  std::optional<std::size_t> write_some(std::string_view bytes) override;
  void wait(bool for_write, Instant deadline) override;
  void close_write() override;
  void leave() override { leaving_ = true; }
  // Once the peer's end was read this waits, for `close` at most, for its exit status.
  std::string last_words() override;

 private:
  struct FreeChannel {
    void operator()(ssh_channel channel) const { ::ssh_channel_free(channel); }
  };

  static int on_data(ssh_session, ssh_channel, void* data, std::uint32_t size, int is_stderr,
                     void* self) noexcept;
  static void on_exit_status(ssh_session, ssh_channel, int status, void* self) noexcept;
  static void on_exit_signal(ssh_session, ssh_channel, const char* signal, int core,
                             const char* text, const char* language, void* self) noexcept;

  void listen();
  void open_channel(Instant deadline);
  void request_start();
  void keep_window();
  bool await_exit(Instant deadline);
  void end();
  Error broken() const;
  std::string exit_words() const;

  // First what libssh's callbacks write to, because they may run until the session is freed.
  RemoteWords said_;
  std::optional<int> status_;
  std::string signal_;
  std::size_t taken_ = 0;  // bytes that the server has sent since the window was last opened
  ssh_channel_callbacks_struct callbacks_{};

  std::string command_;
  Clock& clock_;
  std::chrono::milliseconds close_;
  std::unique_ptr<SshSession> session_;
  std::unique_ptr<ssh_channel_struct, FreeChannel> channel_;
  std::unique_ptr<char[]> scratch_;
  bool starting_ = false;  // the server has not yet said whether the program runs
  bool ended_ = false;     // the caller has read the end
  bool write_closed_ = false;
  bool leaving_ = false;
};

}  // namespace xs
