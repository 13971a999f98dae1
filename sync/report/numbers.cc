// SPDX-License-Identifier: MIT
#include "sync/report/numbers.h"

#include <array>
#include <cstdio>

namespace xs {
namespace {

std::string fixed(double value, int decimals) {
  std::array<char, 400> text{};  // the longest double has 309 digits before its point
  const int size = std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string grouped(std::string digits) {
  std::size_t at = digits.find('.');
  if (at == std::string::npos) at = digits.size();
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  while (at > first + 3) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string with_unit(double value, double unit) {
  constexpr std::array<char, 5> kUnits{'K', 'M', 'G', 'T', 'P'};
  value /= unit;
  std::size_t at = 0;
  for (; value >= unit && at + 1 < kUnits.size(); ++at) value /= unit;
  return fixed(value, 2) + kUnits[at];
}

double unit_of(Human human) { return human == Human::Binary ? 1024 : 1000; }
bool scaled(Human human) { return human == Human::Thousands || human == Human::Binary; }

}  // namespace

std::string show_number(std::uint64_t value, Human human) {
  const auto real = static_cast<double>(value);
  if (scaled(human) && real >= unit_of(human)) return with_unit(real, unit_of(human));
  const std::string digits = std::to_string(value);
  return human == Human::Plain ? digits : grouped(digits);
}

std::string show_number(double value, Human human, int decimals) {
  if (scaled(human) && value >= unit_of(human)) return with_unit(value, unit_of(human));
  const std::string digits = fixed(value, decimals);
  return human == Human::Plain ? digits : grouped(digits);
}

std::string show_grouped(double value, int decimals) { return grouped(fixed(value, decimals)); }

}  // namespace xs
