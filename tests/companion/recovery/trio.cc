// SPDX-License-Identifier: MIT
#include "tests/companion/recovery/trio.h"

#include <future>
#include <stdexcept>

namespace xs::test {
namespace {

// Everything that begins is waited for, also when one fails.
template <class Function>
void at_once(const std::vector<const Machine*>& machines, Function function) {
  std::vector<std::future<void>> all;
  for (const Machine* machine : machines) {
    all.push_back(std::async(std::launch::async, [machine, function] { function(*machine); }));
  }
  for (auto& one : all) one.wait();
  for (auto& one : all) one.get();
}

// As much of X-Road's schema as its health check reads, and a table that is written.
constexpr const char* kSchema =
    "create table identifier (id int, xroadinstance text, memberclass text, membercode text); "
    "create table client (id int, identifier int); "
    "create table serverconf (id int, servercode text, owner int); "
    "create table written (id serial primary key); "
    "insert into identifier values (1, 'XX', 'GOV', '1'); insert into client values (1, 1); "
    "insert into serverconf values (1, 'SS', 1)";

}  // namespace

void carry(const Machine& from, const std::string& path, const Machine& to,
           const std::string& directory) {
  run({"cp", "-a", from.outside(path), to.outside(directory) + "/"});
}

void back_up(const Machine& machine, const std::string& database, const std::string& file) {
  machine.sh("cd / && sudo -u postgres pg_dump -p " + machine.port() + " -Fc " + database + " >" +
             file);
}

void restore(const Machine& machine, const std::string& database, const std::string& file) {
  machine.sql("create role serverconf login password 'serverconf'", "postgres");
  machine.sql("create database " + database + " owner serverconf", "postgres");
  machine.sh("cd / && sudo -u postgres pg_restore -p " + machine.port() + " -d " + database + " <" +
             file);
}

int write_rows(const Machine& machine, const std::string& database, int count) {
  machine.sql("insert into written select from generate_series(1, " + std::to_string(count) + ")",
              database);
  return std::stoi(machine.sql("select count(*) from written", database));
}

bool has_rows(const Machine& machine, const std::string& database, int count) {
  return machine.says("select count(*) from written", std::to_string(count), database);
}

Trio::Trio() : ss1(lan, {.name = "ss1"}), ss2(lan, {.name = "ss2"}), ss3(lan, {.name = "ss3"}) {
  for (Machine* machine : all()) machine->ready();
  at_once({&ss1, &ss2, &ss3}, [](const Machine& machine) { machine.start_database(); });
  fill_primary();
  for (const Machine* machine : {&ss2, &ss3}) {
    make_key(*machine, ss1);
    ss1.sh("xroad-sync authorize --install /root/" + machine->name() + ".pub");
  }
  at_once({&ss2, &ss3}, [this](const Machine& machine) { join(machine); });
  at_once({&ss1, &ss2, &ss3}, [](const Machine& machine) {
    machine.sh("systemctl start xroad-companion");
    if (!works(machine)) throw std::runtime_error(machine.name() + " does not work");
  });
}

void Trio::fill_primary() const {
  ss1.sh(
      "sed -i s/slave/master/ /etc/xroad/conf.d/node.ini; mkdir -p /etc/xroad/signer/softtoken; "
      "echo '<keyConf/>' >/etc/xroad/signer/keyconf.xml; "
      "echo pin >/etc/xroad/signer/softtoken/.softtoken.p12; "
      "printf '[proxy]\\nserver-support-clients-pooled-connections=false\\n' "
      ">/etc/xroad/conf.d/local.ini; chown -R xroad:xroad /etc/xroad");
  ss1.sql("create role serverconf login password 'serverconf'", "postgres");
  ss1.sql("create database serverconf owner serverconf", "postgres");
  ss1.sql(std::string("set role serverconf; ") + kSchema);
  ss1.sh("xroad-companion replication setup primary --standby ss2 --standby ss3");
}

void Trio::make_key(const Machine& node, const Machine& primary) {
  node.sh(
      "sudo -u xroad sh -c 'mkdir -m 700 /var/lib/xroad/.ssh && ssh-keygen -q -t ed25519 -N "
      "\"\" -f /var/lib/xroad/.ssh/id_ed25519' && cp /var/lib/xroad/.ssh/id_ed25519.pub /root/" +
      node.name() + ".pub");
  carry(node, "/root/" + node.name() + ".pub", primary, "/root");
}

void Trio::sync_from(const Machine& node, const std::string& primary) {
  node.sh("printf '[primary]\\nhost = " + primary + "\\n' >/etc/xroad-sync/xroad-sync.ini");
}

void Trio::join(const Machine& node) const {
  carry(ss1, "/etc/xroad/postgresql/bundles/" + node.name(), node, "/root");
  node.sh("xroad-companion replication setup standby --bundle /root/" + node.name());
  sync_from(node, "ss1");
  node.type_and_agree({"xroad-sync", "trust", "ss1"});
  node.sh("sudo -u xroad xroad-sync");
}

bool Trio::works(const Machine& node) {
  return eventually(std::chrono::seconds(20), [&] {
    return node.type({"xroad-companion", "check"}).code == 0;
  });
}

}  // namespace xs::test
