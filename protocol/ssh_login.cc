// SPDX-License-Identifier: MIT
#include "protocol/ssh_login.h"

#include <pwd.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "protocol/known_hosts.h"
#include "protocol/ssh_agent.h"
#include "protocol/ssh_key.h"

namespace xs {
namespace {

struct Account {
  std::string name;
  std::string home;
};

Account our_account() {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int err = ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  if (err == 0 && found != nullptr) return {entry.pw_name, entry.pw_dir};
  throw Error(Fault::Usage, "user " + std::to_string(::geteuid()) +
                                " has no account here, so name the remote user, the identity file "
                                "and the known_hosts file");
}

std::string option_of(ssh_session session, ssh_options_e option) {
  char* raw = nullptr;
  if (::ssh_options_get(session, option, &raw) != SSH_OK || raw == nullptr) return {};
  std::string value = raw;
  ::ssh_string_free_char(raw);
  return value;
}

SshTarget with_ssh_config(SshTarget target) {
  const SshSessionHandle session = new_ssh_session();
  const SshTarget plain;
  if (::ssh_options_set(session.get(), SSH_OPTIONS_HOST, target.host.c_str()) != SSH_OK ||
      ::ssh_options_parse_config(session.get(), nullptr) != SSH_OK) {
    throw Error(Fault::Usage,
                "the ssh configuration cannot be read: " + escape(::ssh_get_error(session.get())));
  }
  if (!option_of(session.get(), SSH_OPTIONS_PROXYCOMMAND).empty()) {
    throw Error(Fault::Unsupported, "the ssh configuration has a proxy for " + quote(target.host) +
                                        ": use -e ssh for this host");
  }
  target.host = option_of(session.get(), SSH_OPTIONS_HOST);
  unsigned port = 0;
  if (target.port == plain.port && ::ssh_options_get_port(session.get(), &port) == SSH_OK) {
    target.port = static_cast<std::uint16_t>(port);
  }
  if (target.user.empty()) target.user = option_of(session.get(), SSH_OPTIONS_USER);
  // libssh's own defaults begin with %d; only what the configuration names is of interest.
  const std::string identity = option_of(session.get(), SSH_OPTIONS_IDENTITY);
  if (target.identity_files.empty() && identity.starts_with("/")) {
    target.identity_files.push_back(identity);
  } else if (target.identity_files.empty() && identity.starts_with("~/")) {
    target.identity_files.push_back(our_account().home + identity.substr(1));
  }
  return target;
}

std::string names_of(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : "; ") + text;
  return out;
}

// One login's keys: what can be tried, what was tried, what could not be.
class Authentication {
 public:
  Authentication(const SshTarget& target, SshSession& session, Clock& clock, Instant deadline)
      : target_(target),
        session_(session),
        deadline_(deadline),
        agent_(agent_socket(target), clock, deadline) {
    for (const auto& path : target.identity_files) load(path);
    if (!agent_.trouble().empty()) skipped_.push_back(agent_.trouble());
  }

  void run() {
    for (const SshKey& key : keys_) {
      if (tried_.size() < kSshAttempts && try_file(key)) return done();
    }
    if (try_agent()) return done();
    throw refused();
  }

 private:
  static std::string agent_socket(const SshTarget& target) {
    const char* path = target.use_agent ? ::secure_getenv("SSH_AUTH_SOCK") : nullptr;
    return path == nullptr ? "" : path;
  }

  void load(const std::string& path) {
    try {
      SshKey key = load_ssh_key(path);
      if (key.secret) return keys_.push_back(std::move(key));
      if (held_by_agent(key.open)) return preferred_.push_back(key.open);
      skipped_.push_back(
          "the private key " + quote(path) +
          " is protected by a passphrase, for which we never ask: load it into an ssh "
          "agent with ssh-add, or give us a key without one");
    } catch (const Error& error) {
      skipped_.push_back(error.text());
    }
  }

  bool held_by_agent(const HostKey& key) const {
    return std::any_of(agent_.identities().begin(), agent_.identities().end(),
                       [&](const auto& identity) { return identity.key == key; });
  }

