// SPDX-License-Identifier: MIT
#include "companion/checks/memory.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"

namespace xs {
namespace {

std::optional<std::uint64_t> number_in(const nlohmann::json& json, const char* name) {
  const auto value = json.find(name);
  if (value == json.end() || !value->is_number_unsigned()) return std::nullopt;
  return value->get<std::uint64_t>();
}

// As X-Road counts: whole percents, cut off. Proxies before usedPercent tell what it is made of.
std::optional<std::uint64_t> percent_in(const nlohmann::json& json) {
  if (!json.is_object()) return std::nullopt;
  if (const auto percent = number_in(json, "usedPercent")) return percent;
  const auto total = number_in(json, "totalMemory");
  const auto free = number_in(json, "freeMemory");
  const auto max = number_in(json, "maxMemory");
  constexpr std::uint64_t kLargest = UINT64_MAX / 100;
  if (!total || !free || !max || *max == 0 || *free > *total || *total > kLargest) {
    return std::nullopt;
  }
  return (*total - *free) * 100 / *max;
}

}  // namespace

MemoryCheck::MemoryCheck(MemorySettings settings) : settings_(std::move(settings)) {}

Verdict MemoryCheck::ask(Clock& clock, Instant deadline) {
  const std::string subject = settings_.proxy_admin.text();
  const HttpReply reply = http_get(settings_.proxy_admin, clock, deadline);
  if (reply.status != 200) {
    throw Error(Fault::Protocol, subject + " answers with status " + std::to_string(reply.status));
  }
  const auto percent = percent_in(nlohmann::json::parse(reply.body, nullptr, false));
  if (!percent) {
    throw Error(Fault::Protocol, subject + " does not tell the memory usage of a proxy");
  }
  const std::string detail = "the proxy uses " + std::to_string(*percent) +
                             " % of its largest heap, the threshold is " +
                             std::to_string(settings_.threshold) + " %";
  const bool above = *percent > settings_.threshold;
  return {!above,
          above ? "Memory usage above threshold" : "",
          detail,
          {{"used_percent", static_cast<double>(*percent)}}};
}

}  // namespace xs
