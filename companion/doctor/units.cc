// SPDX-License-Identifier: MIT
#include "companion/doctor/units.h"

#include <algorithm>

#include "base/text.h"
#include "companion/doctor/systemd.h"

namespace xs {
namespace {

constexpr const char* kService = "xroad-sync.service";
constexpr const char* kTimer = "xroad-sync.timer";
constexpr const char* kAccount = "xroad-slave";
constexpr const char* kEnable = "systemctl enable --now xroad-sync.timer";

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The guide's unit has the name of ours: what it starts tells them apart.
Finding service_point(const DoctorSubject& subject) {
  if (subject.type == NodeType::Primary) return not_here("a primary copies from nobody");
  if (!subject.in_cluster()) return outside(subject);
  const UnitFacts unit = find_unit(subject.places, kService);
  if (unit.path.empty()) {
    return wrong(Fault::Action, std::string("there is no ") + kService, "install xroad-sync");
  }
  const std::string file = escape(unit.path);
  if (unit.masked) {
    return wrong(Fault::Action, file + " is masked", std::string("systemctl unmask ") + kService);
  }
  const std::string program = base_name(unit.program);
  if (program == "xroad-sync") return fine(file + " starts " + escape(unit.program));
  const std::string timer = file.substr(0, file.rfind('/') + 1) + kTimer;
  return wrong(Fault::Action,
               file + " starts " + quote(unit.program) +
                   (program == "rsync" ? ": the guide's unit of the same name, not ours"
                                       : ", not xroad-sync"),
               "rm -f " + file + " " + timer + " && systemctl daemon-reload && " + kEnable);
}

Finding timer_point(const DoctorSubject& subject) {
  if (!subject.in_cluster()) return outside(subject);
  const bool enabled = is_enabled(subject.places, kTimer, "timers.target");
  const auto active = active_word(subject.places, kTimer, subject.clock);
  const bool runs = active == "active";
  const std::string words = std::string(enabled ? "enabled" : "not enabled") +
                            (active ? ", " + escape(*active) : std::string());
  if (subject.type == NodeType::Primary) {
    if (!enabled && !runs) return fine("not enabled: a primary copies from nobody");
    return wrong(Fault::Role, words + ": a primary must not copy from anybody",
                 "systemctl disable --now xroad-sync.timer xroad-sync.service");
  }
  if (find_unit(subject.places, kTimer).path.empty()) {
    return wrong(Fault::Action, std::string("there is no ") + kTimer, "install xroad-sync");
  }
  if (enabled && (!active || runs)) return fine(words);
  return wrong(Fault::Action, words + ": nothing is copied from the primary", kEnable);
}

Finding boot_point(const DoctorSubject& subject) {
  if (subject.type == NodeType::Primary) return not_here("a primary copies from nobody");
  if (!subject.in_cluster()) return outside(subject);
  if (is_enabled(subject.places, kService, "multi-user.target") ||
      is_enabled(subject.places, kService, "xroad-proxy.service")) {
    return fine("before X-Road's services");
  }
  return wrong(Fault::Action, "none before X-Road's services: they would start with old keys",
               std::string("systemctl enable ") + kService);
}

bool has_shell(const UserEntry& user) {
  const std::string shell = base_name(user.shell);
  return shell != "nologin" && shell != "false" && shell != "rssh" && !shell.empty();
}

bool in_group_xroad(const UserEntry& user, Accounts& accounts) {
  const auto group = accounts.group("xroad");
  if (!group) return false;
  return user.gid == group->gid ||
         std::find(group->members.begin(), group->members.end(), user.name) != group->members.end();
}

Finding account_point(const DoctorSubject& subject) {
  if (subject.type == NodeType::Secondary) return not_here("primaries have one");
  if (!subject.in_cluster()) return outside(subject);
  const auto user = subject.accounts.user(kAccount);
  if (!user) {
    return wrong(Fault::Auth, std::string("there is no user ") + kAccount,
                 "systemd-sysusers xroad-sync.conf && systemd-tmpfiles --create xroad-sync.conf");
  }
  if (!has_shell(*user)) {
    return wrong(Fault::Auth,
                 std::string(kAccount) + " has the shell " + quote(user->shell) +
                     ": sshd cannot start anything for it",
                 std::string("usermod -s /bin/sh ") + kAccount);
  }
  if (!in_group_xroad(*user, subject.accounts)) {
    return wrong(Fault::Auth,
                 std::string(kAccount) + " is not in the group xroad: it cannot read /etc/xroad",
                 std::string("usermod -aG xroad ") + kAccount);
  }
  return fine(std::string(kAccount) + ", of the group xroad, with the shell " +
              escape(user->shell));
}

Finding keys_point(const DoctorSubject& subject) {
  if (subject.type == NodeType::Secondary) return not_here("primaries have them");
  if (!subject.in_cluster()) return outside(subject);
  const auto user = subject.accounts.user(kAccount);
  if (!user) return unknown(std::string("not looked at: there is no user ") + kAccount);
  const std::string path = subject.places.at(user->home + "/.ssh/authorized_keys");
  const auto facts = file_facts(path, subject.accounts);
  if (!facts) {
    return wrong(Fault::Auth, escape(path) + " is not there: no secondary can log in",
                 "xroad-sync authorize --install KEY.pub");
  }
  if (facts->owner == kAccount || (facts->mode & 022U) != 0) {
    return wrong(Fault::Auth,
                 escape(path) + " (" + facts->text() +
                     ") can be changed by who logs in with it, or by others",
                 "chown root " + escape(path) + " && chmod 644 " + escape(path));
  }
  return fine(escape(path) + " (" + facts->text() + ")");
}

}  // namespace

Findings look_at_units(const DoctorSubject& subject) {
  return look_at({{"sync service", [&] { return service_point(subject); }},
                  {"sync timer", [&] { return timer_point(subject); }},
                  {"sync at boot", [&] { return boot_point(subject); }},
                  {"sync account", [&] { return account_point(subject); }},
                  {"sync keys", [&] { return keys_point(subject); }}});
}

}  // namespace xs
