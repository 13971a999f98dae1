// SPDX-License-Identifier: MIT
#include "cli/probe.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli/use_config.h"
#include "cli/verbs.h"
#include "protocol/channel.h"

namespace xs::cli {
namespace {

double milliseconds(Duration span) {
  return std::chrono::duration<double, std::milli>(span).count();
}

std::string feature_names(Features features) {
  std::string out;
  const auto add = [&](Feature feature, const char* name) {
    if (features.has(feature)) out += (out.empty() ? "" : " ") + std::string(name);
  };
  add(Feature::Zstd, "zstd");
  add(Feature::Xattrs, "xattrs");
  add(Feature::Hardlinks, "hardlinks");
  add(Feature::Specials, "specials");
  return out.empty() ? "none" : out;
}

// Bytes that no compression and no lucky default would bring back.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 0x9E3779B9;
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    byte = static_cast<char>(state);
  }
  return bytes;
}

void echo_all(Channel& channel, std::size_t bytes, Clock& clock) {
  const Duration one = channel.echo("x");
  std::printf("round trip      %.1f ms\n", milliseconds(one));
  if (bytes == 0) return;
  const Instant start = clock.now();
  for (std::size_t left = bytes; left > 0;) {
    const std::size_t piece = std::min(left, limits::kPing);
    channel.echo(pattern(piece));
    left -= piece;
  }
  const double took = milliseconds(clock.now() - start);
  std::printf("echo            %zu bytes there and back, unchanged, in %.1f ms\n", bytes, took);
}

}  // namespace

void probe(const ProbeRequest& request, Clock& clock) {
  const Endpoint endpoint = parse_endpoint(request.endpoint);
  const Deadlines& deadlines = request.transport.deadlines;
  const Instant start = clock.now();
  const Instant end = deadlines.total.count() > 0 ? start + deadlines.total : Instant::max();

  const auto stream = open_transport(endpoint, request.transport, clock);
  std::printf("login           %s, %.1f ms\n", endpoint.shown().c_str(),
              milliseconds(clock.now() - start));

  Channel channel(*stream, Side::Client, clock, deadlines, end);
  try {
    Hello hello;
    hello.features = kOurFeatures;
    hello.version = "xroad-sync " XS_VERSION;
    const Instant asked = clock.now();
    const Welcome welcome = channel.connect(hello);
    std::printf("hello           %s, %.1f ms; features: %s\n", escape(welcome.version).c_str(),
                milliseconds(clock.now() - asked), feature_names(welcome.features).c_str());
    echo_all(channel, request.bytes, clock);
    channel.finish("probe done");
  } catch (const Error& error) {
    channel.abort(error);
    throw;
  }
  std::printf("done            sent %llu bytes, received %llu bytes, %.1f ms in all\n",
              static_cast<unsigned long long>(channel.sent()),
              static_cast<unsigned long long>(channel.received()),
              milliseconds(clock.now() - start));
}

int run_probe(const Config& config, Clock& clock) {
  ProbeRequest request;
  request.endpoint = config.verb_options.target;
  if (request.endpoint.empty()) {
    const Endpoint primary = endpoint(config);
    request.endpoint = (primary.user ? *primary.user + "@" : "") + primary.host;
  }
  request.transport = transport_options(config);
  request.bytes = config.verb_options.bytes;
  probe(request, clock);
  return 0;
}

}  // namespace xs::cli
