// SPDX-License-Identifier: MIT
// The doctor on what stands in files: type, settings, accounts, units, packages.
#include <unistd.h>

#include "companion/doctor/database.h"
#include "companion/doctor/report.h"
#include "companion/doctor/systemd.h"
#include "companion/doctor/versions.h"
#include "companion/status_report.h"
#include "tests/companion/doctor_node.h"
#include "tests/support/catch.h"
#include "tests/support/http_peer.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

void is_fine(const DoctorNode& node, const std::string& point, const std::string& words) {
  const Findings findings = node.examine();
  const Finding& finding = find(findings, point);
  INFO(finding_text(finding));
  CHECK(finding.state == PointState::Fine);
  CHECK_THAT(finding.found, Contains(words));
}

void is_wrong(const DoctorNode& node, const std::string& point, Fault fault,
              const std::string& words, const std::string& mend) {
  const Findings findings = node.examine();
  const Finding& finding = find(findings, point);
  INFO(finding_text(finding));
  CHECK(finding.state == PointState::Wrong);
  CHECK(finding.fault == fault);
  CHECK_THAT(finding.found, Contains(words));
  CHECK_THAT(finding.mend, Contains(mend));
}

void is(PointState state, const DoctorNode& node, const std::string& point,
        const std::string& words) {
  const Findings findings = node.examine();
  CHECK(find(findings, point).state == state);
  CHECK_THAT(find(findings, point).found, Contains(words));
}

}  // namespace

TEST_CASE("doctor: a node type is master, slave or standalone, from node.ini", "[doctor]") {
  DoctorNode node;
  is_fine(node, "node type", "a secondary (type=slave, ");
  node.type("MASTER");
  is_fine(node, "node type", "a primary");
  node.type("slvae");
  is_wrong(node, "node type", Fault::Role, "type=slvae, ", "type=slave");
  is(PointState::Unknown, node, "sync timer", "the node type is not known");
  node.type("standalone");
  is(PointState::NotHere, node, "sync timer", "a standalone node needs none");
  is(PointState::NotHere, node, "PIN group", "a standalone node needs none");

  // local.ini is copied to every node: a type in it would make them all the same.
  node.local_ini("a=b\n[node]\ntype=slave\n");
  node.tree.remove("etc/xroad/conf.d/node.ini");
  is_wrong(node, "node type", Fault::Role, "copied from the primary", "node.ini");
  is(PointState::NotHere, node, "node.ini", "there is none");
  node.local_ini("a=b\n");
  is_wrong(node, "node type", Fault::Role, "nobody says it", "printf '[node]\\ntype=slave\\n' >");
}

TEST_CASE("doctor: node.ini is xroad's and closed to others", "[doctor]") {
  DoctorNode node;
  is_fine(node, "node.ini", "xroad:xroad, mode 640");
  for (const unsigned mode : {0644U, 0660U, 0750U, 0642U}) {
    node.tree.mode("etc/xroad/conf.d/node.ini", mode);
    is_wrong(node, "node.ini", Fault::Mismatch, "it is to be xroad:xroad, mode 640", "chmod 640 ");
  }
  node.tree.mode("etc/xroad/conf.d/node.ini", 0640);
  node.tree.file("etc/passwd", "anna:x:" + std::to_string(::getuid()) +
                                   ":4:::/bin/sh\nxroad:x:4715:5:::/bin/sh\n");
  is_wrong(node, "node.ini", Fault::Mismatch, "anna:xroad", "chown xroad:xroad ");
}

TEST_CASE("doctor: kept connections are off only where it is said", "[doctor]") {
  DoctorNode node;
  is_fine(node, "kept connections", "local.ini:2");
  node.local_ini("server-support-clients-pooled-connections = true\n");
  is_wrong(node, "kept connections", Fault::Usage, "local.ini:2: server-support", "on the primary");
  node.local_ini("");
  node.tree.file("etc/xroad/conf.d/override-a.ini",
                 "[proxy]\nserver-support-clients-pooled-connections=false\n");
  is_fine(node, "kept connections", "override-a.ini:2");
  node.tree.remove("etc/xroad/conf.d/override-a.ini");
  node.type("master");
  is_wrong(node, "kept connections", Fault::Usage, "is not set",
           "write server-support-clients-pooled-connections=false below [proxy] of ");
}

