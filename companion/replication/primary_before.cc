// SPDX-License-Identifier: MIT
#include "companion/replication/primary_before.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <sstream>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/owned_file.h"

namespace xs {
namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line.substr(0, line.find('#')));
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// How the names of a profile and a login are said on the command line.
std::string spoken(Profile profile, Login login) {
  return std::string("--profile ") + profile_row(profile).name + " --login " +
         (login == Login::Certificate ? "certificate" : "password");
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + escape(name);
  return all;
}

// ca.crt, server.crt and server.key of one directory, as `setup` lays them.
std::string common_directory(const PkiPaths& pki) {
  const std::string directory = parent_of(pki.ca);
  const bool ours = pki.ca == directory + "/ca.crt" &&
                    pki.certificate == directory + "/server.crt" &&
                    pki.key == directory + "/server.key";
  return ours ? directory : "";
}

// A second CA would shut out every standby that trusts the first.
void keep_certificates(PrimarySetup& setup, const PkiPaths& pki) {
  if (!setup.unsaid.pki || !setup.given.ca.empty() || pki.ca.empty() || pki.certificate.empty() ||
      pki.key.empty()) {
    return;
  }
  const std::string directory = common_directory(pki);
  if (directory.empty()) {
    setup.given = pki;
  } else {
    setup.pki = directory;
  }
}

// Profiles that replicate in the same way differ in their login alone.
bool waits(Profile profile) { return profile == Profile::Synchronous; }

void refuse_change(const PrimarySetup& setup, const PrimaryBefore& before) {
  const PrimaryPlan& plan = setup.plan;
  constexpr const char* kSay = "; say --change-profile as well, if that is meant";
  if (!before.synchronous.empty() && !waits(plan.profile)) {
    throw Error(Fault::Refused, "commits wait for " + listed(before.synchronous) +
                                    " here (synchronous_standby_names), and with --profile " +
                                    profile_row(plan.profile).name + " for nobody" + kSay);
  }
  // "*" is no name of a standby, and beside names it is one more that has to be there.
  const auto& names = before.synchronous;
  const bool any = std::find(names.begin(), names.end(), "*") != names.end();
  const std::size_t count = synchronous_count(before.waits);
  if (waits(plan.profile) && (any || count < names.size())) {
    throw Error(Fault::Refused,
                "synchronous_standby_names is " + quote(before.waits) + ", so a commit waits for " +
                    std::to_string(count) + (any ? " standby(s) of any name" : " of these") +
                    "; with this profile it waits for each standby that is named, and WRITES STOP "
                    "when one is gone" +
                    kSay);
  }
  if (!before.primary) return;  // that this database was a standby binds nobody
  const Profile profile = before.profile.value_or(plan.profile);
  const Login login = before.login.value_or(plan.login);
  if (waits(profile) != waits(plan.profile) || login != plan.login) {
    throw Error(Fault::Refused, "this primary is set up with " + spoken(profile, login) + ", not " +
                                    spoken(plan.profile, plan.login) + kSay);
  }
  if (!before.group.empty() && before.group != plan.group) {
    throw Error(Fault::Refused, "the standbys of this primary are in the group " +
                                    quote(before.group) + ", not " + quote(plan.group) + kSay);
  }
}

int prefix_of(const sockaddr* mask) {
  const bool six = mask->sa_family == AF_INET6;
  std::array<unsigned char, 16> bytes{};
  if (six) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(mask)->sin6_addr, 16);
  } else {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(mask)->sin_addr, 4);
  }
  int bits = 0;
  for (const unsigned char byte : bytes) bits += std::popcount(byte);
  return bits;
}

