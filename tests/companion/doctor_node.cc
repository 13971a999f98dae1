// SPDX-License-Identifier: MIT
#include "tests/companion/doctor_node.h"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace xs::test {
namespace {

constexpr const char* kGuide = "server-support-clients-pooled-connections=false\n";
const std::string kVersion = "7.4.2-1.ubuntu22.04";

std::string package(const std::string& name, const std::string& version) {
  return "Package: " + name +
         "\nStatus: install ok installed\nMaintainer: us\nArchitecture: all\n" +
         "Version: " + version + "\nDescription: for a test\n\n";
}

std::string ids() { return std::to_string(::getuid()) + ":" + std::to_string(::getgid()); }

}  // namespace

DoctorNode::DoctorNode() {
  tree.dir("etc/xroad", 0751).dir("etc/xroad/conf.d", 0750);
  type("slave").groups().account().local_ini(kGuide).packages();
  unit("usr/lib/systemd/system/xroad-sync.service", "/usr/bin/xroad-sync");
  unit("usr/lib/systemd/system/xroad-proxy-ui-api.service", "/usr/share/xroad/bin/ui");
  tree.file("usr/lib/systemd/system/xroad-sync.timer", "[Timer]\nOnUnitActiveSec=60\n");
  enable("xroad-sync.timer", "timers.target").enable("xroad-sync.service", "multi-user.target");
}

DoctorNode& DoctorNode::type(const std::string& word) {
  tree.file("etc/xroad/conf.d/node.ini", "[node]\ntype=" + word + "\n", 0640);
  return *this;
}

DoctorNode& DoctorNode::groups(const std::string& more) {
  tree.file("etc/group", "root:x:4711:\nxroad:x:" + std::to_string(::getgid()) +
                             ":\nxroad-security-officer:x:4712:anna,bert\n"
                             "xroad-securityserver-observer:x:4713:anna\n" +
                             more);
  return *this;
}

DoctorNode& DoctorNode::account(const std::string& shell, const std::string& more) {
  tree.file("etc/passwd", "xroad:x:" + ids() + "::/var/lib/xroad:/bin/bash\nxroad-slave:x:4714:" +
                              std::to_string(::getgid()) + "::/home/xroad-slave:" + shell + "\n" +
                              more);
  return *this;
}

DoctorNode& DoctorNode::local_ini(const std::string& proxy_keys) {
  tree.file("etc/xroad/conf.d/local.ini", "[proxy]\n" + proxy_keys, 0640);
  return *this;
}

DoctorNode& DoctorNode::packages(const std::string& signer_version) {
  tree.file("var/lib/dpkg/status", package("xroad-base", kVersion) +
                                       package("xroad-proxy", kVersion) +
                                       package("xroad-signer", signer_version));
  return *this;
}

DoctorNode& DoctorNode::unit(const std::string& path, const std::string& exec_start) {
  tree.file(path, "[Service]\nExecStart=" + exec_start + "\n");
  return *this;
}

DoctorNode& DoctorNode::enable(const std::string& unit, const std::string& target, bool on) {
  const std::string link = "etc/systemd/system/" + target + ".wants/" + unit;
  if (on) {
    tree.symlink(link, "/usr/lib/systemd/system/" + unit);
  } else {
    tree.remove(link);
  }
  return *this;
}

DoctorPlaces DoctorNode::places() const {
  DoctorPlaces places;
  places.root = tree.path();
  places.config.xroad = tree.path_of("etc/xroad");
  places.config.own = tree.path_of("etc/xroad-sync/companion.ini");
  places.version = "9.9";
  places.wall = [] { return std::int64_t{1'800'000'000}; };
  return places;
}

Findings DoctorNode::examine() const {
  SteadyClock clock;
  return xs::examine(places(), clock);
}

const Finding& find(const Findings& findings, const std::string& point) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& finding) { return finding.point == point; });
  if (found == findings.end()) throw std::runtime_error("there is no point " + point);
  return *found;
}

}  // namespace xs::test