TEST_CASE("doctor: a PIN in plain text is found and never read", "[doctor]") {
  DoctorNode node;
  is_fine(node, "autologin PIN", "none");
  node.tree.file("etc/xroad/autologin", "4321", 0600);
  is_wrong(node, "autologin PIN", Fault::Mismatch, "in plain text", "custom-fetch-pin.sh");
  node.tree.mode("etc/xroad/autologin", 0644);
  is_wrong(node, "autologin PIN", Fault::Mismatch, "for every user to read", "at once: chmod 640 ");
  for (const Finding& finding : node.examine()) {
    CHECK_THAT(finding_text(finding), !Contains("4321"));
  }
}

TEST_CASE("doctor: a secondary's groups change nothing and still enter the PIN", "[doctor]") {
  DoctorNode node;
  is_fine(node, "removed groups", "nobody may change");
  is_fine(node, "PIN group", "xroad-security-officer: anna, bert");
  is_fine(node, "reading group", "xroad-securityserver-observer: anna");
  node.groups("xroad-system-administrator:x:4716:anna\nxroad-registration-officer:x:4717:\n");
  is_wrong(node, "removed groups", Fault::Mismatch,
           "xroad-registration-officer is still there; xroad-system-administrator is still there "
           "(anna)",
           "groupdel xroad-registration-officer && groupdel xroad-system-administrator");
  node.tree.file("etc/group", "xroad:x:" + std::to_string(::getgid()) +
                                  ":\nxroad-securityserver-observer:x:4713:\n");
  is_wrong(node, "PIN group", Fault::Mismatch, "is gone: nobody can enter the token's PIN",
           "groupadd --system xroad-security-officer && usermod -aG");
  is_wrong(node, "reading group", Fault::Mismatch, "has no members", "usermod -aG xroad-sec");

  // Who enters the PIN does not need to be a person.
  node.tree.file("etc/group", "xroad-security-officer:x:4712:\n");
  is_wrong(node, "PIN group", Fault::Mismatch, "has no members", "usermod -aG");
  node.tree.file("usr/share/xroad/autologin/custom-fetch-pin.sh", "#!/bin/sh\n", 0755);
  is_fine(node, "PIN group", "xroad-autologin enters the PIN");

  node.type("master");
  is(PointState::NotHere, node, "removed groups", "a primary keeps its groups");
  node.type("slave").tree.remove("usr/lib/systemd/system/xroad-proxy-ui-api.service");
  is(PointState::NotHere, node, "removed groups", "no admin UI");
  node.unit("lib/systemd/system/xroad-proxy-ui-api.service", "/x").tree.remove("etc/group");
  is(PointState::Unknown, node, "removed groups", "etc/group': No such file");
}

TEST_CASE("doctor: the guide's rsync unit is told from ours by what it starts", "[doctor]") {
  DoctorNode node;
  is_fine(node, "sync service", "xroad-sync.service starts /usr/bin/xroad-sync");
  const std::string guide = "etc/systemd/system/xroad-sync.service";
  node.unit(guide,
            "/usr/bin/rsync -e \"ssh -o ConnectTimeout=5 \" -aqz xroad-slave@ss1:/etc/xroad/");
  is_wrong(node, "sync service", Fault::Action, "starts '/usr/bin/rsync': the guide's unit",
           "/etc/systemd/system/xroad-sync.timer && systemctl daemon-reload && systemctl enable");
  node.unit(guide, "\\\n  -/usr/bin/rsync");
  is_wrong(node, "sync service", Fault::Action, "'/usr/bin/rsync'", "rm -f ");
  // A drop-in decides.
  node.tree.file(guide + ".d/ours.conf", "[Service]\nExecStart=\nExecStart=/opt/bin/xroad-sync\n");
  is_fine(node, "sync service", "/opt/bin/xroad-sync");
  node.tree.remove(guide + ".d/ours.conf").remove(guide).symlink(guide, "/dev/null");
  is_wrong(node, "sync service", Fault::Action, "is masked", "systemctl unmask xroad-sync.service");
  node.tree.remove(guide).remove("usr/lib/systemd/system/xroad-sync.service");
  is_wrong(node, "sync service", Fault::Action, "there is no xroad-sync.service", "install");
}

