// SPDX-License-Identifier: MIT
#include "companion/mend.h"

#include <algorithm>
#include <array>

namespace xs {
namespace {

struct Mend {
  std::string_view word;
  std::string_view message;  // a part of it; empty: any
  std::string_view text;
};

// The first row that fits counts.
constexpr auto kMends = std::to_array<Mend>({
    {"hsm", "",
     "journalctl -u xroad-signer; are the module, its library in devices.ini and its network "
     "there?"},
    {"global-conf", "",
     "journalctl -u xroad-confclient; does it reach the central server, is the clock right "
     "(timedatectl)?"},
    {"auth-key", "Signer might be down",
     "systemctl restart xroad-signer; journalctl -u xroad-signer"},
    {"auth-key", "OCSP response",
     "curl http://127.0.0.1:5559/execute fetches it anew; does the signer reach the OCSP "
     "responder?"},
    {"auth-key", "",
     "log in to the token (admin UI: Keys and certificates), then look at the certificate there"},
    {"serverconf-db", "",
     "systemctl status postgresql; does db.properties name its address, user and password?"},
    {"memory", "",
     "systemctl restart xroad-proxy; for good: a larger -Xmx in "
     "/etc/xroad/services/local.properties"},
    {"proxy-alive", "", "systemctl restart xroad-proxy; journalctl -u xroad-proxy"},
    {"proxy-answers", "", "systemctl status xroad-proxy; journalctl -u xroad-proxy"},
    {"sync-age", "differs", "xroad-sync verify here and there; systemctl start xroad-sync"},
    {"sync-age", "",
     "xroad-sync status; sudo -u xroad xroad-sync doctor; paused: xroad-sync resume"},
    {"replication", "paused", "in the database of this node: select pg_wal_replay_resume()"},
    {"replication", "",
     "systemctl status postgresql here; on the primary: select * from pg_stat_replication"},
    {"sign-keys", "",
     "log in to the token (admin UI: Keys and certificates), then look at the certificates there"},
});

}  // namespace

std::string mend_for(std::string_view word, std::string_view message) {
  const auto* found = std::find_if(kMends.begin(), kMends.end(), [&](const Mend& mend) {
    return mend.word == word && message.find(mend.message) != message.npos;
  });
  return found == kMends.end() ? "" : std::string(found->text);
}

}  // namespace xs
