// SPDX-License-Identifier: MIT
#include "tests/report/parse_log.h"

#include <regex>
#include <sstream>
#include <stdexcept>

namespace xs::test {
namespace {

std::string plain(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "\\#") == 0 && at + 5 <= text.size()) {
      out += static_cast<char>(std::stoi(text.substr(at + 2, 3), nullptr, 8));
      at += 4;
    } else {
      out += text[at];
    }
  }
  return out;
}

// "1,886" of old versions too.
unsigned long long number(std::string text) {
  std::erase(text, ',');
  return std::stoull(text);
}

bool is_item(const std::string& text) {
  static const std::regex form("([><ch.][fdLDS][.cstTpoguax+? ]{9}|\\*deleting  ) .*");
  return std::regex_match(text, form);
}

}  // namespace

LoggedItem parse_item(std::string_view line) {
  const std::string text(line);
  if (!is_item(text)) throw std::runtime_error("not an item: " + text);
  LoggedItem item;
  item.itemize = text.substr(0, 11);
  if (item.itemize[0] == '*') item.itemize = "*deleting";
  std::string name = text.substr(12);
  for (const char* const arrow : {" -> ", " => "}) {
    const std::size_t at = name.find(arrow);
    const bool linked = item.itemize[1] == 'L' || item.itemize[0] == 'h';
    if (at == std::string::npos || !linked) continue;
    item.link = plain(name.substr(at));
    name.resize(at);
  }
  item.name = plain(name);
  return item;
}

std::vector<LoggedRun> parse_log(std::string_view text) {
  static const std::regex prefix(R"((\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\d+)\] (.*))");
  static const std::regex totals(
      R"(sent ([\d,]+) bytes  received ([\d,]+) bytes  total size ([\d,]+).*)");
  static const std::regex failure(R"(.* error: .* \(code (\d+)\).*)");
  std::vector<LoggedRun> runs;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (!std::regex_match(line, parts, prefix)) throw std::runtime_error("not a log line: " + line);
    const std::string what = parts[3];
    if (what == "receiving file list" || runs.empty()) runs.emplace_back();
    LoggedRun& run = runs.back();
    if (what == "receiving file list") continue;
    std::smatch found;
    if (is_item(what)) {
      run.items.push_back(parse_item(what));
    } else if (std::regex_match(what, found, totals)) {
      run.sent = number(found[1]);
      run.received = number(found[2]);
      run.total_size = number(found[3]);
    } else if (std::regex_match(what, found, failure)) {
      run.failed = std::stoi(found[1]);
    } else {
      run.others.push_back(what);
    }
  }
  return runs;
}

}  // namespace xs::test
