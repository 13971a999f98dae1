// SPDX-License-Identifier: MIT
// The one table of the keys that node_settings.h reads.
#include <strings.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "companion/node_settings.h"
#include "companion/probes.h"

namespace xs {
namespace {

using S = NodeSettings;
using V = IniValue;

constexpr std::string_view kGive = ": give ";

[[noreturn]] void refuse(const V& value, const std::string& wanted) {
  throw Error(Fault::Usage, value.where() + ": " + escape(value.key) + " = " +
                                excerpt(value.value, 80) + std::string(kGive) + wanted);
}

unsigned long long number(const V& value, unsigned long long least, unsigned long long most) {
  const auto parsed = parse_number(value.value);
  if (!parsed || *parsed < least || *parsed > most) {
    refuse(value, "a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *parsed;
}

std::uint16_t port(const V& value) { return static_cast<std::uint16_t>(number(value, 0, 65535)); }

std::chrono::seconds seconds(const V& value) {
  constexpr unsigned long long kYear = 366ULL * 86'400;
  return std::chrono::seconds(number(value, 1, kYear));
}

std::uint64_t size(const V& value) {
  const auto parsed = parse_size(value.value);
  if (!parsed) refuse(value, "a size such as 16MB");
  return *parsed;
}

bool flag(const V& value) {
  if (::strcasecmp(value.value.c_str(), "true") == 0) return true;
  if (::strcasecmp(value.value.c_str(), "false") == 0) return false;
  refuse(value, "true or false");
}

std::string host(const V& value) {
  const bool fits = !value.value.empty() && value.value.size() <= 255 &&
                    value.value.find_first_of(" \t/") == std::string::npos;
  if (!fits) refuse(value, "an address");
  return value.value;
}

std::string word(const V& value) {
  if (value.value.empty()) refuse(value, "a word");
  return value.value;
}

std::string ssl_mode(const V& value) {
  for (const char* mode : {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}) {
    if (value.value == mode) return mode;
  }
  refuse(value, "disable, allow, prefer, require, verify-ca or verify-full");
}

std::string path(const V& value) {
  if (!value.value.starts_with('/')) refuse(value, "an absolute path");
  return value.value;
}

// "ss1:5590 [2001:db8::2]:5590"
std::vector<HttpTarget> peers(const V& value) {
  std::vector<HttpTarget> targets;
  std::string_view rest = trim(value.value);
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find_first_of(" \t,"));
    rest = rest.substr(std::min(one.size() + 1, rest.size()));
    if (one.empty()) continue;
    const std::size_t colon = one.rfind(':');
    const auto parsed =
        colon == std::string_view::npos ? std::nullopt : parse_number(one.substr(colon + 1));
    if (colon == 0 || !parsed || *parsed == 0 || *parsed > 65535) refuse(value, "host:port ...");
    std::string_view host = one.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.empty()) refuse(value, "host:port ...");
    targets.push_back({std::string(host), static_cast<std::uint16_t>(*parsed), "/status.json"});
  }
  return targets;
}

// Calls `use` with each word of a list that blanks or commas separate.
template <class Use>
void each_word(const V& value, const std::string& wanted, Use use) {
  std::string_view rest = trim(value.value);
  if (rest.empty()) refuse(value, wanted);
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find_first_of(" \t,"));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    if (one.empty()) continue;
    try {
      use(std::string(one));
    } catch (const Error&) {
      refuse(value, wanted);
    }
  }
}

std::vector<HttpTarget> central_servers(const V& value) {
  std::vector<HttpTarget> servers;
  each_word(value, "HOST[:PORT] or https://HOST[:PORT], and more of them",
            [&](const std::string& one) { servers.push_back(parse_central_server(one)); });
  return servers;
}

std::vector<std::string> fingerprints(const V& value) {
  std::vector<std::string> all;
  each_word(value, "the 64 hex digits of SHA-256 for each certificate, with colons or without",
            [&](const std::string& one) { all.push_back(parse_fingerprint(one)); });
  return all;
}

