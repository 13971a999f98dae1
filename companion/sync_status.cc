// SPDX-License-Identifier: MIT
#include "companion/sync_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kLargest = 64U << 10;

// nullptr: not there, or the parent is no object.
const Json* find(const Json* in, const char* name) {
  if (in == nullptr || !in->is_object()) return nullptr;
  const auto at = in->find(name);
  return at == in->end() ? nullptr : &*at;
}

std::string text_in(const Json* in, const char* name) {
  const Json* value = find(in, name);
  if (value == nullptr || !value->is_string()) return "";
  return excerpt(value->get_ref<const std::string&>(), 300);
}

std::optional<std::int64_t> time_in(const Json* in, const char* name) {
  const Json* value = find(in, name);
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  const auto seconds = value->get<std::uint64_t>();
  // Far beyond any date, and differences still fit.
  constexpr std::uint64_t kLast = std::uint64_t{1} << 40U;
  if (seconds > kLast) return std::nullopt;
  return static_cast<std::int64_t>(seconds);
}

std::optional<double> number_in(const Json* in, const char* name) {
  const Json* value = find(in, name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

bool is_generation(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

SyncStatus parse_sync_status(std::string_view text) {
  SyncStatus status;
  const Json json = Json::parse(text, nullptr, false);
  const Json* version = find(&json, "v");
  if (version == nullptr || !version->is_number_unsigned()) {
    status.trouble = "it is no status of xroad-sync";
    return status;
  }
  if (*version != kVersion) {
    status.trouble =
        "it has version " + escape(version->dump()) + ", which this companion does not know";
    return status;
  }
  status.generation = text_in(&json, "generation");
  status.primary = text_in(&json, "primary");
  status.last_run = time_in(find(&json, "last_run"), "at");
  status.last_success = time_in(find(&json, "last_success"), "at");
  status.pin_changed = time_in(&json, "pin_changed");
  if (const Json* failure = find(&json, "failure")) {
    status.failure = text_in(failure, "kind") + ": " + text_in(failure, "text");
  }
  if (const Json* paused = find(&json, "paused")) {
    status.paused_by = text_in(paused, "by");
    status.paused_since = time_in(paused, "since");
    status.paused_until = time_in(paused, "until");
    // A pause that does not say its beginning would excuse an old sync for ever.
    if (!status.paused_since) status.trouble = "its pause has no beginning";
  }
  return status;
}

SyncStatus read_sync_status(const std::string& path) {
  SyncStatus status;
  try {
    const auto bytes = read_file_if_exists(path, kLargest);
    if (bytes) {
      status = parse_sync_status(*bytes);
    } else {
      status.trouble = "not there: has xroad-sync run on this node?";
    }
    if (!status.trouble.empty()) status.trouble = quote(path) + ": " + status.trouble;
  } catch (const Error& error) {
    status.trouble = error.text();
  }
  return status;
}

PeerSync peer_sync(const HttpReply& reply) {
  PeerSync peer;
  if (reply.status != 200) return peer;
  const Json json = Json::parse(reply.body, nullptr, false);
  const std::string generation = text_in(&json, "generation");
  if (is_generation(generation)) peer.generation = generation;
  const Json* away = find(find(&json, "maintenance"), "maintenance");
  peer.waits = away != nullptr && away->is_boolean() && away->get<bool>();
  const Json* checks = find(&json, "checks");
  if (checks == nullptr || !checks->is_array()) return peer;
  for (const Json& check : *checks) {
    if (text_in(&check, "check") != "sync-age") continue;
    const Json* measured = find(&check, "measured");
    const std::optional<double> age = number_in(measured, "age_seconds");
    if (age) peer.age = static_cast<std::int64_t>(std::clamp(*age, 0.0, 1e12));
    peer.waits = peer.waits || number_in(measured, "paused").value_or(0) != 0;
  }
  return peer;
}

}  // namespace xs
