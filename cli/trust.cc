// SPDX-License-Identifier: MIT
#include "cli/trust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/replace_file.h"
#include "cli/verbs.h"
#include "protocol/known_hosts.h"
#include "protocol/remote_shell.h"
#include "protocol/ssh_scan.h"

namespace xs::cli {
namespace {

std::uint16_t parse_port(std::string_view text) {
  const auto port = parse_number(text);
  if (!port || *port == 0 || *port > 65535)
    throw Error(Fault::Usage, "bad port " + quote(text) + ": 1 to 65535");
  return static_cast<std::uint16_t>(*port);
}

// The file's text without the lines that `known` holds for the host and that do not revoke.
std::string without_host(const std::string& text, const std::string& file, const KnownHosts& known,
                         const HostPort& at) {
  std::set<std::string> dropped;
  for (const KnownHostKey& line : known.lines(at.host, at.port)) {
    if (!line.revoked) dropped.insert(line.where);
  }
  std::istringstream lines(text);
  std::string out;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::string where = file + ":" + std::to_string(number);
    if (dropped.count(where) == 0) {
      out += line + "\n";
      continue;
    }
    if (line.substr(0, line.find_first_of(" \t")).find_first_of(",*?!") != std::string::npos) {
      throw Error(Fault::HostKey,
                  escape(where) + " names other hosts too: edit it by hand, then try again");
    }
  }
  return out;
}

// Which of the host's keys the operator wants to trust.
std::vector<HostKey> agreed(const std::vector<HostKey>& offered, const HostPort& at,
                            const TrustRequest& request) {
  std::printf("%s port %u shows:\n", escape(at.host).c_str(), static_cast<unsigned>(at.port));
  for (const HostKey& key : offered)
    std::printf("  %-20s %s\n", escape(key.type).c_str(), fingerprint(key).c_str());
  if (!request.fingerprint.empty()) {
    std::vector<HostKey> chosen;
    std::copy_if(offered.begin(), offered.end(), std::back_inserter(chosen),
                 [&](const HostKey& key) { return fingerprint(key) == request.fingerprint; });
    if (chosen.empty()) {
      throw Error(Fault::HostKey, "no key of the host has the fingerprint " +
                                      quote(request.fingerprint) + ": nothing was written");
    }
    return chosen;
  }
  if (::isatty(STDIN_FILENO) == 0) {
    throw Error(Fault::Usage,
                "there is no terminal to ask on: compare the fingerprints with `for k in "
                "/etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done` on the primary and give "
                "the right one with --fingerprint");
  }
  std::printf("Compare them with those of the host itself. Trust them from now on? Type yes: ");
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "yes") throw Error(Fault::HostKey, "not trusted: nothing was written");
  return offered;
}

}  // namespace

HostPort parse_host_port(std::string_view text) {
  HostPort at;
  const std::size_t bracket = text.starts_with("[") ? text.find(']') : std::string_view::npos;
  if (text.starts_with("[") && bracket == std::string_view::npos) {
    throw Error(Fault::Usage, "not HOST[:PORT]: " + quote(text));
  }
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (bracket != std::string_view::npos) {
    at.host = text.substr(1, bracket - 1);
    const std::string_view rest = text.substr(bracket + 1);
    if (!rest.empty() && rest.front() != ':')
      throw Error(Fault::Usage, "not HOST[:PORT]: " + quote(text));
    if (!rest.empty()) at.port = parse_port(rest.substr(1));
  } else if (colon != std::string_view::npos &&
             text.find(':', colon + 1) == std::string_view::npos) {
    at.host = text.substr(0, colon);
    at.port = parse_port(text.substr(colon + 1));
  } else {
    at.host = text;  // no colon, or an IPv6 address with many
  }
  check_remote_names(std::nullopt, at.host);
  return at;
}

void trust(const TrustRequest& request, Clock& clock) {
  const HostPort at = parse_host_port(request.target);
  const KnownHosts known = KnownHosts::load({request.file});
  const std::vector<HostKey> offered = scan_host_keys(at.host, at.port, request.deadlines, clock);
  bool news = false;
  for (const HostKey& key : offered) {
    const HostKeyVerdict verdict = known.check(at.host, at.port, key);
    news = news || verdict != HostKeyVerdict::Known;
    const bool mendable = verdict != HostKeyVerdict::Changed || request.replace;
    if (verdict == HostKeyVerdict::Revoked || !mendable) {
      throw host_key_error(verdict, at.host, at.port, key, known);
    }
  }
  if (!news) {
    std::printf("every key of %s is trusted already, by %s\n", escape(at.host).c_str(),
                escape(request.file).c_str());
    return;
  }
  const std::vector<HostKey> chosen = agreed(offered, at, request);
  std::string text = read_file_if_exists(request.file, KnownHosts::kFileLimit).value_or("");
  if (!text.empty() && text.back() != '\n') text += '\n';
  if (request.replace) text = without_host(text, request.file, known, at);
  for (const HostKey& key : chosen) {
    const bool listed =
        !request.replace && known.check(at.host, at.port, key) == HostKeyVerdict::Known;
    if (!listed) text += known_hosts_line(at.host, at.port, key) + "\n";
  }
  const std::string parent = parent_of(request.file);
  if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) throw_errno("mkdir", parent);
  xs::replace_file(request.file, text, 0644);
  std::printf("written to %s\n", escape(request.file).c_str());
}

int run_trust(const Config& config, Clock& clock) {
  TrustRequest request;
  request.target = config.verb_options.target;
  if (!config.primary.known_hosts.empty()) request.file = config.primary.known_hosts.front();
  request.fingerprint = config.verb_options.fingerprint;
  request.replace = config.verb_options.replace;
  request.deadlines = config.deadlines;
  trust(request, clock);
  return 0;
}

}  // namespace xs::cli
