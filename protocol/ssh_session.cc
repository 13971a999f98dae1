// SPDX-License-Identifier: MIT
#include "protocol/ssh_session.h"

#include <libssh/callbacks.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>

#include "base/io.h"
#include "base/text.h"
#include "protocol/ssh_key.h"

namespace xs {
namespace {

void log_line(int, const char*, const char* text, void*) {
  spdlog::debug("libssh: {}", escape(trim(text)));
}

// libssh keeps both per thread. Its packet level would print what travels, so it is never set.
void route_log() {
  ::ssh_set_log_callback(log_line);
  ::ssh_set_log_level(spdlog::should_log(spdlog::level::debug) ? SSH_LOG_PROTOCOL : SSH_LOG_NOLOG);
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::string ordered_host_keys(const std::vector<std::string>& known) {
  static const std::vector<std::string> kAll{"ssh-ed25519",         "ecdsa-sha2-nistp256",
                                             "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
                                             "rsa-sha2-512",        "rsa-sha2-256"};
  std::vector<std::string> order;
  const auto add = [&order](const std::string& name) {
    const bool ours = std::find(kAll.begin(), kAll.end(), name) != kAll.end();
    if (ours && std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  };
  for (const auto& type : known) {
    if (type == "ssh-rsa") {
      add("rsa-sha2-512");
      add("rsa-sha2-256");
    } else {
      add(type);
    }
  }
  for (const auto& name : kAll) add(name);
  return join(order);
}

}  // namespace

SshSessionHandle new_ssh_session() {
  static const int ready = ::ssh_init();
  if (ready != SSH_OK) throw Error(Fault::Start, "libssh cannot be initialised");
  SshSessionHandle session(::ssh_new());
  if (!session) throw Error(Fault::Memory, "libssh: no memory for a session");
  route_log();
  bool no_config = false;
  ::ssh_options_set(session.get(), SSH_OPTIONS_PROCESS_CONFIG, &no_config);
  // We judge the host key ourselves; libssh must neither read nor write these.
  ::ssh_options_set(session.get(), SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
  ::ssh_options_set(session.get(), SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
  return session;
}

bool cpu_has_aes() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (::getauxval(AT_HWCAP) & (1UL << 3)) != 0;  // HWCAP_AES
#else
  return false;
#endif
}

SshAlgorithms ssh_algorithms(const std::vector<std::string>& known, bool has_aes) {
  const std::string gcm = "aes256-gcm@openssh.com,aes128-gcm@openssh.com";
  const std::string chacha = "chacha20-poly1305@openssh.com";
  const std::string ctr = ",aes256-ctr,aes192-ctr,aes128-ctr";
  return {
      "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
      "ecdh-sha2-nistp521,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
      "diffie-hellman-group14-sha256",
      (has_aes ? gcm + "," + chacha : chacha + "," + gcm) + ctr,
      "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512",
      ordered_host_keys(known)};
}

SshSession::SshSession(std::string name, Clock& clock)
    : name_(std::move(name)), clock_(clock), handle_(new_ssh_session()) {
  ::ssh_set_blocking(get(), 0);
}

void SshSession::set(ssh_options_e option, const std::string& value) {
  if (::ssh_options_set(get(), option, value.c_str()) == SSH_OK) return;
  throw Error(Fault::Unsupported, "libssh refuses " + quote(value) + ": " + reason());
}

void SshSession::handshake(Fd connection, const SshAlgorithms& algorithms, Instant deadline) {
  set(SSH_OPTIONS_KEY_EXCHANGE, algorithms.key_exchange);
  set(SSH_OPTIONS_CIPHERS_C_S, algorithms.ciphers);
  set(SSH_OPTIONS_CIPHERS_S_C, algorithms.ciphers);
  set(SSH_OPTIONS_HMAC_C_S, algorithms.macs);
  set(SSH_OPTIONS_HMAC_S_C, algorithms.macs);
  set(SSH_OPTIONS_HOSTKEYS, algorithms.host_keys);
  set(SSH_OPTIONS_COMPRESSION, "no");
  int fd = connection.get();
  ::ssh_options_set(get(), SSH_OPTIONS_FD, &fd);
  const int rc = drive(SSH_AGAIN, deadline, "the key exchange", [&] {
    const int result = ::ssh_connect(get());
    // From the moment that libssh has taken the socket over, it closes it.
    if (connection && ::ssh_get_fd(get()) == fd) connection.release();
    return result;
  });
  if (rc != SSH_OK) {
    throw Error(Fault::Network, "no ssh connection to " + name_ + ": " + reason() +
                                    "; check that an ssh server listens there");
  }
  // libssh has made the socket blocking; a large write could then outlast every deadline.
  set_nonblocking(fd, true);
}

HostKey SshSession::host_key() const {
  ssh_key raw = nullptr;
  if (::ssh_get_server_publickey(get(), &raw) != SSH_OK) {
    throw Error(Fault::HostKey, name_ + " has no host key: " + reason());
  }
  return public_half(SshKeyHandle(raw).get());
}

void SshSession::wait(bool for_write, Instant deadline) {
  quick_ack();
  pollfd one{::ssh_get_fd(get()), static_cast<short>(for_write ? POLLIN | POLLOUT : POLLIN), 0};
  clock_.poll({&one, 1}, deadline);
}

// sshd leaves Nagle's algorithm on until it has started the program, so that each of its small
// packets waits for our acknowledgement, and ours is delayed by up to 40 ms. The kernel forgets
// this option again and again: measured, it takes a login from 71 to 28 ms.
void SshSession::quick_ack() const {
  const int on = 1;
  ::setsockopt(::ssh_get_fd(get()), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

std::size_t SshSession::unread() const {
  int bytes = 0;
  if (::ioctl(::ssh_get_fd(get()), FIONREAD, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<std::size_t>(bytes);
}

std::string SshSession::reason() const {
  const std::string text = ::ssh_get_error(get());
  return text.empty() ? "no reason given" : escape(text);
}

Error SshSession::too_late(std::string_view doing) const {
  return Error(Fault::Timeout,
               name_ + " did not finish " + std::string(doing) +
                   " before the login deadline; it may be overloaded, or not an ssh "
                   "server");
}

}  // namespace xs
