// SPDX-License-Identifier: MIT
// Metrics: --metrics-file, the status of a node in Prometheus' text form, for node_exporter's
// textfile collector. Replaced atomically at the end of every run; 0644, no names of files, no
// secrets.
#pragma once

#include <string>

#include "sync/report/status.h"

namespace xs {

std::string metrics_text(const Status& status, int protocol_version);
// Throws Io; the caller reports it and goes on.
void write_metrics(const std::string& path, const Status& status, int protocol_version);

}  // namespace xs
