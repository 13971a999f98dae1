// SPDX-License-Identifier: MIT
// Walk: one chapter of docs/recovery.md, typed on machines. Its blocks of commands come one after
// the other, as they stand there, on the machines that each block names (```sh SS2 SS3); what the
// chapter only tells between them the test does. A name in capitals is a machine's in small
// letters; nothing else of a line is changed. A chapter with a command that no test has typed is a
// failure: done() asks for that, and kChapters, against the document, for whole chapters.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/companion/recovery/machine.h"
#include "tests/companion/upgrade/recovery_doc.h"

namespace xs::test {

struct Chapter {
  std::string_view heading;
  std::string_view test;  // the case that types it
};
inline constexpr auto kChapters = std::to_array<Chapter>({
    {"Recovery, fail-over and upgrade", "recovery: a secondary's database, then the secondary"},
    {"Which case is it?", "recovery: a secondary's database, then the secondary"},
    {"The database of a secondary", "recovery: a secondary's database, then the secondary"},
    {"A secondary", "recovery: a secondary's database, then the secondary"},
    {"The database of the primary", "recovery: the primary's database"},
    {"The primary", "recovery: the primary"},
    {"All databases", "recovery: all databases"},
    {"Central Server", "recovery: a Central Server's databases"},
    {"A synchronous warm standby", "recovery: a synchronous warm standby"},
    {"Certificates that end", "recovery: certificates that end"},
    {"A rolling upgrade", "recovery: a rolling upgrade, and what can happen in it"},
});

// What was typed, and how each line ended: by machine, then by line.
struct Typed {
  std::string line;
  std::string machine;
  Ran ran;
};

class Walk {
 public:
  // Fails the test when no chapter has this heading.
  Walk(std::string_view heading, const std::vector<Machine*>& machines);

  // Types the next block, which must begin with these words (of its first line). A line ends with
  // 0, or with what `codes` has for its number in the block.
  std::vector<Typed> block(const std::string& begins, const std::map<std::size_t, int>& codes = {});
  // The machines of a block that has a name of its own.
  void group(const std::string& block, const std::vector<std::string>& machines);
  // A machine that has been replaced.
  void replace(Machine& machine);
  // Every block was typed.
  void done() const;

 private:
  Typed type(const Machine& machine, const DocCommand& command, int expected) const;
  const Machine& machine(const std::string& name) const;
  std::vector<std::string> names(const std::string& block) const;

  std::vector<DocCommand> commands_;
  std::size_t next_ = 0;
  std::map<std::string, Machine*> machines_;
  std::map<std::string, std::vector<std::string>> groups_;
};

}  // namespace xs::test