void move(ListenAddress& endpoint, std::uint16_t to, const V& value) {
  endpoint.port = to;
  endpoint.where = value.where();
}

void set_role(S& s, const V& v) {
  struct Word {
    const char* type;
    const char* role;
  };
  constexpr Word kWords[] = {
      {"standalone", "standalone"}, {"master", "primary"}, {"slave", "secondary"}};
  const auto* found = std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& word) {
    return ::strcasecmp(v.value.c_str(), word.type) == 0;
  });
  // X-Road takes an unknown word for STANDALONE and goes on; so do we, but we give it no role.
  s.role = found == std::end(kWords) ? "unknown" : found->role;
  s.role_where = v.where();
}

void set_keyconf(S& s, const V& v) { s.auth_key.keys.keyconf = s.hsm.keyconf = path(v); }
void set_global_conf(S& s, const V& v) {
  s.global_conf.directory = s.auth_key.keys.global_conf = path(v);
}
void set_signer_port(S& s, const V& v) { s.auth_key.signer_port = s.hsm.signer_port = port(v); }
void set_db(S& s, const V& v) {
  s.serverconf_db.db_properties = s.replication.db_properties = path(v);
}

constexpr auto kRows = std::to_array<SettingRow>({
    {"proxy", "health-check-interface", "0.0.0.0",
     "The address that the load balancer asks (X-Road's own key).",
     [](S& s, const V& v) { s.health.host = host(v); }},
    {"proxy", "health-check-port", "5588",
     "The port that the load balancer asks; 0: off (X-Road's own key). Where X-Road's files set "
     "it, "
     "X-Road's proxy listens on it, and where that is installed we start on another one only.",
     [](S& s, const V& v) { move(s.health, port(v), v); }, "0"},
    {"proxy", "hsm-health-check-enabled", "false",
     "Check the hardware security modules first (X-Road's own key).",
     [](S& s, const V& v) { s.hsm_enabled = flag(v); }},
    {"proxy", "memory-usage-threshold", "90",
     "Percent of the proxy's largest heap; without it the check is off (X-Road's own key).",
     [](S& s, const V& v) { s.memory.threshold = static_cast<unsigned>(number(v, 1, 100)); },
     "off"},
    {"common", "configuration-path", "/etc/xroad/globalconf",
     "The global configuration (X-Road's own key).", set_global_conf},
    {"signer", "key-configuration-file", "/etc/xroad/signer/keyconf.xml",
     "The signer's registry of keys (X-Road's own key).", set_keyconf},
    {"signer", "ocsp-cache-path", "/var/cache/xroad",
     "The signer's OCSP responses (X-Road's own key).",
     [](S& s, const V& v) { s.auth_key.keys.ocsp_cache = path(v); }},
    {"signer", "device-configuration-file", "/etc/xroad/devices.ini",
     "The hardware security modules (X-Road's own key).",
     [](S& s, const V& v) { s.hsm.devices = path(v); }},
    {"signer", "grpc-port", "5560", "The signer's port (X-Road's own key).", set_signer_port},
    {"node", "type", "slave", "master, slave or standalone (X-Road's own key, in node.ini).",
     set_role, "standalone"},

    {"admin", "interface", "127.0.0.1",
     "The address of the admin port; one of this host serves its own verbs too.",
     [](S& s, const V& v) { s.admin.host = host(v); }},
    {"admin", "port", "5566",
     "The admin port: maintenance mode, status and metrics; 0: off. X-Road's proxy has its own on "
     "5566: take another one where it is installed, 5590 for example; with 5566 we do not start.",
     [](S& s, const V& v) { move(s.admin, port(v), v); }},
    {"admin", "remote-read", "false",
     "Let other hosts read status and metrics. Maintenance mode stays with this host.",
     [](S& s, const V& v) { s.admin_remote_read = flag(v); }},
    {"agent", "interface", "0.0.0.0", "The address of haproxy's agent-check.",
     [](S& s, const V& v) { s.agent.host = host(v); }},
    {"agent", "port", "5589", "The port of haproxy's agent-check; 0: off.",
     [](S& s, const V& v) { move(s.agent, port(v), v); }, "0"},
    {"maintenance", "survive-restart", "false",
     "Keep the maintenance mode over a restart of the companion; X-Road forgets it.",
     [](S& s, const V& v) { s.maintenance_survives = flag(v); }},
    {"maintenance", "state-file", "/var/lib/xroad-sync/maintenance.json", "Where it is kept.",
     [](S& s, const V& v) { s.maintenance_file = path(v); }},

    {"checks", "global-conf", "true", "Global conf validity.",
     [](S& s, const V& v) { s.on.global_conf = flag(v); }},
    {"checks", "auth-key", "true", "Authentication key OCSP status.",
     [](S& s, const V& v) { s.on.auth_key = flag(v); }},
    {"checks", "serverconf-db", "true", "Server conf database status.",
     [](S& s, const V& v) { s.on.serverconf_db = flag(v); }},
    {"checks", "proxy-alive", "true",
     "Fail when nothing answers on xroad-proxy's own admin port. Asked where xroad-proxy is "
     "installed (/etc/xroad/conf.d/proxy.ini).",
     [](S& s, const V& v) { s.on.proxy_alive = flag(v); }},
    {"checks", "proxy-answers", "true",
     "Fail when X-Road's own health port does not say 200; it alone sees a token that is logged "
     "out.",
     [](S& s, const V& v) { s.on.proxy_answers = flag(v); },
     "true where X-Road's files set another health-check-port"},
    {"checks", "sync-age", "false",
     "Fail when xroad-sync has not succeeded lately. Asked on a secondary only. With true, a "
     "primary that is lost takes its secondaries out after max-age.",
     [](S& s, const V& v) { s.on.sync_age = flag(v); }},
    {"checks", "replication", "false",
     "Fail when the database lags behind the primary's. Asked on a secondary only. With true, a "
     "primary that is lost takes its secondaries out at once.",
     [](S& s, const V& v) { s.on.replication = flag(v); }},
    {"checks", "sign-keys", "false",
     "Fail when a member has no usable signing key. With true, one member of many takes the node "
     "out.",
     [](S& s, const V& v) { s.on.sign_keys = flag(v); }},

    {"serverconf-db", "db-properties", "/etc/xroad/db.properties",
     "How X-Road reaches its database.", set_db},
    {"memory", "proxy-admin-port", "5566",
     "The proxy's own admin port, asked for its memory and whether it lives.",
     [](S& s, const V& v) { s.memory.proxy_admin.port = port(v); }},
    {"proxy-answers", "host", "127.0.0.1", "Where the proxy's own health port is.",
     [](S& s, const V& v) { s.proxy_answers.proxy_health.host = host(v); }},
    {"proxy-answers", "port", "5588", "The proxy's own health port.",
     [](S& s, const V& v) { s.proxy_answers.proxy_health.port = port(v); },
     "health-check-port of X-Road's files"},
    {"sync-age", "status-file", "/var/lib/xroad-sync/status.json", "What xroad-sync writes.",
     [](S& s, const V& v) { s.sync_age.status_file = path(v); }},
    {"sync-age", "max-age", "600", "Seconds since the last success.",
     [](S& s, const V& v) { s.sync_age.max_age = seconds(v); }},
    {"sync-age", "max-pause", "14400", "Seconds for which a pause excuses an old sync.",
     [](S& s, const V& v) { s.sync_age.max_pause = seconds(v); }},
    {"sync-age", "peers", "ss1.example:5590 ss2.example:5590",
     "Companions to compare generations with; they need remote-read.",
     [](S& s, const V& v) { s.sync_age.peers = peers(v); }, "none"},
    {"sync-age", "max-difference", "300",
     "Seconds for which another node that keeps syncing, and synced after this one, may hold "
     "another generation.",
     [](S& s, const V& v) { s.sync_age.max_difference = seconds(v); }},
    {"replication", "max-lag-bytes", "16MB", "How far replay may be behind.",
     [](S& s, const V& v) { s.replication.max_lag_bytes = size(v); }},
    {"replication", "max-lag", "60", "Seconds that replay may be behind.",
     [](S& s, const V& v) { s.replication.max_lag = seconds(v); }},
    {"replication", "max-silence", "90",
     "Seconds since the primary's last message, which comes at least every half wal_sender_timeout "
     "of its PostgreSQL (30 s by default): stay well above that.",
     [](S& s, const V& v) { s.replication.max_silence = seconds(v); }},
    {"replication", "fail-when-paused", "false", "Whether paused replay is a failure by itself.",
     [](S& s, const V& v) { s.replication.fail_when_paused = flag(v); }},
    {"replication", "standby-expected", "true", "Whether a primary database is a failure.",
     [](S& s, const V& v) { s.replication.standby_expected = flag(v); }},
    {"replication", "host", "/var/run/postgresql",
     "For the verbs of replication: host or socket of this node's database.",
     [](S& s, const V& v) { s.replication_access.local.host = word(v); }},
    {"replication", "port", "5433", "Its port.",
     [](S& s, const V& v) { s.replication_access.local.port = port(v); }},
    {"replication", "user", "postgres", "Its role; a socket is asked as the account of that name.",
     [](S& s, const V& v) { s.replication_access.local.user = word(v); }},
    {"replication", "database", "postgres", "Its database.",
     [](S& s, const V& v) { s.replication_access.local.database = word(v); }},
    {"replication", "passfile", "/etc/xroad-sync/pgpass",
     "Passwords, as in ~/.pgpass, readable by its owner alone.",
     [](S& s, const V& v) { s.replication_access.local.passfile = path(v); }, "none"},
    {"replication", "sslmode", "verify-full", "As PostgreSQL's.",
     [](S& s, const V& v) { s.replication_access.local.sslmode = ssl_mode(v); }, "prefer"},
    {"replication", "sslcert", "/etc/xroad/postgresql/server.crt", "Our certificate.",
     [](S& s, const V& v) { s.replication_access.local.sslcert = path(v); }, "none"},
    {"replication", "sslkey", "/etc/xroad/postgresql/server.key", "Its key.",
     [](S& s, const V& v) { s.replication_access.local.sslkey = path(v); }, "none"},
    {"replication", "sslrootcert", "/etc/xroad/postgresql/ca.crt", "The CA of the server's.",
     [](S& s, const V& v) { s.replication_access.local.sslrootcert = path(v); }, "none"},
    {"replication", "primary", "host=ss1.example port=5433 user=ss2",
     "The primary, where this standby's primary_conninfo does not say it.",
     [](S& s, const V& v) { s.replication_access.primary = word(v); }, "the one that it follows"},
    {"central-server", "addresses", "cs1.example:4000 cs2.example:4000",
     "On a node of a Central Server, for replication status: the admin interfaces of all its "
     "nodes.",
     [](S& s, const V& v) { s.central.servers = central_servers(v); }, "localhost:4000"},
    {"central-server", "api-key-file", "/etc/xroad-sync/central-server.key",
     "A key of their REST API, on a line of its own; mode 0640 or less. With it they are asked.",
     [](S& s, const V& v) { s.central.api_key_file = path(v); }, "none"},
    {"central-server", "fingerprints",
     "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
     "SHA-256 of their certificates, each of which is then trusted as it is.",
     [](S& s, const V& v) { s.central.trust.fingerprints = fingerprints(v); }, "none"},
    {"central-server", "ca-file", "/etc/xroad-sync/central-ca.pem",
     "The CA of their certificates, where no fingerprints are given.",
     [](S& s, const V& v) { s.central.trust.ca_file = path(v); }, "the CAs of this system"},
    {"cluster", "name", "serverconf",
     "The PostgreSQL cluster of this node, which replication's set-up changes: its name, by which\n"
     "; /etc/postgresql (Debian) and /var/lib/pgsql (RHEL) are searched.",
     [](S& s, const V& v) { s.cluster.name = word(v); }},
    {"cluster", "data", "/var/lib/pgsql/serverconf", "Its data directory.",
     [](S& s, const V& v) { s.cluster.data = path(v); }, "found by its name"},
    {"cluster", "config", "/etc/postgresql/15/serverconf", "Where its postgresql.conf lies.",
     [](S& s, const V& v) { s.cluster.config = path(v); }, "found by its name"},
    {"cluster", "bin", "/usr/lib/postgresql/15/bin", "PostgreSQL's programs.",
     [](S& s, const V& v) { s.cluster.bin = path(v); }, "found by its version"},
    {"cluster", "service", "postgresql-serverconf", "The unit that starts it.",
     [](S& s, const V& v) { s.cluster.service = word(v); }, "found by its name"},
    {"cluster", "sockets", "/var/run/postgresql", "The directory of its socket.",
     [](S& s, const V& v) { s.cluster.sockets = path(v); }, "what its configuration says"},
    {"cluster", "port", "5433", "Its port.", [](S& s, const V& v) { s.cluster.port = port(v); },
     "what its configuration says"},
    {"upgrade", "state-file", "/var/lib/xroad-sync/upgrade.json",
     "For the verb upgrade: how far it is, and how this node was before.",
     [](S& s, const V& v) { s.upgrade.state_file = path(v); }},
    {"upgrade", "sync-program", "/usr/bin/xroad-sync", "The sync that it pauses.",
     [](S& s, const V& v) { s.upgrade.sync_program = path(v); },
     "beside xroad-companion, or /usr/bin/xroad-sync"},
    {"upgrade", "sync-config", "/etc/xroad-sync/xroad-sync.ini", "The sync's configuration.",
     [](S& s, const V& v) { s.upgrade.sync_config = path(v); }, "the sync's own default"},
    {"upgrade", "sync-user", "xroad", "Root runs the sync as that account, where there is one.",
     [](S& s, const V& v) { s.upgrade.sync_user = word(v); }},
    {"upgrade", "sync-environment", "/etc/default/xroad-sync",
     "The sync's environment, as its unit reads it.",
     [](S& s, const V& v) { s.upgrade.sync_environment = path(v); }},
});

