// SPDX-License-Identifier: MIT
#include "base/ini.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

// No error shows a byte of its line: even one that begins like a section may hold a password.
class Parser {
 public:
  explicit Parser(const std::string& file) : file_(file) {}

  void line(std::string_view text) {
    ++number_;
    if (text.size() > Ini::kLineLimit) {
      fail("the line is longer than " + std::to_string(Ini::kLineLimit) + " bytes");
    }
    const std::string_view whole = text;
    text = trim(text);
    if (text.empty() || text.front() == ';' || text.front() == '#') return;
    check_characters(text, static_cast<std::size_t>(text.data() - whole.data()));
    if (text.front() == '[') {
      open_section(text);
    } else {
      add_value(text);
    }
  }

  std::vector<IniValue> take() { return std::move(values_); }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Fault::Usage, escape(file_) + ":" + std::to_string(number_) + ": " + what);
  }

  void check_characters(std::string_view text, std::size_t before) const {
    const auto bad = std::find_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    if (bad == text.end()) return;
    const std::size_t column = before + static_cast<std::size_t>(bad - text.begin()) + 1;
    fail("control character at column " + std::to_string(column) + ": remove it");
  }

  void open_section(std::string_view text) {
    const std::string_view name = trim(text.substr(1, text.size() - 2));
    if (text.back() != ']' || name.empty() || name.find_first_of("[]") != std::string_view::npos) {
      fail("malformed section: write [name]");
    }
    section_ = name;
  }

  void add_value(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
      fail("neither [section] nor key = value");
    }
    const std::string_view key = trim(text.substr(0, equals));
    if (key.empty()) fail("there is no key before '='");
    values_.push_back(
        {section_, std::string(key), std::string(trim(text.substr(equals + 1))), file_, number_});
  }

  const std::string& file_;
  std::string section_;
  int number_ = 0;
  std::vector<IniValue> values_;
};

}  // namespace

std::string IniValue::where() const { return escape(file) + ":" + std::to_string(line); }

Ini Ini::parse(std::string_view text, const std::string& file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Parser parser(file);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    parser.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  Ini ini;
  ini.values_ = parser.take();
  return ini;
}

Ini Ini::load(const std::string& file) { return parse(read_file(file, kFileLimit), file); }

Ini Ini::load_if_exists(const std::string& file) {
  const auto text = read_file_if_exists(file, kFileLimit);
  return text ? parse(*text, file) : Ini();
}

const IniValue* Ini::find(std::string_view section, std::string_view key) const {
  const auto found = std::find_if(values_.rbegin(), values_.rend(), [&](const IniValue& value) {
    return value.section == section && value.key == key;
  });
  return found == values_.rend() ? nullptr : &*found;
}

void Ini::merge(Ini stronger) {
  values_.insert(values_.end(), std::make_move_iterator(stronger.values_.begin()),
                 std::make_move_iterator(stronger.values_.end()));
}

}  // namespace xs