TEST_CASE("doctor: the timer works on a secondary and rests on a primary", "[doctor]") {
  DoctorNode node;
  is_fine(node, "sync timer", "enabled");
  is_fine(node, "sync at boot", "before X-Road's services");
  node.type("master");
  is_wrong(node, "sync timer", Fault::Role, "a primary must not copy",
           "systemctl disable --now xroad-sync.timer");
  node.enable("xroad-sync.timer", "timers.target", false);
  is_fine(node, "sync timer", "not enabled");
  node.type("slave").enable("xroad-sync.service", "multi-user.target", false);
  is_wrong(node, "sync timer", Fault::Action, "nothing is copied", "systemctl enable --now");
  is_wrong(node, "sync at boot", Fault::Action, "old keys", "systemctl enable xroad-sync.service");
  node.enable("xroad-sync.service", "xroad-proxy.service");
  is_fine(node, "sync at boot", "before X-Road's services");
  node.tree.remove("usr/lib/systemd/system/xroad-sync.timer");
  is_wrong(node, "sync timer", Fault::Action, "there is no xroad-sync.timer", "install");
}

TEST_CASE("doctor: a primary has an account that secondaries log in to", "[doctor]") {
  DoctorNode node;
  is(PointState::NotHere, node, "sync account", "primaries have one");
  node.type("master");
  is_fine(node, "sync account", "xroad-slave, of the group xroad, with the shell /bin/sh");
  is_wrong(node, "sync keys", Fault::Auth, "no secondary can log in",
           "xroad-sync authorize --install KEY.pub");
  const std::string keys = "home/xroad-slave/.ssh/authorized_keys";
  node.tree.file(keys, "ssh-ed25519 AAAA\n", 0644);
  is_fine(node, "sync keys", "authorized_keys");
  node.tree.mode(keys, 0664);
  is_wrong(node, "sync keys", Fault::Auth, "can be changed by", "chown root ");
  node.tree.mode(keys, 0644);
  node.account("/usr/sbin/nologin");
  is_wrong(node, "sync account", Fault::Auth, "'/usr/sbin/nologin'", "usermod -s /bin/sh");
  node.account().groups().tree.file("etc/group", "xroad:x:4718:bert\n");
  is_wrong(node, "sync account", Fault::Auth, "not in the group xroad", "usermod -aG xroad");
  node.tree.file("etc/group", "xroad:x:4718:bert,xroad-slave\n");
  is_fine(node, "sync account", "of the group xroad");
  node.tree.file("etc/passwd", "xroad-slave:x:" + std::to_string(::getuid()) +
                                   ":4718::/home/xroad-slave:/bin/sh\n");
  is_wrong(node, "sync keys", Fault::Auth, "xroad-slave:", "chown root ");
  node.tree.file("etc/passwd", "xroad:x:1:1:::/bin/sh\n");
  is_wrong(node, "sync account", Fault::Auth, "no user xroad-slave", "systemd-sysusers");
}

TEST_CASE("doctor: the packages of a node have one version", "[doctor]") {
  CHECK(judge_packages("+xroad-base 7.4 installed\n+xroad-proxy 7.4 installed\n").found ==
        "7.4 (2 packages)");
  const Finding mixed = judge_packages(
      "dpkg-query: no packages found matching xroad-signer\n+xroad-base 7.4 installed\n"
      "+xroad-proxy 7.5 installed\n+xroad-signer 7.3 config-files\n");
  CHECK(mixed.state == PointState::Wrong);
  CHECK(mixed.found == "packages of different versions: 7.4: xroad-base; 7.5: xroad-proxy");
  CHECK(judge_packages("package xroad-base is not installed\n").state == PointState::Wrong);

  DoctorNode node;
  if (::access("/usr/bin/dpkg-query", X_OK) == 0) {
    is_fine(node, "X-Road", "7.4.2-1.ubuntu22.04 (3 packages)");
    node.packages("7.4.1");
    is_wrong(node, "X-Road", Fault::Mismatch, "7.4.1: xroad-signer", "finish the upgrade");
  }
  node.tree.remove("var/lib/dpkg/status");
  is(PointState::Unknown, node, "X-Road", "neither dpkg nor rpm");
  node.tree.file("etc/xroad/VERSION", "7.6.0\n");
  is_fine(node, "X-Road", "7.6.0");
}