  bool offered(const HostKey& key) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [&](const SshKey& other) { return other.open == key; });
  }

  bool try_file(const SshKey& key) {
    tried_.push_back(fingerprint(key.open) + " (" + quote(key.path) + ")");
    return accepted(session_.drive(SSH_AUTH_AGAIN, deadline_, "the login", [&] {
      return ::ssh_userauth_publickey(session_.get(), target_.user.c_str(), key.secret.get());
    }));
  }

  // The agent's keys that belong to an identity file come first.
  std::vector<SshAgent::Identity> agent_keys() const {
    std::vector<SshAgent::Identity> chosen;
    for (const auto& identity : agent_.identities()) {
      if (unusable(identity.key).empty() && !offered(identity.key)) chosen.push_back(identity);
    }
    std::stable_partition(chosen.begin(), chosen.end(), [&](const auto& identity) {
      return std::find(preferred_.begin(), preferred_.end(), identity.key) != preferred_.end();
    });
    chosen.resize(std::min(chosen.size(), kSshAttempts - tried_.size()));
    return chosen;
  }

  bool try_agent() {
    const std::vector<SshAgent::Identity> chosen = agent_keys();
    if (chosen.empty()) return false;
    for (const auto& identity : chosen) {
      tried_.push_back(fingerprint(identity.key) + " (agent, " + quote(identity.comment) + ")");
    }
    Fd socket = agent_.serve(chosen, deadline_);
    ::ssh_set_agent_socket(session_.get(), socket.release());
    return accepted(session_.drive(SSH_AUTH_AGAIN, deadline_, "the login", [&] {
      return ::ssh_userauth_agent(session_.get(), target_.user.c_str());
    }));
  }

  bool accepted(int rc) {
    if (rc == SSH_AUTH_SUCCESS) return true;
    if (rc == SSH_AUTH_PARTIAL) {
      skipped_.push_back("the server wants more than a key (AuthenticationMethods)");
    }
    if (rc == SSH_AUTH_ERROR) {
      skipped_.push_back(session_.reason());
      throw refused();
    }
    return false;
  }

  void done() const {
    for (const auto& text : skipped_) spdlog::warn("{}", text);
  }

  Error refused() const {
    const std::string who = quote(target_.user) + " at " + session_.name();
    std::string text = tried_.empty()
                           ? "there is no usable key for the login of " + who
                           : "the login of " + who + " was refused; tried " + names_of(tried_) +
                                 "; on the primary, xroad-sync authorize lets a key in";
    if (!skipped_.empty()) text += "; " + names_of(skipped_);
    if (tried_.empty() && skipped_.empty()) text += ": name one, or make one with ssh-keygen";
    return Error(Fault::Auth, text);
  }

  const SshTarget& target_;
  SshSession& session_;
  Instant deadline_;
  SshAgent agent_;
  std::vector<SshKey> keys_;
  std::vector<HostKey> preferred_;
  std::vector<std::string> tried_;
  std::vector<std::string> skipped_;
};

}  // namespace

SshTarget complete(SshTarget target) {
  if (target.use_ssh_config) target = with_ssh_config(std::move(target));
  const bool lacking =
      target.user.empty() || target.identity_files.empty() || target.known_hosts_files.empty();
  if (!lacking) return target;
  const Account account = our_account();
  if (target.user.empty()) target.user = account.name;
  if (target.identity_files.empty()) {
    for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa"}) {
      const std::string path = account.home + "/.ssh/" + name;
      if (::access(path.c_str(), F_OK) == 0) target.identity_files.push_back(path);
    }
  }
  if (target.known_hosts_files.empty()) {
    target.known_hosts_files = {"/etc/xroad-sync/known_hosts", account.home + "/.ssh/known_hosts"};
  }
  return target;
}

std::unique_ptr<SshSession> ssh_login(const SshTarget& target, Fd connection, Clock& clock,
                                      Instant deadline) {
  const KnownHosts known = KnownHosts::load(target.known_hosts_files);
  for (const auto& text : known.warnings()) spdlog::warn("{}", text);
  auto session = std::make_unique<SshSession>(
      quote(target.host) + " port " + std::to_string(target.port), clock);
  session->handshake(std::move(connection),
                     ssh_algorithms(known.types(target.host, target.port), cpu_has_aes()),
                     deadline);
  const HostKey offered = session->host_key();
  const HostKeyVerdict verdict = known.check(target.host, target.port, offered);
  if (verdict != HostKeyVerdict::Known) {
    throw host_key_error(verdict, target.host, target.port, offered, known);
  }
  Authentication(target, *session, clock, deadline).run();
  return session;
}

}  // namespace xs
