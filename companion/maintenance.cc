// SPDX-License-Identifier: MIT
#include "companion/maintenance.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

using nlohmann::json;
constexpr std::size_t kFileLimit = 16U << 10;

}  // namespace

Maintenance::Maintenance(Wall wall, std::string state_file)
    : wall_(std::move(wall)), state_file_(std::move(state_file)) {
  if (!state_file_.empty()) load();
}

MaintenanceState Maintenance::state() const {
  const std::lock_guard hold(lock_);
  end_what_is_over();
  return state_;
}

// For good: a clock that is set back afterwards must not take the node out again.
void Maintenance::end_what_is_over() const {
  if (!state_.on || !state_.until || *state_.until > wall_()) return;
  spdlog::warn("maintenance mode is over: its end has come{}{}", state_.reason.empty() ? "" : ": ",
               escape(state_.reason));
  state_ = MaintenanceState();
  ended_ = true;
}

void Maintenance::sweep() {
  {
    const std::lock_guard hold(lock_);
    end_what_is_over();
    if (!std::exchange(ended_, false)) return;
  }
  if (!state_file_.empty()) save();
}

bool Maintenance::set(MaintenanceState next) {
  bool was_on = false;
  {
    const std::lock_guard hold(lock_);
    end_what_is_over();
    const MaintenanceState before = state_;
    was_on = before.on;
    if (next.on) next.since = before.on ? before.since : wall_();
    state_ = next.on ? std::move(next) : MaintenanceState();
  }
  if (!state_file_.empty()) save();
  return was_on;
}

void Maintenance::load() {
  try {
    const auto text = read_file_if_exists(state_file_, kFileLimit);
    if (text) state_ = parse_maintenance(*text);
  } catch (const Error& error) {
    spdlog::error("{}: {}: maintenance mode is on until somebody ends it", quote(state_file_),
                  error.text());
    state_ = MaintenanceState();
    state_.on = true;
    state_.reason = "the state from before the restart cannot be read";
    state_.since = wall_();
  }
}

void Maintenance::save() {
  const std::lock_guard one_writer(save_lock_);
  try {
    replace_file(state_file_, maintenance_json(state()), 0644);
  } catch (const Error& error) {
    spdlog::error("{}: the maintenance mode will not survive a restart", error.text());
  }
}

std::string maintenance_json(const MaintenanceState& state) {
  json object{{"maintenance", state.on}, {"drain", state.drain}, {"since", state.since}};
  object["reason"] = state.reason;
  if (state.until) object["until"] = *state.until;
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

MaintenanceState parse_maintenance(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  const auto is = [&](const char* key, json::value_t type) {
    const auto found = object.find(key);
    return found != object.end() &&
           (found->type() == type ||
            (type == json::value_t::number_integer && found->is_number_integer()));
  };
  if (!object.is_object() || !is("maintenance", json::value_t::boolean) ||
      !is("drain", json::value_t::boolean) || !is("since", json::value_t::number_integer) ||
      !is("reason", json::value_t::string) ||
      (object.contains("until") && !is("until", json::value_t::number_integer))) {
    throw Error(Fault::Io, "the maintenance state is not what we write: " + excerpt(text, 80));
  }
  MaintenanceState state;
  state.on = object["maintenance"].get<bool>();
  state.drain = object["drain"].get<bool>();
  state.reason = object["reason"].get<std::string>();
  state.since = object["since"].get<std::int64_t>();
  if (object.contains("until")) state.until = object["until"].get<std::int64_t>();
  return state;
}

}  // namespace xs