// samenet, or samehost: what the server takes from the interfaces of this node.
std::vector<std::string> own_networks(bool host_alone) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) throw_errno("getifaddrs", "this node");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> freed(all, ::freeifaddrs);
  std::vector<std::string> networks;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_netmask == nullptr) continue;
    const bool six = one->ifa_addr->sa_family == AF_INET6;
    if (!six && one->ifa_addr->sa_family != AF_INET) continue;
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ifa_addr, six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in), text.data(),
                      text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
      continue;
    }
    std::string address = text.data();
    address.resize(std::min(address.find('%'), address.size()));
    const int prefix = host_alone ? (six ? 128 : 32) : prefix_of(one->ifa_netmask);
    networks.push_back(address + "/" + std::to_string(prefix));
  }
  return networks;
}

// True for an address that is let in. What is a name is the server's to judge.
std::string allow_condition(const std::vector<std::string>& allow) {
  std::vector<std::string> networks;
  for (const std::string& address : allow) {
    if (address == "samenet" || address == "samehost") {
      for (std::string& one : own_networks(address == "samehost")) {
        networks.push_back(std::move(one));
      }
    } else if (address.find('/') != std::string::npos) {
      networks.push_back(address);
    } else {
      return "true";
    }
  }
  std::string any = "false";
  for (const std::string& one : networks)
    any += " or s.client_addr <<= " + sql_text(one) + "::inet";
  return any;
}

}  // namespace

std::vector<std::string> synchronous_names(const std::string& setting) {
  const std::size_t open = setting.find('(');
  std::string list = open == std::string::npos ? setting : setting.substr(open + 1);
  if (open != std::string::npos) list.resize(std::min(list.rfind(')'), list.size()));
  std::vector<std::string> names;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) {
    std::string name(trim(part));
    if (name.size() >= 2 && name.front() == '"') name = name.substr(1, name.size() - 2);
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

std::size_t synchronous_count(const std::string& setting) {
  const std::size_t open = setting.find('(');
  if (open == std::string::npos) return setting.find_first_not_of(" \t") == open ? 0 : 1;
  const std::string_view head = trim(std::string_view(setting).substr(0, open));
  const auto number = parse_number(head.substr(head.find_last_not_of("0123456789") + 1));
  return number.value_or(0);
}

void read_conf_block(PrimaryBefore& before, const std::string& lines) {
  const auto value = [&](const char* name) { return conf_value(lines, name).value_or(""); };
  before.pki = {value("ssl_ca_file"), value("ssl_cert_file"), value("ssl_key_file")};
  if (const auto primary = conf_value(lines, "primary_conninfo")) {
    // It was a standby: how it logged in is how its roles do, and what it waited for is nothing.
    if (!before.login) {
      before.login =
          primary->find(" passfile=") != std::string::npos ? Login::Password : Login::Certificate;
    }
    if (value("hot_standby") == "off") before.profile = Profile::Synchronous;
  } else {
    before.primary = true;
    before.listen = value("listen_addresses");
    before.wal_limit = value("max_slot_wal_keep_size");
    before.waits = value("synchronous_standby_names");
    before.synchronous = synchronous_names(before.waits);
    if (!before.login) {
      before.login =
          conf_value(lines, "password_encryption") ? Login::Password : Login::Certificate;
    }
    if (conf_value(lines, "synchronous_commit")) before.profile = Profile::Synchronous;
  }
  if (before.profile) return;
  before.profile = before.login == Login::Password ? Profile::CentralServer : Profile::Xroad;
}

void read_hba_block(PrimaryBefore& before, const std::string& lines) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() != 5 || words[1] != "replication" || !words[2].starts_with('+')) continue;
    before.group = words[2].substr(1);
    before.allow.push_back(words[3]);
    before.login = words[4] == "cert" ? Login::Certificate : Login::Password;
  }
}

PrimaryBefore read_before(const LocalSql& sql) {
  const Cluster& cluster = sql.cluster();
  PrimaryBefore before;
  const auto block = [&](const std::string& file) {
    return find_block(read_owned(file, cluster).value_or(""), file);
  };
  if (const auto lines = block(cluster.hba_file())) read_hba_block(before, *lines);
  if (const auto lines = block(cluster.conf_file())) read_conf_block(before, *lines);
  // Without lines of ours somebody else's say it.
  if (!before.primary) {
    before.waits = sql.value("select current_setting('synchronous_standby_names')");
    before.synchronous = synchronous_names(before.waits);
  }
  return before;
}

