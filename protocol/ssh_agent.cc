// SPDX-License-Identifier: MIT
#include "protocol/ssh_agent.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

// Numbers of the agent protocol (draft-miller-ssh-agent).
constexpr char kRequestIdentities = 11;
constexpr char kIdentitiesAnswer = 12;
constexpr std::size_t kMessageLimit = std::size_t{256} << 10;
constexpr std::size_t kIdentityLimit = 256;

std::string number(std::size_t value) {
  std::string out(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> (24 - 8 * i) & 0xffU);
  return out;
}

std::string text(std::string_view bytes) { return number(bytes.size()) + std::string(bytes); }

std::optional<std::size_t> take_number(std::string_view& from) {
  if (from.size() < 4) return std::nullopt;
  std::size_t value = 0;
  for (const char c : from.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  from.remove_prefix(4);
  return value;
}

std::optional<std::string_view> take_text(std::string_view& from) {
  const auto size = take_number(from);
  if (!size || *size > from.size()) return std::nullopt;
  const std::string_view taken = from.substr(0, *size);
  from.remove_prefix(*size);
  return taken;
}

// send() instead of write(): an agent that went away must not raise SIGPIPE.
void send_message(int fd, std::string_view body, Clock& clock, Instant deadline) {
  const std::string whole = text(body);
  std::string_view rest = whole;
  while (!rest.empty()) {
    pollfd one{fd, POLLOUT, 0};
    if (clock.poll({&one, 1}, deadline) == 0) throw Error(Fault::Timeout, "the agent is silent");
    const ssize_t put = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EAGAIN && errno != EINTR) throw_errno(Fault::Auth, "send", "agent");
    if (put > 0) rest.remove_prefix(static_cast<std::size_t>(put));
  }
}

std::string receive_message(int fd, Clock& clock, Instant deadline) {
  std::array<char, 4> head{};
  read_full(fd, head, clock, deadline, "ssh agent");
  std::string_view length(head.data(), head.size());
  const std::size_t size = take_number(length).value_or(0);
  if (size == 0 || size > kMessageLimit) throw Error(Fault::Auth, "the agent does not speak sense");
  std::string body(size, '\0');
  read_full(fd, body, clock, deadline, "ssh agent");
  return body;
}

std::vector<SshAgent::Identity> parse_identities(std::string_view body) {
  std::vector<SshAgent::Identity> found;
  if (body.empty() || body.front() != kIdentitiesAnswer) return found;
  body.remove_prefix(1);
  const std::size_t count = take_number(body).value_or(0);
  while (found.size() < count && found.size() < kIdentityLimit) {
    const auto blob = take_text(body);
    const auto comment = take_text(body);
    if (!blob || !comment) break;
    std::string_view inside = *blob;
    const std::string type(take_text(inside).value_or(""));
    found.push_back({{type, std::string(*blob)}, std::string(*comment)});
  }
  return found;
}

std::string identities_answer(const std::vector<SshAgent::Identity>& identities) {
  std::string body = kIdentitiesAnswer + number(identities.size());
  for (const auto& identity : identities) body += text(identity.key.blob) + text(identity.comment);
  return body;
}

Fd connect_agent(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw Error(Fault::Auth, "the path of its socket is too long");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw_errno(Fault::Auth, "socket", path);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(fd.get(), to, sizeof address) != 0) throw_errno(Fault::Auth, "connect", path);
  return fd;
}

struct Proxy {
  int inner;
  int agent;
  int stop;
  std::string answer;
  Instant deadline;

  // Our own clock: the caller's may be used by one thread only.
  void run() const {
    SteadyClock clock;
    for (;;) {
      std::array<pollfd, 2> polls{pollfd{inner, POLLIN, 0}, pollfd{stop, POLLIN, 0}};
      if (clock.poll(polls, deadline) == 0 || polls[1].revents != 0) return;
      const std::string request = receive_message(inner, clock, deadline);
      if (request.front() == kRequestIdentities) {
        send_message(inner, answer, clock, deadline);
      } else {
        send_message(agent, request, clock, deadline);
        send_message(inner, receive_message(agent, clock, deadline), clock, deadline);
      }
    }
  }
};

}  // namespace

SshAgent::SshAgent(const std::string& socket_path, Clock& clock, Instant deadline) : clock_(clock) {
  if (socket_path.empty()) return;
  try {
    list(socket_path, deadline);
  } catch (const Error& error) {
    trouble_ = "the ssh agent at " + quote(socket_path) + " cannot be used: " + error.text();
  }
}

void SshAgent::list(const std::string& socket_path, Instant deadline) {
  agent_ = connect_agent(socket_path);
  send_message(agent_.get(), std::string(1, kRequestIdentities), clock_, deadline);
  identities_ = parse_identities(receive_message(agent_.get(), clock_, deadline));
}

Fd SshAgent::serve(const std::vector<Identity>& chosen, Instant deadline) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_errno(Fault::Auth, "socketpair", "ssh agent");
  }
  Fd outer(ends[0]);
  inner_ = Fd(ends[1]);
  set_nonblocking(inner_.get(), true);
  stop_ = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!stop_) throw_errno(Fault::Auth, "eventfd", "ssh agent");
  Proxy proxy{inner_.get(), agent_.get(), stop_.get(), identities_answer(chosen), deadline};
  thread_ = std::thread([proxy = std::move(proxy)] {
    try {
      proxy.run();
    } catch (const std::exception& error) {  // libssh is told by the end below, and fails
      spdlog::debug("ssh agent: {}", error.what());
    }
    // Not closed: libssh writes without MSG_NOSIGNAL, and a closed socket would raise SIGPIPE.
    ::shutdown(proxy.inner, SHUT_WR);
  });
  return outer;
}

SshAgent::~SshAgent() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(stop_.get(), &one, sizeof one);
  // A request under way would hold the thread until its deadline.
  ::shutdown(agent_.get(), SHUT_RDWR);
  ::shutdown(inner_.get(), SHUT_RDWR);
  thread_.join();
}

}  // namespace xs
