// SPDX-License-Identifier: MIT
#include "sync/report/run_log.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

namespace xs {
namespace {

std::string stamp(std::time_t now) {
  std::tm local{};
  std::array<char, 32> text{};
  if (::localtime_r(&now, &local) == nullptr) return std::to_string(now);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y/%m/%d %H:%M:%S", &local)};
}

// What was left alone and why, then what there is to know.
std::vector<std::string> remarks(const RunReport& report) {
  std::vector<std::string> lines;
  lines.reserve(report.problems.size() + report.stayed.size() + report.notices.size());
  for (const Problem& problem : report.problems) {
    lines.push_back("left alone: " + quote(problem.path) + ": " + problem.what);
  }
  for (const Problem& problem : report.stayed) {
    lines.push_back("cannot delete non-empty directory: " + escape(problem.path));
  }
  lines.insert(lines.end(), report.notices.begin(), report.notices.end());
  return lines;
}

std::vector<std::string> item_lines(RunReport& report, const ItemFormat& format) {
  order_as_rsync(report.details, report.deletions);
  std::vector<std::string> lines;
  for (const ChangeDetail& detail : report.details) {
    if (format.shows(detail.change)) lines.push_back(format.line(detail, report.context));
  }
  return lines;
}

std::string plain_totals(const RunStats& stats) {
  return "sent " + std::to_string(stats.sent) + " bytes  received " +
         std::to_string(stats.received) + " bytes  total size " + std::to_string(stats.total_size) +
         (stats.dry_run ? " (DRY RUN)" : "");
}

}  // namespace

RunLog::RunLog(std::string path, ItemFormat format, Now now)
    : path_(std::move(path)), format_(std::move(format)), now_(now) {}

std::string RunLog::stamped(std::string_view line) const {
  return stamp(now_()) + " [" + std::to_string(::getpid()) + "] " + escape_again(line) + "\n";
}

std::string RunLog::items_text(RunReport report) const {
  report.context.time = stamp(now_());
  report.context.pid = ::getpid();
  std::string out;
  for (const std::string& line : item_lines(report, format_)) out += stamped(line);
  for (const std::string& line : remarks(report)) out += stamped(line);
  return out;
}

std::string RunLog::text(const RunReport& report, bool verbose) const {
  std::string out = stamped("receiving file list") + items_text(report);
  if (!verbose) return out + stamped(plain_totals(report.stats));
  const std::string both = totals(report.stats, Human::Grouped).substr(1);
  const std::size_t middle = both.find('\n');
  const std::string_view lines = both;
  return out + stamped(lines.substr(0, middle)) +
         stamped(lines.substr(middle + 1, lines.size() - middle - 2));
}

std::string RunLog::failure_text(const Error& error, std::string_view program) const {
  return stamped(failure_line(error, program));
}

std::string RunLog::note_text(std::string_view sentence) const { return stamped(sentence); }

void RunLog::write(std::string_view text) const {
  const Fd file = open_log_file(path_);
  while (!text.empty()) text.remove_prefix(write_some(file.get(), text, path_).value_or(0));
}

std::string output_of(RunReport report, const OutputStyle& style) {
  std::string out = style.verbose ? "receiving file list ... done\n" : "";
  report.context.time = stamp(std::time(nullptr));
  report.context.pid = ::getpid();
  if (style.items != nullptr) {
    for (const std::string& line : item_lines(report, *style.items)) out += line + "\n";
  }
  for (const std::string& line : remarks(report)) out += escape_again(line) + "\n";
  if (style.stats) out += stats_block(report.stats, style.human);
  if (style.stats || style.verbose) out += totals(report.stats, style.human);
  return out;
}

std::string failure_line(const Error& error, std::string_view program) {
  return std::string(program) + " error: " + escape_again(error.text()) + " (code " +
         std::to_string(exit_code(error.fault())) + ")";
}

}  // namespace xs