void keep_before(PrimarySetup& setup, const PrimaryBefore& before) {
  PrimaryPlan& plan = setup.plan;
  if (setup.unsaid.profile && before.profile) plan.profile = *before.profile;
  if (setup.unsaid.login) {
    const bool same = setup.unsaid.profile && before.login;
    plan.login = same ? *before.login : profile_row(plan.profile).login;
  }
  if (setup.unsaid.group && !before.group.empty()) plan.group = before.group;
  if (setup.unsaid.allow && !before.allow.empty()) plan.allow = before.allow;
  if (setup.unsaid.listen && !before.listen.empty()) plan.listen = before.listen;
  if (setup.unsaid.wal_limit && !before.wal_limit.empty()) plan.wal_limit = before.wal_limit;
  keep_certificates(setup, before.pki);
  if (!setup.change_profile) refuse_change(setup, before);
  if (waits(plan.profile)) plan.synchronous = before.synchronous;
  std::erase_if(plan.synchronous, [&](const std::string& name) {
    return name == "*" || std::find(setup.drop.begin(), setup.drop.end(), name) != setup.drop.end();
  });
}

std::string check_waited_for(const LocalSql& sql, const PrimarySetup& setup,
                             const PrimaryBefore& before) {
  if (setup.plan.synchronous.empty()) return "";
  const auto rows = sql.ask(
      "select n.name, current_setting('synchronous_standby_names') from unnest($1::text[]) n "
      "(name) where not exists (select 1 from pg_stat_replication r where r.state = 'streaming' "
      "and lower(r.application_name) = lower(n.name)) order by 1",
      {sql_array(setup.plan.synchronous)});
  if (rows.empty()) return "";
  std::vector<std::string> away;
  std::string drop;
  for (const DbRow& row : rows) {
    away.push_back(row[0].value_or(""));
    drop += " --drop " + escape(away.back());
  }
  const std::string now = rows[0][1].value_or("");
  if (before.primary && !now.empty()) {
    return "WARNING: writes wait for " + listed(away) +
           ", which does not stream now. WRITES STOP until it is back, or until `setup primary" +
           drop + "`.";
  }
  throw Error(Fault::Refused, "a write would wait for " + listed(away) +
                                  ", which does not stream now, so WRITES WOULD STOP: bring it "
                                  "back first, or take it out before with" +
                                  drop);
}

void check_connected(const LocalSql& sql, const PrimarySetup& setup) {
  const auto rows = sql.ask(
      "select distinct s.usename || ' from ' || host(s.client_addr) from pg_stat_replication s "
      "join pg_roles r on r.oid = s.usesysid join pg_roles g on g.rolname = $1 "
      "where s.client_addr is not null and not r.rolsuper and "
      "pg_has_role(r.oid, g.oid, 'member') and not (" +
          allow_condition(setup.plan.allow) + ") order by 1",
      {setup.plan.group});
  if (rows.empty()) return;
  std::vector<std::string> who;
  who.reserve(rows.size());
  for (const DbRow& row : rows) who.push_back(row[0].value_or(""));
  throw Error(Fault::Refused, "connected now, and not let in any more when it comes back: " +
                                  listed(who) + "; say --allow for it as well");
}

std::string shadowed_lines(const Cluster& cluster, const std::string& group) {
  const std::string file = cluster.hba_file();
  std::istringstream in(without_block(read_owned(file, cluster).value_or(""), file));
  std::string found;
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() < 4 || words[0] == "local") continue;
    std::istringstream users(words[2]);
    for (std::string user; std::getline(users, user, ',');) {
      if (user == "+" + group) found += "\n  " + escape(line);
    }
  }
  if (found.empty()) return "";
  return "These lines of " + escape(file) + " count no more, ours decide about " + escape(group) +
         " (see --allow):" + found;
}

}  // namespace xs
