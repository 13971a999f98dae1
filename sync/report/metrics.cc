// SPDX-License-Identifier: MIT
#include "sync/report/metrics.h"

#include <array>
#include <cstdio>

#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

// A label's value: backslash, quote and newline are escaped, and nothing else may be.
std::string label(std::string_view value) {
  std::string out;
  for (const char c : escape(value)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return "\"" + out + "\"";
}

std::string decimal(double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  return text.data();
}

class Text {
 public:
  void metric(std::string_view name, std::string_view type, std::string_view help,
              std::string_view value, std::string_view labels = "") {
    const std::string full = "xroad_sync_" + std::string(name);
    out_ += "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " " +
            std::string(type) + "\n" + full;
    if (!labels.empty()) out_ += "{" + std::string(labels) + "}";
    out_ += " " + std::string(value) + "\n";
  }
  void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
    metric(name, "gauge", help, std::to_string(value));
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    metric(name, "counter", help, std::to_string(value));
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void last_run(Text& text, const Status& status) {
  const StatusRun& run = *status.last_run;
  const int code = status.failure && !status.paused ? status.failure->exit : 0;
  text.metric("last_run_timestamp_seconds", "gauge",
              "When the last run ended, whatever came of it.", std::to_string(run.at));
  text.metric("last_run_status", "gauge", "1 for the exit code of the last run.", "1",
              "code=" + label(std::to_string(code)));
  text.metric("duration_seconds", "gauge", "How long the last run took.",
              decimal(static_cast<double>(run.duration_ms) / 1000));
  text.gauge("files_changed", "Names that the last run made or changed.", run.counts.changed);
  text.gauge("files_deleted", "Names that the last run deleted.", run.counts.deleted);
}

}  // namespace

std::string metrics_text(const Status& status, int protocol_version) {
  Text text;
  text.metric(
      "build_info", "gauge", "The program that wrote this.", "1",
      "version=" + label(status.version) + ",protocol=" + label(std::to_string(protocol_version)));
  if (status.last_run) last_run(text, status);
  if (status.last_success) {
    text.metric("last_success_timestamp_seconds", "gauge",
                "When the last run that succeeded ended.", std::to_string(status.last_success->at));
    text.gauge("files_total", "Names of the source at the last run that succeeded.",
               status.last_success->counts.total);
  }
  text.gauge("paused", "1 while runs are paused.", status.paused ? 1 : 0);
  text.gauge("token_login_needed", "1 after the PIN of the software token changed.",
             status.pin_changed ? 1 : 0);
  if (!status.generation.empty()) {
    text.metric("generation", "gauge", "1 for the generation that this node holds.", "1",
                "id=" + label(status.generation));
  }
  text.counter("bytes_sent_total", "Bytes sent to the primary.", status.traffic.sent);
  text.counter("bytes_received_total", "Bytes received from the primary.", status.traffic.received);
  text.counter("bytes_literal_total", "Bytes of files that came over the wire.",
               status.traffic.literal);
  text.counter("bytes_matched_total", "Bytes of changed files that were here already.",
               status.traffic.matched);
  return text.take();
}

void write_metrics(const std::string& path, const Status& status, int protocol_version) {
  replace_file(path, metrics_text(status, protocol_version), 0644);
}

}  // namespace xs
