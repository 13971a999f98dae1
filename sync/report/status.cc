// SPDX-License-Identifier: MIT
#include "sync/report/status.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::size_t kLargest = std::size_t{64} << 10;

std::string text_of(const std::string& text) { return is_utf8(text) ? text : escape(text); }

// ---- writing

Json json_of(const StatusRun& run) {
  const StatusCounts& counts = run.counts;
  return {{"at", run.at},
          {"duration_ms", run.duration_ms},
          {"total", counts.total},
          {"changed", counts.changed},
          {"deleted", counts.deleted},
          {"problems", counts.problems},
          {"sent", counts.sent},
          {"received", counts.received},
          {"literal", counts.literal},
          {"matched", counts.matched}};
}

Json json_of(const StatusPause& pause) {
  Json json = {
      {"by", text_of(pause.by)}, {"reason", text_of(pause.reason)}, {"since", pause.since}};
  if (pause.until) json["until"] = *pause.until;
  return json;
}

Json json_of(const Status& status) {
  Json json = {{"v", kVersion},
               {"version", text_of(status.version)},
               {"node", text_of(status.node)},
               {"primary", text_of(status.primary)},
               {"generation", text_of(status.generation)},
               {"kept", status.kept}};
  json["traffic"] = {{"sent", status.traffic.sent},
                     {"received", status.traffic.received},
                     {"literal", status.traffic.literal},
                     {"matched", status.traffic.matched}};
  if (status.last_run) json["last_run"] = json_of(*status.last_run);
  if (status.last_success) json["last_success"] = json_of(*status.last_success);
  if (status.failure) {
    json["failure"] = {{"exit", status.failure->exit},
                       {"kind", text_of(status.failure->kind)},
                       {"text", text_of(status.failure->text)}};
  }
  if (status.paused) json["paused"] = json_of(*status.paused);
  if (status.pin_changed) json["pin_changed"] = *status.pin_changed;
  if (status.next_run) json["next_run"] = *status.next_run;
  return json;
}

// ---- reading

// An object of somebody else's: what is missing keeps its default, what is of another type is
// noted.
class Reader {
 public:
  Reader(const Json& json, std::string& why) : json_(json), why_(why) {}

  Reader& text(const char* name, std::string& to) {
    const Json* value = find(name);
    if (value == nullptr) return *this;
    if (value->is_string()) {
      to = value->get<std::string>();
    } else {
      odd(name);
    }
    return *this;
  }

  template <class T>
  Reader& number(const char* name, T& to) {
    const Json* value = find(name);
    if (value == nullptr) return *this;
    const bool fits = value->is_number_unsigned()
                          ? value->get<std::uint64_t>() <=
                                static_cast<std::uint64_t>(std::numeric_limits<T>::max())
                          : value->is_number_integer() && std::is_signed_v<T> &&
                                value->get<std::int64_t>() >=
                                    static_cast<std::int64_t>(std::numeric_limits<T>::min());
    if (fits) {
      to = value->get<T>();
    } else {
      odd(name);
    }
    return *this;
  }

  Reader& time(const char* name, std::optional<WallSeconds>& to) {
    WallSeconds value = 0;
    if (find(name) == nullptr) return *this;
    const std::size_t before = why_.size();
    number(name, value);
    if (why_.size() == before) to = value;
    return *this;
  }

  template <class T>
  Reader& object(const char* name, std::optional<T>& to, void (*read)(Reader, T&)) {
    const Json* value = find(name);
    if (value == nullptr) return *this;
    if (value->is_object()) {
      read(Reader(*value, why_), to.emplace());
    } else {
      odd(name);
    }
    return *this;
  }

 private:
  const Json* find(const char* name) const {
    const auto at = json_.find(name);
    return at == json_.end() ? nullptr : &*at;
  }
  void odd(const char* name) {
    why_ += (why_.empty() ? "" : ", ") + ("'" + std::string(name) + "' is not what it should be");
  }

  const Json& json_;
  std::string& why_;
};

