// SPDX-License-Identifier: MIT
// Metrics: a status report in the text format of Prometheus, for /metrics. Pure.
#pragma once

#include <string>

#include "companion/status_report.h"

namespace xs {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

std::string metrics_text(const StatusReport& report);

}  // namespace xs
