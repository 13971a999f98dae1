// SPDX-License-Identifier: MIT
#include "companion/doctor/versions.h"

#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/child.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/status_report.h"
#include "companion/wall.h"

namespace xs {
namespace {

constexpr const char* kDpkg = "/usr/bin/dpkg-query";
constexpr const char* kRpm = "/usr/bin/rpm";
constexpr std::size_t kVersionFileLimit = 4096;
constexpr std::int64_t kMostOffset = 3;  // HTTP tells whole seconds
constexpr std::size_t kMostPeers = 16;
const std::vector<std::string> kPackages = {"xroad-base", "xroad-confclient", "xroad-proxy",
                                            "xroad-proxy-ui-api", "xroad-signer"};

// A package that is not installed makes both tools fail, though they tell of the others.
std::string ask_tool(std::vector<std::string> argv, Clock& clock) {
  argv.insert(argv.end(), kPackages.begin(), kPackages.end());
  ChildRequest request;
  request.argv = std::move(argv);
  request.environment = plain_environment();
  request.limit = std::chrono::seconds(10);
  const ChildResult result = run_child(request, clock);
  if (result.timed_out) throw Error(Fault::Action, request.argv[0] + " " + result.words());
  return result.output;
}

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Finding xroad_point(const DoctorSubject& subject) {
  const DoctorPlaces& places = subject.places;
  const std::string dpkg = places.at("/var/lib/dpkg");
  const std::string root = places.root.empty() ? "/" : places.root;
  if (is_there(dpkg + "/status") && ::access(kDpkg, X_OK) == 0) {
    return judge_packages(ask_tool({kDpkg, "--admindir=" + dpkg, "--show",
                                    "--showformat=+${Package} ${Version} ${db:Status-Status}\\n"},
                                   subject.clock));
  }
  const bool rpm =
      is_there(places.at("/var/lib/rpm")) || is_there(places.at("/usr/lib/sysimage/rpm"));
  if (rpm && ::access(kRpm, X_OK) == 0) {
    return judge_packages(ask_tool({kRpm, "--root=" + root, "--query", "--queryformat",
                                    "+%{NAME} %{VERSION}-%{RELEASE} installed\\n"},
                                   subject.clock));
  }
  const auto file = read_file_if_exists(places.config.xroad + "/VERSION", kVersionFileLimit);
  if (file) return fine(excerpt(trim(*file), 60));
  return unknown("there is neither dpkg nor rpm to ask, nor a file VERSION");
}

Finding peer_point(const DoctorSubject& subject, const HttpTarget& peer) {
  const HttpReply reply =
      http_get(peer, subject.clock, subject.clock.now() + subject.places.ask_limit);
  const std::int64_t now = subject.places.wall();
  if (reply.status != 200) {
    return unknown(peer.text() + " answers " + std::to_string(reply.status) +
                   ": it needs remote-read = true below [admin]");
  }
  const StatusReport report = parse_report(reply.body);
  auto offset = parse_http_date(reply.date);
  if (offset) *offset -= now;
  return judge_peer(subject, report.role, report.version, offset);
}

}  // namespace

KernelClock ask_kernel_clock() {
  timex state{};  // no modes: nothing is set
  const int answer = ::adjtimex(&state);
  if (answer < 0) throw_errno("adjtimex", "clock");
  const bool unset = answer == TIME_ERROR || (state.status & STA_UNSYNC) != 0;
  return {!unset, state.maxerror};
}

Finding judge_clock(const KernelClock& clock) {
  if (!clock.synchronised) {
    return wrong(Fault::Mismatch, "the kernel's clock is not synchronised",
                 "timedatectl set-ntp true (or systemctl enable --now chronyd)");
  }
  return fine("synchronised, at most " + std::to_string((clock.max_error_us + 999) / 1000) +
              " ms off");
}

Finding judge_packages(const std::string& lines) {
  std::map<std::string, std::string> versions;  // and the packages that have them
  std::size_t count = 0;
  for (std::string_view rest = lines; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', std::min(first + 1, line.size()));
    if (!line.starts_with('+') || second == line.npos) continue;  // the tool's own words
    if (line.substr(second + 1) != "installed") continue;
    std::string& names = versions[escape(line.substr(first + 1, second - first - 1))];
    names += (names.empty() ? "" : ", ") + escape(line.substr(1, first - 1));
    ++count;
  }
  if (versions.empty()) {
    return wrong(Fault::Mismatch, "no package of X-Road is installed",
                 "install the security server first (guide 3.3, step 1)");
  }
  if (versions.size() == 1) {
    return fine(versions.begin()->first + " (" + std::to_string(count) +
                (count == 1 ? " package)" : " packages)"));
  }
  std::string found;
  for (const auto& [version, names] : versions) {
    if (!found.empty()) found += "; ";
    found.append(version).append(": ").append(names);
  }
  return wrong(Fault::Mismatch, "packages of different versions: " + found,
               "finish the upgrade: apt install 'xroad-*' (RHEL: dnf upgrade 'xroad-*')");
}

Finding judge_peer(const DoctorSubject& subject, const std::string& role,
                   const std::string& version, std::optional<std::int64_t> offset) {
  const bool primary = role == "primary";
  const std::string found =
      (primary || role == "secondary" ? "a " : "") + escape(role) + ", companion " +
      escape(version) +
      (offset ? ", clock " + std::to_string(*offset) + " s from ours" : std::string());
  if (primary && subject.type == NodeType::Primary) {
    return wrong(Fault::Role, found + ": there are two primaries",
                 "write type=slave into node.ini of the one that is none");
  }
  if (offset && std::abs(*offset) > kMostOffset) {
    return wrong(Fault::Mismatch, found, "timedatectl set-ntp true on the node that is off");
  }
  if (version != subject.places.version) {
    return wrong(Fault::Mismatch, found + ", and ours is " + subject.places.version,
                 "install the same version on every node");
  }
  return fine(found);
}

Findings look_at_clock(const DoctorSubject& subject) {
  return look_at({{"synchronised", [&] {
                     if (!subject.places.root.empty()) {
                       return not_here("not looked at: the files are another system's");
                     }
                     return judge_clock(subject.places.clock());
                   }}});
}

Findings look_at_versions(const DoctorSubject& subject) {
  return look_at({{"X-Road", [&] { return xroad_point(subject); }},
                  {"xroad-companion", [&] { return fine(subject.places.version); }}});
}

Findings look_at_peers(const DoctorSubject& subject) {
  const std::vector<HttpTarget>& peers = subject.settings.sync_age.peers;
  if (peers.empty()) {
    return look_at({{"other nodes", [] {
                       return not_here("companion.ini names none: peers = ... below [sync-age]");
                     }}});
  }
  std::vector<Point> points;
  for (std::size_t i = 0; i < std::min(peers.size(), kMostPeers); ++i) {
    const HttpTarget& peer = peers[i];
    points.push_back({escape(peer.host), [&subject, &peer] { return peer_point(subject, peer); }});
  }
  return look_at(points);
}

}  // namespace xs
