// SPDX-License-Identifier: MIT
// The commands of docs/recovery.md, for the tests that hold them against the programs or run them.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/markdown.h"

namespace xs::test {

struct DocCommand {
  std::string heading;  // of the chapter
  std::size_t number;   // of the block
  // Behind ```sh: on which machines it is typed, "SS2 SS3"; or a name, "upgrade: primary".
  std::string block;
  std::string line;
  std::vector<std::string> words;
};

// Words with double quotes, as a shell takes them; nothing else of a shell is used there.
inline std::vector<std::string> doc_words(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false, open = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
      if (quoted && !open) words.emplace_back();
      open = true;
    } else if (c == ' ' && !quoted) {
      open = false;
    } else {
      if (!open) words.emplace_back();
      open = true;
      words.back() += c;
    }
  }
  if (quoted) throw std::runtime_error("a quote is open: " + line);
  return words;
}

inline std::vector<DocCommand> recovery_commands() {
  std::istringstream text(document("docs/recovery.md"));
  std::vector<DocCommand> commands;
  std::string line, block, heading;
  bool inside = false;
  std::size_t number = 0;
  while (std::getline(text, line)) {
    line.erase(0, std::min(line.find_first_not_of(' '), line.size()));
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) ++number;
      block = line.starts_with("```sh ") ? line.substr(6) : "";
    } else if (inside && !line.empty()) {
      commands.push_back({heading, number, block, line, doc_words(line)});
    } else if (line.starts_with("# ") || line.starts_with("## ")) {
      heading = line.substr(line.find(' ') + 1);
    }
  }
  return commands;
}

// The words behind the program's name of each command in the blocks of this name.
inline std::vector<std::vector<std::string>> commands_of(const std::string& block) {
  std::vector<std::vector<std::string>> found;
  for (const DocCommand& command : recovery_commands()) {
    if (command.block != block) continue;
    found.emplace_back(command.words.begin() + 1, command.words.end());
  }
  if (found.empty()) throw std::runtime_error("no commands in the block " + block);
  return found;
}

}  // namespace xs::test