void read_run(Reader from, StatusRun& run) {
  StatusCounts& counts = run.counts;
  from.number("at", run.at)
      .number("duration_ms", run.duration_ms)
      .number("total", counts.total)
      .number("changed", counts.changed)
      .number("deleted", counts.deleted)
      .number("problems", counts.problems)
      .number("sent", counts.sent)
      .number("received", counts.received)
      .number("literal", counts.literal)
      .number("matched", counts.matched);
}

void read_failure(Reader from, StatusFailure& failure) {
  from.number("exit", failure.exit).text("kind", failure.kind).text("text", failure.text);
}

void read_pause(Reader from, StatusPause& pause) {
  from.text("by", pause.by).text("reason", pause.reason).number("since", pause.since);
  from.time("until", pause.until);
}

void read_traffic(Reader from, StatusTraffic& traffic) {
  from.number("sent", traffic.sent)
      .number("received", traffic.received)
      .number("literal", traffic.literal)
      .number("matched", traffic.matched);
}

void read_status(Reader from, Status& status) {
  std::optional<StatusTraffic> traffic;
  from.text("version", status.version)
      .text("node", status.node)
      .text("primary", status.primary)
      .text("generation", status.generation)
      .number("kept", status.kept)
      .object("traffic", traffic, read_traffic)
      .object("last_run", status.last_run, read_run)
      .object("last_success", status.last_success, read_run)
      .object("failure", status.failure, read_failure)
      .object("paused", status.paused, read_pause)
      .time("pin_changed", status.pin_changed)
      .time("next_run", status.next_run);
  status.traffic = traffic.value_or(StatusTraffic{});
}

void count_traffic(Status& status, const StatusRun& run) {
  status.traffic.sent += run.counts.sent;
  status.traffic.received += run.counts.received;
  status.traffic.literal += run.counts.literal;
  status.traffic.matched += run.counts.matched;
}

}  // namespace

Status after_success(Status before, StatusRun run, std::string generation, std::uint64_t kept) {
  count_traffic(before, run);
  before.last_run = run;
  before.last_success = run;
  before.generation = std::move(generation);
  before.kept = kept;
  before.failure.reset();
  before.paused.reset();
  return before;
}

// It was no sync: how the last one went is still true.
Status after_rollback(Status before, std::uint64_t kept) {
  before.generation.clear();
  before.kept = kept;
  return before;
}

Status after_failure(Status before, StatusRun run, const Error& error) {
  count_traffic(before, run);
  before.last_run = run;
  before.failure = {exit_code(error.fault()), std::string(describe(error.fault()).name),
                    error.text()};
  before.paused.reset();
  return before;
}

Status after_pause(Status before, StatusRun run, StatusPause pause) {
  before.last_run = run;
  before.paused = std::move(pause);
  return before;
}

std::string to_json(const Status& status) {
  return json_of(status).dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string to_json(const Status& status, const StatusRunning& running) {
  Json json = json_of(status);
  json["running"] = running.known ? Json(false) : Json(nullptr);
  if (running.known && running.process) {
    json["running"] = {{"process", *running.process}, {"since", running.since}};
  }
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

StatusFile parse_status(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) return {StatusRead::Broken, "it is no JSON object", {}};
  const auto version = parsed.find("v");
  if (version == parsed.end() || !version->is_number_unsigned()) {
    return {StatusRead::Broken, "it does not say its version", {}};
  }
  if (*version != kVersion) {
    return {StatusRead::OtherVersion, "it has version " + version->dump(), {}};
  }
  StatusFile file;
  read_status(Reader(parsed, file.why), file.status);
  file.read = file.why.empty() ? StatusRead::Found : StatusRead::Broken;
  return file;
}

void write_status(const std::string& path, const Status& status) {
  replace_file(path, to_json(status), 0644);
}

StatusFile read_status(const std::string& path) {
  try {
    const auto bytes = read_file_if_exists(path, kLargest);
    if (!bytes) return {StatusRead::Absent, quote(path) + " is not there: no run yet?", {}};
    StatusFile file = parse_status(*bytes);
    if (!file.why.empty()) file.why = quote(path) + ": " + file.why;
    return file;
  } catch (const Error& error) {
    return {StatusRead::Unreadable, error.text(), {}};
  }
}

}  // namespace xs
