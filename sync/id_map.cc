// SPDX-License-Identifier: MIT
#include "sync/id_map.h"

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::string_view kDigits = "0123456789";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool matches(const std::string& name, const Principal& one) { return one.name == name; }
bool matches(const Wildcard& pattern, const Principal& one) { return pattern.matches(one.name); }

}  // namespace

class IdMap::Parser {
 public:
  Parser(std::string_view option, std::string_view spec, const Resolve& resolve)
      : option_(option), spec_(spec), resolve_(resolve) {}

  std::vector<Rule> run() {
    std::vector<Rule> rules;
    for (;;) {
      const std::size_t end = std::min(spec_.find(',', at_), spec_.size());
      rules.push_back(rule(spec_.substr(at_, end - at_)));
      if (end == spec_.size()) return rules;
      at_ = end + 1;
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Fault::Usage, std::string(option_) + "=" + quote(spec_) + ": " + what +
                                  ", at byte " + std::to_string(at_ + 1));
  }

  Rule rule(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) fail("expected FROM:TO");
    From from = source(text.substr(0, colon));
    at_ += colon + 1;
    return {std::move(from), destination(text.substr(colon + 1))};
  }

  From source(std::string_view text) const {
    if (!text.empty() && is_digit(text.front())) return range(text);
    if (text.find_first_of("*?[") != std::string_view::npos) return Wildcard(text);
    return std::string(text);
  }

  Range range(std::string_view text) const {
    const std::size_t dash = text.find('-');
    const std::uint32_t low = number(text.substr(0, dash));
    if (dash == std::string_view::npos) return {low, low};
    const std::uint32_t high = number(text.substr(dash + 1));
    if (high < low) fail("a range that holds nothing");
    return {low, high};
  }

  std::uint32_t number(std::string_view text) const {
    const auto value = parse_number(text);
    // The highest number means "nobody in particular" to chown(2).
    if (!value || *value >= ~std::uint32_t{0}) fail("expected a number or LOW-HIGH");
    return static_cast<std::uint32_t>(*value);
  }

  std::uint32_t destination(std::string_view text) const {
    if (text.empty()) fail("nobody is named behind the colon");
    if (text.find_first_not_of(kDigits) == std::string_view::npos) return number(text);
    const auto found = resolve_({std::string(text), 0});
    if (!found) fail(quote(text) + " is unknown here");
    return *found;
  }

  const std::string_view option_;
  const std::string_view spec_;
  const Resolve& resolve_;
  std::size_t at_ = 0;
};

IdMap::IdMap(std::string_view option, std::string_view spec, const Resolve& resolve)
    : rules_(Parser(option, spec, resolve).run()) {}

std::optional<std::uint32_t> IdMap::find(const Principal& from) const {
  for (const Rule& rule : rules_) {
    const bool hit = std::visit(
        [&from](const auto& wanted) {
          if constexpr (std::is_same_v<std::decay_t<decltype(wanted)>, Range>) {
            return from.id >= wanted.low && from.id <= wanted.high;
          } else {
            return matches(wanted, from);
          }
        },
        rule.from);
    if (hit) return rule.to;
  }
  return std::nullopt;
}

void add_chown(TransferRules& rules, std::string_view spec) {
  const std::size_t colon = spec.find(':');
  const std::string_view user = spec.substr(0, colon);
  const std::string_view group =
      colon == std::string_view::npos ? std::string_view() : spec.substr(colon + 1);
  const auto add = [spec](std::vector<std::string>& maps, std::string_view name) {
    if (name.empty()) return;
    if (name.find(',') != std::string_view::npos) {
      throw Error(Fault::Usage, "--chown=" + quote(spec) + ": expected USER:GROUP, without commas");
    }
    maps.push_back("*:" + std::string(name));
  };
  add(rules.user_maps, user);
  add(rules.group_maps, group);
}

}  // namespace xs