// Lines of at most 100 columns, each a comment.
std::string comment(std::string_view text) {
  constexpr std::size_t kWidth = 98;
  std::string out;
  while (!text.empty()) {
    std::size_t end = text.size() <= kWidth ? text.size() : text.rfind(' ', kWidth);
    if (end == std::string_view::npos) end = text.size();
    out += "; " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::span<const SettingRow> setting_table() { return kRows; }

std::string accepted_by(const SettingRow& row) {
  NodeSettings scratch;
  try {
    row.apply(scratch, {row.section, row.key, "no value of any kind /", "", 0});
  } catch (const Error& error) {
    const std::string& text = error.text();
    const std::size_t at = text.rfind(kGive);
    return at == std::string::npos ? "" : text.substr(at + kGive.size());
  }
  return "";
}

std::string example_ini() {
  std::string text =
      "; /etc/xroad-sync/companion.ini: the companion of this node; companion.ini(5) describes "
      "it.\n"
      "; Read at start: systemctl restart xroad-companion. Never copied between nodes.\n"
      "; Every line that begins with ';' and a key shows its default, or the form of a value.\n";
  std::string section;
  for (const SettingRow& row : setting_table()) {
    if (section != row.section) text += "\n[" + (section = row.section) + "]\n";
    text += comment(row.help);
    const std::string takes = accepted_by(row);
    text += comment((takes.empty() ? "" : "Value: " + takes + ". ") +
                    "Default: " + (row.fallback == nullptr ? row.example : row.fallback) + ".");
    text += std::string(";") + row.key + " = " + row.example + "\n";
  }
  return text;
}

}  // namespace xs
