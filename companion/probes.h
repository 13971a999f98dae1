// SPDX-License-Identifier: MIT
// Probes: what load balancers and orchestrators ask beyond X-Road's health port: /readyz, /primary,
// /secondary. Called by the admin port. Pure; a parameter that cannot be used is 400 with its name,
// never ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "companion/http_server.h"
#include "companion/status_report.h"

namespace xs {

// ?verbose names every check; ?exclude=WORD (again and again) leaves one out, or "maintenance".
HttpAnswer readyz(const HttpRequest& request, const StatusReport& report);
// 200 on the primary when it is ready.
HttpAnswer primary_probe(const HttpRequest& request, const StatusReport& report);
// 200 on a secondary when it is ready, ?lag=SIZE and ?max-age=SECONDS as its checks measured them.
HttpAnswer secondary_probe(const HttpRequest& request, const StatusReport& report);

// "4096", "16kB", "1MB", "1GB": powers of 1024. Nothing when it is anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace xs
