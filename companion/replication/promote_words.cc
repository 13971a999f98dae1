// SPDX-License-Identifier: MIT
#include "companion/replication/promote_words.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/connection.h"
#include "companion/replication/show.h"

namespace xs {

std::string lag_words(const ServerState& state, const OldPrimary& old) {
  std::string text = "This standby";
  if (!state.status) {
    text += " answers no questions (hot_standby is off)";
    if (state.received) text += "; it has received up to " + lsn_text(*state.received);
    text += "; what it has received is replayed before it is a primary.\n";
    if (!old.position || !state.received) return text;
    if (*old.position <= *state.received) return text;
    return text + "WARNING: the old primary was at " + lsn_text(*old.position) + ": " +
           bytes_text(*old.position - *state.received) +
           " of its writes never came here and will be lost.\n";
  }
  const ReplicationStatus& status = *state.status;
  const auto known = [](const Position& p) { return p ? lsn_text(*p) : std::string("nowhere"); };
  const std::uint64_t received = status.received.value_or(0);
  const std::uint64_t replayed = status.replayed.value_or(0);
  if (received > replayed) text += " has received up to " + lsn_text(received) + " and";
  text += " has replayed up to " + known(status.replayed);
  if (received > replayed) {
    text += "; the " + bytes_text(received - replayed) + " between are replayed first";
  }
  Position end = old.position;
  if (!end && status.receiver) end = status.receiver->primary_end;
  if (!end) return text + ". How far the old primary was cannot be seen from here.\n";
  const std::uint64_t have = std::max(received, replayed);
  if (*end <= have) return text + ". That is all that the old primary is known to have had.\n";
  return text + ".\nWARNING: the old primary was at " + lsn_text(*end) + ": " +
         bytes_text(*end - have) + " of its writes never came here and will be lost.\n";
}

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) name[0] = '\0';
  return name[0] == '\0' ? "THIS-NODE" : escape(name.data());
}

// By its certificate, which standbys compare; the host's own name where that is one of them.
std::string reached_by(const CertNames& own) {
  std::string host = host_name();
  if (own.hosts.empty() || std::find(own.hosts.begin(), own.hosts.end(), host) != own.hosts.end()) {
    return host;
  }
  return own.hosts.front();
}

// The node goes by its certificate's names, and where no CA's key is here, by its certificate.
std::string setup_words(const Promoted& promoted, const std::string& host) {
  const CertNames& own = promoted.own;
  std::vector<std::string> words{"xroad-companion", "replication", "setup", "primary"};
  if (!own.common_name.empty()) words.insert(words.end(), {"--name", own.common_name});
  words.insert(words.end(), {"--host", host});
  for (const std::string& other : own.hosts) {
    if (other != host) words.insert(words.end(), {"--host", other});
  }
  const PkiPaths& given = promoted.given;
  if (!given.ca.empty()) {
    words.insert(words.end(), {"--ca", given.ca, "--cert", given.certificate, "--key", given.key});
  }
  return escape(shell_words(words));
}

}  // namespace

std::string next_words(const Promoted& promoted) {
  const std::string old = promoted.old_primary.empty() ? "the old primary" : promoted.old_primary;
  const std::string host = reached_by(promoted.own);
  std::string text =
      "This node is the primary now: timeline " + std::to_string(promoted.timeline) +
      promoted.since +
      ". It takes writes.\n\nWhat is left to do:\n"
      "1. The old primary (" +
      old +
      "): never start it as it is; two primaries lose writes. If it still runs, stop it, and see "
      "that nothing starts it again. Take it back as a standby, on it:\n"
      "     xroad-companion replication rejoin --primary 'host=" +
      host + " port=" + std::to_string(promoted.port) +
      "'\n"
      "2. Before that, on this node, let standbys in (addresses, roles, slots):\n"
      "     " +
      setup_words(promoted, host) +
      " --standby NAME ...\n"
      "   Other standbys than the old primary follow by `rejoin` too.\n"
      "3. X-Road, on this node: [node] type=master in /etc/xroad/conf.d/node.ini; on the old "
      "primary type=slave. Restart their X-Road services.\n"
      "4. /etc/xroad/db.properties: a node that uses its own database (localhost, as the guide "
      "says) stays as it is; where the old primary's host is named, name this one. Clients of a "
      "Central Server find it by secondary_hosts.\n"
      "5. xroad-sync: a primary does not pull: systemctl disable --now xroad-sync.timer on this "
      "node; on all others [primary] host=" +
      host +
      " in /etc/xroad-sync/xroad-sync.ini, and this node must let their keys in.\n"
      "6. The load balancer needs nothing; look at `xroad-companion status` on each node.\n";
  if (promoted.emptied) {
    text +=
        "7. synchronous_standby_names has been made empty, so nothing waits for a standby, AND A "
        "WRITE IS SAFE ONLY HERE. When a standby streams again, `setup primary --profile "
        "synchronous` makes writes wait for it; in another profile, alter system reset "
        "synchronous_standby_names.\n";
  }
  return text;
}

}  // namespace xs