TEST_CASE("doctor: a wrong line in a settings file is named and hides nothing else", "[doctor]") {
  DoctorNode node;
  is_fine(node, "settings", "readable");
  node.tree.file("etc/xroad-sync/companion.ini", "[proxy]\nno-such = 1\n");
  is_wrong(node, "settings", Fault::Usage, "companion.ini:2: nobody knows the key", "correct");
  is_fine(node, "node type", "a secondary");
  node.tree.file("etc/xroad/conf.d/local.ini", "[proxy]\nhealth-check-port = many\n");
  is_wrong(node, "settings", Fault::Usage, "local.ini:2", "correct");
  is_fine(node, "node type", "a secondary");
  CHECK(findings_code(node.examine()) == exit_code(Fault::Usage));
}

TEST_CASE("doctor: who may not look finds nothing wrong", "[doctor]") {
  DoctorNode node;
  node.type("master").tree.file("etc/xroad/db.properties", "", 0600);
  ::chmod(node.root().c_str(), 0755);
  node.tree.mode("etc/xroad/conf.d", 0);
  const int code = as_nobody([&] {
    const Findings findings = node.examine();
    for (const char* point : {"settings", "node type", "node.ini", "kept connections",
                              "db.properties", "health port", "proxy's health"}) {
      if (find(findings, point).state != PointState::Unknown) return 1;
    }
    return find(findings, "settings").found.ends_with("Permission denied: run as root") ? 0 : 2;
  });
  node.tree.mode("etc/xroad/conf.d", 0750);
  CHECK(code == 0);
}

TEST_CASE("doctor: a clock that nobody sets is wrong, another system's is not asked", "[doctor]") {
  CHECK(judge_clock({true, 1500}).found == "synchronised, at most 2 ms off");
  CHECK(judge_clock({false, 0}).state == PointState::Wrong);
  CHECK_THAT(judge_clock({false, 0}).mend, Contains("timedatectl set-ntp true"));
  CHECK(ask_kernel_clock().max_error_us >= 0);
  const DoctorNode node;
  is(PointState::NotHere, node, "synchronised", "another system's");
}

TEST_CASE("doctor: peers are of our version, on our time and not a second primary", "[doctor]") {
  DoctorNode node;
  is(PointState::NotHere, node, "other nodes", "names none");
  const auto with_peer = [&](const std::string& role, const std::string& version,
                             const std::string& date, int status = 200) {
    StatusReport report;
    report.role = role;
    report.version = version;
    const std::string body = report_json(report);
    const HttpPeer peer(HttpPlan{"HTTP/1.1 " + std::to_string(status) + " OK\r\ndate: " + date +
                                 "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                                 body});
    node.tree.file("etc/xroad-sync/companion.ini",
                   "[sync-age]\npeers = 127.0.0.1:" + std::to_string(peer.port()) + "\n");
    return find(node.examine(), "127.0.0.1");
  };
  const std::string now = "Fri, 15 Jan 2027 08:00:00 GMT";  // 1'800'000'000
  Finding finding = with_peer("primary", "9.9", now);
  CHECK(finding.state == PointState::Fine);
  CHECK(finding.found == "a primary, companion 9.9, clock 0 s from ours");
  CHECK(with_peer("secondary", "9.9", "Fri, 15 Jan 2027 08:00:03 GMT").state == PointState::Fine);
  finding = with_peer("secondary", "9.9", "Fri, 15 Jan 2027 07:59:56 GMT");
  CHECK(finding.state == PointState::Wrong);
  CHECK(finding.found == "a secondary, companion 9.9, clock -4 s from ours");
  finding = with_peer("secondary", "9.8", "yesterday");
  CHECK(finding.found == "a secondary, companion 9.8, and ours is 9.9");
  CHECK(with_peer("secondary", "9.9", now, 403).state == PointState::Unknown);
  node.type("master");
  CHECK(with_peer("primary", "9.9", now).fault == Fault::Role);
}

TEST_CASE("doctor: what could not be looked at is no clean bill", "[doctor]") {
  Findings findings = {fine("a"), not_here("b")};
  CHECK(findings_code(findings) == 0);
  CHECK(summary_text(findings) == "nothing is wrong\n");
  findings.push_back(unknown("c"));
  CHECK(findings_code(findings) == exit_code(Fault::Partial));
  CHECK(summary_text(findings) == "nothing is wrong, 1 could not be looked at\n");
  findings.push_back(wrong(Fault::Network, "d", "e"));
  findings.push_back(wrong(Fault::Role, "f", "g"));
  CHECK(findings_code(findings) == exit_code(Fault::Network));
  CHECK(summary_text(findings) == "2 points are wrong, 1 could not be looked at\n");
}
