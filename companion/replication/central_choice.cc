// SPDX-License-Identifier: MIT
#include "companion/replication/central_choice.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr const char* kStatusPath = "/api/v1/system/high-availability-cluster/status";

[[noreturn]] void no_server(const std::string& text, const std::string& why) {
  throw Error(Fault::Usage, excerpt(text, 120) + " is no Central Server: " + why +
                                "; give HOST, HOST:PORT or https://HOST:PORT");
}

}  // namespace

void CentralChoice::fill_from(const CentralChoice& weaker) {
  if (servers.empty()) servers = weaker.servers;
  if (api_key_file.empty()) api_key_file = weaker.api_key_file;
  if (!trust.said()) trust = weaker.trust;
}

HttpTarget parse_central_server(const std::string& text) {
  constexpr std::string_view kScheme = "https://";
  std::string_view rest = text;
  if (rest.starts_with("http://")) no_server(text, "the API key would go over the wire in clear");
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  HttpTarget target{"", kCentralServerPort, kStatusPath};
  const bool six = rest.starts_with('[');
  const std::size_t bracket = rest.find(']');
  if (six && bracket == rest.npos) no_server(text, "there is no ']'");
  std::size_t colon = rest.find(':', six ? bracket : 0);
  // An address of version 6 without brackets has no port.
  if (!six && colon != rest.npos && rest.find(':', colon + 1) != rest.npos) colon = rest.npos;
  target.host = six ? rest.substr(1, bracket - 1) : rest.substr(0, colon);
  if (six && bracket + 1 != std::min(colon, rest.size())) no_server(text, "it has an odd host");
  if (colon != rest.npos) {
    const auto port = parse_number(rest.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) no_server(text, "it has a port that is none");
    target.port = static_cast<std::uint16_t>(*port);
  }
  const bool odd =
      target.host.empty() || target.host.size() > 255 ||
      std::any_of(target.host.begin(), target.host.end(), [](unsigned char c) {
        return c <= ' ' || c >= 127 ||
               std::string_view("/@?#[]\"'\\").find(static_cast<char>(c)) != std::string_view::npos;
      });
  if (odd) no_server(text, "it has an odd host");
  return target;
}

}  // namespace xs
