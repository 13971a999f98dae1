// SPDX-License-Identifier: MIT
// Where the primary is, and how to get in.
#include "cli/settings.h"

namespace xs::cli {
namespace {

constexpr Verbs kConnecting = kTreeVerbs | bit(Verb::Probe);
constexpr Verbs kWaiting = kConnecting | bit(Verb::Trust);

std::chrono::milliseconds span_of(const Value& value) {
  return std::chrono::milliseconds(value.number);
}

std::vector<Setting> primary() {
  return {
      {"primary", "host", "", "HOST", Kind::Text, "", "", 0, "name or address of the primary",
       [](Draft& d, const Value& v) { d.config.primary.host = v.text; },
       "Needed where no source is named on the command line.", Repeat::Last, "MASTER", kSameDefault,
       "Connection"},
      {"primary", "user", "", "USER", Kind::Text, "", "xroad-slave", 0,
       "the account at the primary",
       [](Draft& d, const Value& v) { d.config.primary.user = v.text; },
       "On the command line it is written in front of the host; without it rsync's default holds "
       "there, which is one's own name.",
       Repeat::Last, "XROAD_USER", ""},
      {"primary", "port", "", "PORT", Kind::Number, "0..65535", "0", 0,
       "the port of its sshd; 0: what ssh takes by default",
       [](Draft& d, const Value& v) {
         d.config.primary.port = static_cast<std::uint16_t>(v.number);
       }},
      {"primary", "path", "", "PATH", Kind::Path, "absolute", "/etc/xroad", 0,
       "the tree at the primary", [](Draft& d, const Value& v) { d.config.primary.path = v.text; },
       "What is in it is copied into the destination, as with a trailing slash of rsync."},
      {"primary", "identity", "--identity", "FILE", Kind::Path, "absolute", "", kConnecting,
       "a private key to log in with",
       [](Draft& d, const Value& v) { d.config.primary.identity.push_back(v.text); },
       "Without one: those of ~/.ssh, and an agent's.", Repeat::Replace},
      {"primary", "known-hosts", "--known-hosts", "FILE", Kind::Path, "absolute", "", kWaiting,
       "where host keys are known from, and where trust writes",
       [](Draft& d, const Value& v) { d.config.primary.known_hosts.push_back(v.text); },
       "Without one: /etc/xroad-sync/known_hosts, then ~/.ssh/known_hosts.", Repeat::Replace},
      {"primary", "remote-shell", "-e,--rsh", "COMMAND", Kind::Text, "", "ssh", kConnecting,
       "the remote shell with its options",
       [](Draft& d, const Value& v) { d.config.primary.remote_shell = v.text; },
       "A plain ssh with options that we honour is done by our own client; anything else is "
       "started "
       "as a program, without a shell. Words are divided by blanks; quotes group."},
      {"primary", "ssh-config", "--ssh-config", "", Kind::Flag, "", "no", kConnecting,
       "let our own ssh client read ~/.ssh/config and /etc/ssh/ssh_config",
       [](Draft& d, const Value& v) { d.config.primary.ssh_config = v.flag; }},
      {"primary", "program", "--rsync-path", "PROGRAM", Kind::Text, "", "xroad-sync-server",
       kConnecting, "the program to ask for at the primary",
       [](Draft& d, const Value& v) { d.config.primary.program = v.text; },
       "A forced command at the primary outweighs it."},
      {"primary", "ipv4", "-4,--ipv4", "", Kind::Flag, "", "no", kConnecting, "use IPv4 only",
       [](Draft& d, const Value& v) { d.config.primary.ipv4_only = v.flag; }},
      {"primary", "ipv6", "-6,--ipv6", "", Kind::Flag, "", "no", kConnecting, "use IPv6 only",
       [](Draft& d, const Value& v) { d.config.primary.ipv6_only = v.flag; }},
  };
}

std::vector<Setting> limits_of_time() {
  return {
      {"limits", "timeout", "--timeout", "SECONDS", Kind::Duration, "0..86400", "10", kWaiting,
       "give up after this long without a byte",
       [](Draft& d, const Value& v) {
         // Nothing here waits for ever, so rsync's 0 (no limit) is a day.
         const auto limit =
             v.number == 0 ? std::chrono::milliseconds(std::chrono::hours(24)) : span_of(v);
         d.config.deadlines.idle = d.config.deadlines.first_byte = d.config.deadlines.login = limit;
       },
       "It also limits the login. 0 is a day."},
      {"limits", "connect-timeout", "--contimeout", "SECONDS", Kind::Duration, "1..3600", "5",
       kWaiting, "give up connecting after this long, all addresses of the primary together",
       [](Draft& d, const Value& v) { d.config.deadlines.connect = span_of(v); },
       "rsync has this for daemons only. ConnectTimeout in -e outweighs it."},
      {"limits", "total", "", "SECONDS", Kind::Duration, "0..604800", "110", 0,
       "give up the whole run after this long, retries included; 0: never",
       [](Draft& d, const Value& v) { d.config.deadlines.total = span_of(v); },
       "Nothing was changed then: a run that has begun to commit completes it. Keep it below "
       "TimeoutStartSec of the unit.",
       Repeat::Last, "", "0"},
      {"", "", "--stop-after", "MINUTES", Kind::Number, "1..10080", "", kTreeVerbs,
       "give up the whole run after this many minutes",
       [](Draft& d, const Value& v) { d.config.deadlines.total = std::chrono::minutes(v.number); },
       "rsync stops with a part of the work done; we have changed nothing then."},
      {"limits", "retries", "--retries", "NUMBER", Kind::Number, "0..100", "3", kTreeVerbs,
       "how often to try again when the connection fails",
       [](Draft& d, const Value& v) { d.config.retry.retries = static_cast<unsigned>(v.number); },
       "Only a login that may work a moment later is tried again: a network that fails, an sshd "
       "under load. A refused key or an unknown host is not.",
       Repeat::Last, "", "0"},
      {"limits", "retry-delay", "", "SECONDS", Kind::Duration, "0..3600", "500ms", 0,
       "how long to wait before the first retry; it doubles, with jitter",
       [](Draft& d, const Value& v) { d.config.retry.delay = span_of(v); }},
      {"limits", "boot-delay", "", "SECONDS", Kind::Duration, "0..3600", "5", 0,
       "while the node boots, how long a missing primary may hold up X-Road's services",
       [](Draft& d, const Value& v) { d.config.retry.boot_delay = span_of(v); },
       "So long for each step: the connections that are tried, the login, the first answer."},
  };
}

}  // namespace

std::vector<Setting> connection_settings() {
  std::vector<Setting> all = primary();
  for (Setting& setting : limits_of_time()) all.push_back(setting);
  return all;
}

}  // namespace xs::cli
