// SPDX-License-Identifier: MIT
// Events: --json, one JSON object a line: {"v":1,"event":...,"ts":...,"run_id":...,...}. Written by
// the command line while a run goes on; docs/events.schema.json has every kind. A name that is not
// UTF-8 has its bytes in path_b64 beside the escaped path. Whole lines go to the sink; what the
// sink throws comes out.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sync/report/itemize.h"
#include "sync/report/stats.h"

namespace xs {

using WallTime = std::chrono::system_clock::time_point;

std::string rfc3339(WallTime when);  // "2026-11-20T17:09:41.123Z"
std::string base64(std::string_view bytes);
// 16 hex digits.
std::string show_run_id(std::uint64_t run_id);

// How a run ended. `status` is the first word of `status`: ok, paused, failed.
struct RunEnd {
  std::string status;
  int exit = 0;
  bool changed = false;
  Duration duration{};
  std::uint64_t sent = 0, received = 0;
};

class EventWriter {
 public:
  EventWriter(std::function<void(std::string_view)> sink, std::uint64_t run_id,
              std::function<WallTime()> now = std::chrono::system_clock::now);

  void run_start(std::string_view version, std::string_view source, std::string_view destination,
                 bool dry_run);
  void connected(std::string_view host, std::string_view address, std::string_view version);
  void plan(std::uint64_t files, std::uint64_t bytes, std::uint64_t deletes);
  void file(const ChangeDetail& detail, const ItemStyle& style);
  void commit(const Digest& generation, Duration window);
  void hook(std::string_view name, int exit);
  void notice(std::string_view code, std::string_view text);  // pin-changed, recovered, forced...
  void warning(std::string_view text, const std::optional<std::string>& path = {});
  // `hint`: what to do; by the class of the failure when it is empty.
  void error(const Error& failure, std::string_view path = {}, std::string_view hint = {});
  void run_end(const RunEnd& end);

 private:
  class Line;
  std::function<void(std::string_view)> sink_;
  std::string run_id_;
  std::function<WallTime()> now_;
};

// What an administrator does about a failure of this class, in one sentence.
std::string_view hint_for(Fault fault);

}  // namespace xs
