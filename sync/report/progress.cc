// SPDX-License-Identifier: MIT
#include "sync/report/progress.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace xs {
namespace {

constexpr Duration kRedraw = std::chrono::milliseconds(100);

double seconds(Duration span) { return std::chrono::duration<double>(span).count(); }

std::string hours(double left) {
  constexpr double kMost = 9999.0 * 3600;
  if (!(left >= 0 && left <= kMost)) return "  ??:??:??";
  const auto whole = static_cast<unsigned>(left);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%4u:%02u:%02u", whole / 3600, whole / 60 % 60,
                whole % 60);
  return text.data();
}

}  // namespace

ProgressLine::ProgressLine(Clock& clock, std::function<void(std::string_view)> write, Human human)
    : clock_(clock), write_(std::move(write)), human_(human), start_(clock.now()) {}

void ProgressLine::update(const Progress& progress) {
  last_ = progress;
  const Instant now = clock_.now();
  if (shown_ && now - drawn_ < kRedraw) return;
  drawn_ = now;
  shown_ = true;
  write_(line(now, false));
}

void ProgressLine::finish() {
  if (!shown_) return;
  write_(line(clock_.now(), true) + "\n");
  shown_ = false;
}

std::string ProgressLine::line(Instant now, bool last) const {
  const double passed = seconds(now - start_);
  const auto done = static_cast<double>(last_.bytes_done);
  const auto total = static_cast<double>(std::max(last_.bytes_total, last_.bytes_done));
  const int percent =
      last_.bytes_done >= last_.bytes_total ? 100 : static_cast<int>(100 * done / total);
  double rate = passed > 0 ? done / passed / 1024 : 0;
  const double left = last ? passed : rate > 0 ? (total - done) / (rate * 1024) : 0;
  const char* unit = "kB/s";
  if (rate > 1024.0 * 1024.0) {
    rate /= 1024.0 * 1024.0;
    unit = "GB/s";
  } else if (rate > 1024.0) {
    rate /= 1024.0;
    unit = "MB/s";
  }
  const std::uint64_t files = std::max(last_.files_total, last_.files_done);
  std::array<char, 200> text{};
  std::snprintf(text.data(), text.size(), "\r%15s %3d%% %7.2f%s %s (xfr#%llu, to-chk=%llu/%llu)",
                show_number(last_.bytes_done, human_).c_str(), percent, rate, unit,
                hours(left).c_str(), static_cast<unsigned long long>(last_.files_done),
                static_cast<unsigned long long>(files - last_.files_done),
                static_cast<unsigned long long>(files));
  return text.data();
}

bool wants_progress(int fd, bool asked, bool quiet) {
  if (quiet) return false;
  if (asked) return true;
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

}  // namespace xs
