// SPDX-License-Identifier: MIT
#include "tests/companion/recovery/walk.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "tests/support/catch.h"

namespace xs::test {
namespace {

// SS2 and DB1, wherever they stand.
std::string with_names(std::string word) {
  for (std::size_t i = 0; i + 2 < word.size(); ++i) {
    const std::string two = word.substr(i, 2);
    if ((two != "SS" && two != "DB") || word[i + 2] < '1' || word[i + 2] > '9') continue;
    word[i] = static_cast<char>(word[i] + 32);
    word[i + 1] = static_cast<char>(word[i + 1] + 32);
  }
  return word;
}

// On a terminal it asks, as it must.
bool asks(const std::vector<std::string>& words) {
  return words.size() > 1 && words[0] == "xroad-sync" && words[1] == "trust";
}

// Its judgement of things that these machines have not: X-Road, systemd, a clock service.
bool judges(const std::vector<std::string>& words) {
  return words.size() > 1 && words[0] == "xroad-companion" && words[1] == "doctor";
}

}  // namespace

Walk::Walk(std::string_view heading, const std::vector<Machine*>& machines) {
  for (DocCommand& command : recovery_commands()) {
    if (command.heading == heading) commands_.push_back(std::move(command));
  }
  INFO(std::string(heading));
  REQUIRE_FALSE(commands_.empty());
  for (Machine* machine : machines) replace(*machine);
}

void Walk::replace(Machine& machine) { machines_[machine.name()] = &machine; }

void Walk::group(const std::string& block, const std::vector<std::string>& machines) {
  groups_[block] = machines;
}

std::vector<std::string> Walk::names(const std::string& block) const {
  if (const auto group = groups_.find(block); group != groups_.end()) return group->second;
  std::istringstream words(block);
  return {std::istream_iterator<std::string>(words), {}};
}

const Machine& Walk::machine(const std::string& name) const {
  const auto found = machines_.find(with_names(name));
  if (found == machines_.end()) throw std::runtime_error("no machine " + name);
  return *found->second;
}

Typed Walk::type(const Machine& machine, const DocCommand& command, int expected) const {
  std::vector<std::string> words;
  for (const std::string& word : command.words) words.push_back(with_names(word));
  Typed typed{command.line, machine.name(), {}};
  typed.ran = asks(words) ? machine.type_and_agree(words) : machine.type(words);
  INFO(machine.name() << "# " << command.line);
  INFO(typed.ran.out << typed.ran.err);
  if (!judges(words)) REQUIRE(typed.ran.code == expected);
  return typed;
}

std::vector<Typed> Walk::block(const std::string& begins, const std::map<std::size_t, int>& codes) {
  INFO(begins);
  REQUIRE(next_ < commands_.size());
  const std::size_t number = commands_[next_].number;
  INFO(commands_[next_].line);
  REQUIRE(with_names(commands_[next_].line).find(begins) != std::string::npos);
  const auto end =
      std::find_if(commands_.begin() + static_cast<std::ptrdiff_t>(next_), commands_.end(),
                   [number](const DocCommand& command) { return command.number != number; });
  const std::size_t after = static_cast<std::size_t>(end - commands_.begin());
  std::vector<Typed> all;
  for (const std::string& name : names(commands_[next_].block)) {
    for (std::size_t i = next_; i < after; ++i) {
      const auto code = codes.find(i - next_);
      all.push_back(type(machine(name), commands_[i], code == codes.end() ? 0 : code->second));
    }
  }
  REQUIRE_FALSE(all.empty());  // the block says where it is typed
  next_ = after;
  return all;
}

void Walk::done() const {
  if (next_ == commands_.size()) return;
  FAIL("not typed: " << commands_[next_].line);
}

}  // namespace xs::test
