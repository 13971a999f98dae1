// SPDX-License-Identifier: MIT
#include "companion/agent_port.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "companion/listen.h"

namespace xs {
namespace {

constexpr std::size_t kOpenLimit = 64;
constexpr std::size_t kReasonLimit = 120;
// How long a client that was answered may take to close; then we close.
constexpr Duration kLinger = std::chrono::seconds(1);

struct Answered {
  Fd fd;
  Instant until;
};

// Takes what the client sent, so that our close does not reset the connection under our answer.
// Whether the client has closed.
bool client_is_done(int fd) {
  std::array<char, 512> ignored{};
  for (int reads = 0; reads < 8; ++reads) {
    const ssize_t got = ::recv(fd, ignored.data(), ignored.size(), MSG_DONTWAIT);
    if (got == 0) return true;
    if (got < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
  }
  return true;
}

}  // namespace

std::string agent_line(const MaintenanceState& maintenance,
                       const std::optional<std::string>& failure) {
  if (maintenance.on) return maintenance.drain ? "drain\n" : "maint\n";
  if (!failure) return "up ready\n";
  // haproxy obeys every word of the line: the reason has to be one.
  std::string reason = excerpt(*failure, kReasonLimit);
  const auto separates = [](char c) { return c == ' ' || c == ','; };
  std::replace_if(reason.begin(), reason.end(), separates, '_');
  return "ready down#" + reason + "\n";
}

AgentPort::AgentPort(Fd listening, std::function<std::string()> line, Clock& clock)
    : listening_(std::move(listening)),
      line_(std::move(line)),
      clock_(clock),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!stop_) throw_errno(Fault::Start, "eventfd", "agent port");
  thread_ = std::thread([this] { run(); });
}

AgentPort::~AgentPort() {
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::uint16_t AgentPort::port() const { return bound_port(listening_.get()); }

void AgentPort::run() {
  std::deque<Answered> open;
  for (;;) {
    std::vector<pollfd> wait{{stop_.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}};
    for (const Answered& one : open) wait.push_back({one.fd.get(), POLLIN, 0});
    clock_.poll(wait, open.empty() ? Instant::max() : open.front().until);
    if (wait[0].revents != 0) return;
    std::erase_if(open, [&](const Answered& one) {
      return client_is_done(one.fd.get()) || clock_.now() >= one.until;
    });
    if (wait[1].revents == 0) continue;
    Fd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) {
      // Out of descriptors: the oldest one makes room, or the next turn would be at once.
      if (errno == EMFILE || errno == ENFILE) {
        if (open.empty()) {
          std::array quiet{pollfd{stop_.get(), POLLIN, 0}};
          clock_.poll(quiet, clock_.now() + kLinger);
        } else {
          open.pop_front();
        }
      }
      continue;
    }
    const std::string line = line_();
    // A fresh connection takes a line at once; a client that has gone is no loss.
    (void)::send(client.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(client.get(), SHUT_WR);
    if (open.size() >= kOpenLimit) open.pop_front();
    open.push_back({std::move(client), clock_.now() + kLinger});
  }
}

}  // namespace xs
