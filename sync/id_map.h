// SPDX-License-Identifier: MIT
// IdMap: which user or group of the source becomes which one here (--usermap, --groupmap, --chown).
// Parsed once a run by the transfer policy; FROM is a name, a pattern, a number, LOW-HIGH, or
// nothing (whoever has no name); TO is a name or a number of this machine. The first match wins.
// Usage errors quote the specification and give the byte position.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/messages.h"
#include "sync/transfer.h"
#include "sync/wildmatch.h"

namespace xs {

class IdMap {
 public:
  // The number that this machine has for a name or a number; nothing: it knows no such name.
  using Resolve = std::function<std::optional<std::uint32_t>(const Principal&)>;

  IdMap() = default;
  // `option`, for messages: "--usermap".
  IdMap(std::string_view option, std::string_view spec, const Resolve& resolve);

  bool empty() const { return rules_.empty(); }
  // The number that somebody of the source has here; nothing: no rule matches.
  std::optional<std::uint32_t> find(const Principal& from) const;

 private:
  struct Range {
    std::uint32_t low, high;
  };
  using From = std::variant<Range, std::string, Wildcard>;
  struct Rule {
    From from;
    std::uint32_t to;
  };
  class Parser;

  std::vector<Rule> rules_;
};

// --chown=USER:GROUP as the maps that it stands for; either half may be missing.
void add_chown(TransferRules& rules, std::string_view spec);

}  // namespace xs
