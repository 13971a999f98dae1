// SPDX-License-Identifier: MIT
#include "tests/support/rude_server.h"

#include <libssh/libssh.h>
#include <libssh/server.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "tests/support/free_port.h"
#include "tests/support/sshd.h"

namespace xs::test {
namespace {

constexpr std::chrono::seconds kPatience{20};

using Bind = std::unique_ptr<ssh_bind_struct, void (*)(ssh_bind)>;
using Session = std::unique_ptr<ssh_session_struct, void (*)(ssh_session)>;

// The old message interface: one loop in one place, where callbacks would need five.
class Talk {
 public:
  Talk(ssh_session session, int stop, const Rudeness& rudeness)
      : session_(session), stop_(stop), rudeness_(rudeness) {}

  void run() {
    int rc = SSH_AGAIN;
    while ((rc = ::ssh_handle_key_exchange(session_)) == SSH_AGAIN && wait()) {
    }
    if (rc != SSH_OK) return;
    do {
      while (ssh_message message = ::ssh_message_get(session_)) {
        if (!over_) answer(message);
        ::ssh_message_free(message);
      }
      // A broken line is for at once; a close is followed by patience, so that the client reads it.
    } while (!(over_ && (rudeness_.drop_line || rudeness_.disconnect)) && wait());
  }

 private:
  // False when there is nothing more to wait for.
  bool wait() {
    if (::ssh_is_connected(session_) == 0) return false;
    std::array<pollfd, 2> polls{pollfd{::ssh_get_fd(session_), POLLIN, 0},
                                pollfd{stop_, POLLIN, 0}};
    return SteadyClock().poll(polls, SteadyClock().now() + kPatience) > 0 && polls[1].revents == 0;
  }

  void answer(ssh_message message) {
    const int type = ::ssh_message_type(message);
    const int subtype = ::ssh_message_subtype(message);
    if (type == SSH_REQUEST_AUTH && subtype == SSH_AUTH_METHOD_PUBLICKEY) {
      ::ssh_message_auth_reply_success(message, 0);
    } else if (type == SSH_REQUEST_CHANNEL_OPEN) {
      channel_ = ::ssh_message_channel_request_open_reply_accept(message);
    } else if (type == SSH_REQUEST_CHANNEL && subtype == SSH_CHANNEL_REQUEST_EXEC) {
      exec(message);
    } else {
      ::ssh_message_reply_default(message);
    }
  }

  void exec(ssh_message message) {
    over_ = true;
    if (rudeness_.refuse_exec) {
      ::ssh_message_reply_default(message);  // the channel stays open, as with sshd
      return;
    }
    if (rudeness_.drop_line) {
      ::shutdown(::ssh_get_fd(session_), SHUT_RDWR);
      return;
    }
    if (!rudeness_.ignore_exec) ::ssh_message_channel_request_reply_success(message);
    const std::string& say = rudeness_.say;
    if (!say.empty()) {
      ::ssh_channel_write(channel_, say.data(), static_cast<std::uint32_t>(say.size()));
    }
    if (!rudeness_.disconnect) ::ssh_channel_close(channel_);
  }

  ssh_session session_;
  int stop_;
  const Rudeness& rudeness_;
  ssh_channel channel_ = nullptr;
  bool over_ = false;
};

void serve(ssh_bind bind, int stop, const Rudeness& rudeness) {
  const Session session(::ssh_new(), [](ssh_session raw) {
    ::ssh_disconnect(raw);
    ::ssh_free(raw);
  });
  std::array<pollfd, 2> polls{pollfd{::ssh_bind_get_fd(bind), POLLIN, 0}, pollfd{stop, POLLIN, 0}};
  SteadyClock clock;
  if (clock.poll(polls, clock.now() + kPatience) == 0 || polls[1].revents != 0) return;
  if (::ssh_bind_accept(bind, session.get()) != SSH_OK) return;
  ::ssh_set_blocking(session.get(), 0);
  Talk(session.get(), stop, rudeness).run();
}

}  // namespace

RudeServer::RudeServer(const std::string& host_key, Rudeness rudeness)
    : port_(free_port()), stop_(::eventfd(0, EFD_CLOEXEC)) {
  ::ssh_init();
  Bind bind(::ssh_bind_new(), ::ssh_bind_free);
  bool no_config = false;
  int port = port_;
  ::ssh_bind_options_set(bind.get(), SSH_BIND_OPTIONS_PROCESS_CONFIG, &no_config);
  ::ssh_bind_options_set(bind.get(), SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
  ::ssh_bind_options_set(bind.get(), SSH_BIND_OPTIONS_BINDPORT, &port);
  ::ssh_bind_options_set(bind.get(), SSH_BIND_OPTIONS_HOSTKEY, host_key.c_str());
  if (::ssh_bind_listen(bind.get()) != SSH_OK) {
    throw std::runtime_error(std::string("rude server: ") + ::ssh_get_error(bind.get()));
  }
  thread_ = std::thread([bind = std::move(bind), stop = stop_.get(),
                         rudeness = std::move(rudeness)] { serve(bind.get(), stop, rudeness); });
}

RudeServer::~RudeServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

}  // namespace xs::test
