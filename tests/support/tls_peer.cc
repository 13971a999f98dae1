// SPDX-License-Identifier: MIT
#include "tests/support/tls_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "base/error.h"

namespace xs::test {
namespace {

constexpr const char* kRefusal =
    "HTTP/1.1 401 \r\nContent-Type: application/json\r\nContent-Length: 14\r\nConnection: "
    "close\r\n\r\n{\"status\":401}";

void need(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("TlsPeer: ") + what);
}

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

}  // namespace

TlsPeer::TlsPeer(const Identity& identity, TlsPlan plan)
    : plan_(std::move(plan)),
      context_(SSL_CTX_new(TLS_server_method())),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to a client that may be gone
  SSL_CTX* context = context_.get();
  if (plan_.version != 0) {
    SSL_CTX_set_security_level(context, 0);
    need(SSL_CTX_set_min_proto_version(context, plan_.version) == 1 &&
             SSL_CTX_set_max_proto_version(context, plan_.version) == 1 &&
             SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") == 1,
         "version");
  }
  need(SSL_CTX_use_certificate(context, identity.certificate.get()) == 1 &&
           SSL_CTX_use_PrivateKey(context, identity.key.get()) == 1,
       "certificate");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  need(::bind(listener_.get(), raw, size) == 0 && ::listen(listener_.get(), 16) == 0 &&
           ::getsockname(listener_.get(), raw, &size) == 0,
       "listen");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

TlsPeer::~TlsPeer() {
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::vector<std::string> TlsPeer::requests() const {
  const std::lock_guard hold(lock_);
  return requests_;
}

std::vector<std::string> TlsPeer::names() const {
  const std::lock_guard hold(lock_);
  return names_;
}

// False when the fixture ends first.
bool TlsPeer::wait(int fd, short events) const {
  std::array polls{pollfd{stop_.get(), POLLIN, 0}, pollfd{fd, events, 0}};
  ::poll(polls.data(), polls.size(), -1);
  return polls[0].revents == 0;
}

void TlsPeer::serve() {
  while (wait(listener_.get(), POLLIN)) {
    const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client) answer(client.get());
  }
}

template <class Call>
bool TlsPeer::drive(SSL* ssl, int client, Call call) const {
  for (;;) {
    ERR_clear_error();
    const int done = call();
    if (done > 0) return true;
    const int why = SSL_get_error(ssl, done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
    if (!wait(client, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)) return false;
  }
}

void TlsPeer::answer(int client) {
  if (plan_.hang_up || !plan_.plain.empty()) {
    wait(client, POLLIN);  // its first words
    (void)::send(client, plan_.plain.data(), plan_.plain.size(), MSG_NOSIGNAL);
    if (!plan_.hang_up) wait(client, POLLRDHUP);
    return;
  }
  const std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context_.get()));
  SSL_set_fd(ssl.get(), client);
  if (!drive(ssl.get(), client, [&] { return SSL_accept(ssl.get()); })) return;
  std::string request;
  std::array<char, 4096> piece{};
  while (request.find("\r\n\r\n") == request.npos) {
    int got = 0;
    if (!drive(ssl.get(), client, [&] {
          return got = SSL_read(ssl.get(), piece.data(), static_cast<int>(piece.size()));
        })) {
      return;
    }
    request.append(piece.data(), static_cast<std::size_t>(got));
  }
  {
    const std::lock_guard hold(lock_);
    requests_.push_back(request);
    const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
    names_.emplace_back(name == nullptr ? "" : name);
  }
  const bool known =
      plan_.key.empty() ||
      request.find("\r\nAuthorization: X-Road-ApiKey token=" + plan_.key + "\r\n") != request.npos;
  const std::string reply = known ? plan_.reply : kRefusal;
  const auto send = [&](const std::string& bytes) {
    return drive(ssl.get(), client, [&] {
      return SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
    });
  };
  for (std::size_t at = 0; at < reply.size(); at += plan_.piece) {
    if (!send(reply.substr(at, plan_.piece))) return;
  }
  const std::string more(4096, reply.empty() ? ' ' : reply.back());
  while (plan_.endless && send(more)) {
  }
  if (plan_.hold) wait(client, POLLRDHUP);
  if (!plan_.rude) SSL_shutdown(ssl.get());
}

}  // namespace xs::test
