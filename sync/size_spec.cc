// SPDX-License-Identifier: MIT
#include "sync/size_spec.h"

#include <cmath>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr double kMost = 9.0e18;
constexpr std::uint64_t kSlowest = 512;

class SizeParser {
 public:
  SizeParser(std::string_view option, std::string_view text) : option_(option), text_(text) {}

  std::uint64_t run(char unit) {
    double size = number();
    size *= factor(unit);
    if (size > kMost) fail("too large");
    const auto whole = static_cast<std::uint64_t>(size);
    const std::string_view rest = text_.substr(at_);
    if (rest == "+1") return whole + 1;
    if (rest == "-1" && whole > 0) return whole - 1;
    if (!rest.empty()) fail("unexpected text");
    return whole;
  }

 private:
  char now() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool is_digit() const { return now() >= '0' && now() <= '9'; }
  // The letter in capitals.
  char letter() const {
    return now() >= 'a' && now() <= 'z' ? static_cast<char>(now() - 32) : now();
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Fault::Usage, std::string(option_) + "=" + quote(text_) + ": " + what +
                                  ", at byte " + std::to_string(at_ + 1));
  }

  double number() {
    double value = 0;
    double place = 1;
    bool point = false;
    bool any = false;
    for (;; ++at_) {
      if (now() == '.' && !point) {
        point = true;
      } else if (is_digit()) {
        any = true;
        if (point) place /= 10;
        value = point ? value + place * (now() - '0') : value * 10 + (now() - '0');
      } else {
        break;
      }
    }
    if (!any) fail("expected a number");
    return value;
  }

  double factor(char unit) {
    constexpr std::string_view kUnits = "BKMGTP";
    const bool given = at_ < text_.size() && kUnits.find(letter()) != std::string_view::npos;
    if (given) unit = letter();
    const auto power = static_cast<double>(kUnits.find(unit));
    if (!given) return std::pow(1024.0, power);
    ++at_;
    if (unit == 'B') return 1;
    if (letter() == 'B') return ++at_, std::pow(1000.0, power);
    if (letter() == 'I') {
      ++at_;
      if (letter() != 'B') fail("expected iB");
      ++at_;
    }
    return std::pow(1024.0, power);
  }

  const std::string_view option_;
  const std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::uint64_t parse_size(std::string_view option, std::string_view text, char unit) {
  return SizeParser(option, text).run(unit);
}

std::uint64_t parse_rate(std::string_view text) {
  const std::uint64_t rate = parse_size("--bwlimit", text, 'K');
  if (rate == 0 || rate >= kSlowest) return rate;
  throw Error(Fault::Usage, "--bwlimit=" + quote(text) + ": less than 512 bytes a second");
}

}  // namespace xs
