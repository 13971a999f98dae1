// SPDX-License-Identifier: MIT
#include "sync/mode_spec.h"

#include <sys/stat.h>

#include <string>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::uint32_t kAll = 07777;
constexpr std::uint32_t kRights = 0777;
constexpr std::uint32_t kAnyExecute = 0111;

std::uint32_t three_bits(std::uint32_t mode, char who) {
  return (mode >> (who == 'u' ? 6 : who == 'g' ? 3 : 0)) & 7;
}

}  // namespace

// One specification, clause by clause.
class ModeSpec::Parser {
 public:
  Parser(std::string_view spec, std::uint32_t mask) : spec_(spec), mask_(mask & kRights) {}

  std::vector<Clause> run() {
    std::vector<Clause> clauses;
    for (;;) {
      clauses.push_back(clause());
      if (at_ == spec_.size()) return clauses;
      ++at_;  // the comma
    }
  }

 private:
  char now() const { return at_ < spec_.size() ? spec_[at_] : ','; }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Fault::Usage,
                "--chmod=" + quote(spec_) + ": " + what + ", at byte " + std::to_string(at_ + 1));
  }

  Clause clause() {
    Clause made;
    for (; now() == 'D' || now() == 'F'; ++at_) {
      (now() == 'D' ? made.files : made.dirs) = false;
    }
    if (!made.dirs && !made.files) fail("D and F together choose nothing");
    if (now() >= '0' && now() <= '9') {
      made.bits = octal();
      made.clears = kAll;
      return made;
    }
    const std::uint32_t who = people();
    made.sign = sign();
    rights(made, who);
    return made;
  }

  std::uint32_t octal() {
    std::uint32_t mode = 0;
    for (; now() != ','; ++at_) {
      if (now() < '0' || now() > '7') fail("no octal digit");
      mode = mode * 8 + static_cast<std::uint32_t>(now() - '0');
      if (mode > kAll) fail("larger than 7777");
    }
    return mode;
  }

  // As a mask of the x bits of those who are meant, with the set-id bits that are theirs.
  std::uint32_t people() {
    std::uint32_t who = 0;
    for (;; ++at_) {
      switch (now()) {
        case 'u': who |= 04100; break;
        case 'g': who |= 02010; break;
        case 'o': who |= 00001; break;
        case 'a': who |= 06111; break;
        default: return who;
      }
    }
  }

  Sign sign() {
    switch (now()) {
      case '+': return ++at_, Sign::Add;
      case '-': return ++at_, Sign::Remove;
      case '=': return ++at_, Sign::Set;
      default: fail("expected u, g, o, a, +, -, = or an octal mode");
    }
  }

  void rights(Clause& made, std::uint32_t who) {
    const bool everybody = who == 0;
    const std::uint32_t spread = everybody ? kAnyExecute : who & kAnyExecute;
    // Without u, g, o or a the umask's bits are left alone by what comes, and not by what goes.
    const std::uint32_t allowed = everybody ? kAll & ~mask_ : kAll;
    if (made.sign == Sign::Set) made.clears = everybody ? 06777 : spread * 7 | (who & 06000);
    if (now() == 'u' || now() == 'g' || now() == 'o') {
      made.copies = now();
      made.bits = spread * 7 & allowed;
      if (++at_; now() != ',') fail("only one of u, g and o can be copied, and nothing beside it");
      return;
    }
    std::uint32_t each = 0;
    for (; now() != ','; ++at_) {
      switch (now()) {
        case 'r': each |= 4; break;
        case 'w': each |= 2; break;
        case 'X': made.only_where_executable = true; [[fallthrough]];
        case 'x': each |= 1; break;
        case 's': made.bits |= (who & 06000) != 0 ? who & 06000 : 04000; break;
        case 't': made.bits |= 01000; break;
        default: fail("expected r, w, x, X, s or t");
      }
    }
    made.bits |= spread * each & allowed;
  }

  const std::string_view spec_;
  const std::uint32_t mask_;
  std::size_t at_ = 0;
};

void ModeSpec::add(std::string_view spec, std::uint32_t mask) {
  const std::vector<Clause> more = Parser(spec, mask).run();
  clauses_.insert(clauses_.end(), more.begin(), more.end());
}

std::uint32_t ModeSpec::apply(std::uint32_t mode, bool is_dir) const {
  const bool executable = is_dir || (mode & kAnyExecute) != 0;
  for (const Clause& clause : clauses_) {
    if (is_dir ? !clause.dirs : !clause.files) continue;
    std::uint32_t bits = clause.bits;
    if (clause.copies != 0) bits &= three_bits(mode, clause.copies) * kAnyExecute;
    if (clause.sign == Sign::Remove) {
      mode &= ~bits;
      continue;
    }
    if (clause.only_where_executable && !executable) bits &= ~kAnyExecute;
    mode = (mode & ~clause.clears) | bits;
  }
  return mode & kAll;
}

}  // namespace xs
