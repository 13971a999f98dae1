// SPDX-License-Identifier: MIT
// Ini: X-Road style configuration files, each value with the file and line that it came from.
//   [section]            names as written, compared byte for byte
//   key = value          the first '=' divides; blanks around both are cut; the value may hold
//   anything ; comment  # comment only where the line begins with it, never behind a value
// A malformed line is an Error of class Usage that begins with file:line. Nothing is expanded or
// unescaped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xs {

struct IniValue {
  std::string section;
  std::string key;
  std::string value;
  std::string file;
  int line = 0;

  // "file:line", for messages about this value.
  std::string where() const;
  bool operator==(const IniValue&) const = default;
};

class Ini {
 public:
  static constexpr std::size_t kFileLimit = 1U << 20;
  static constexpr std::size_t kLineLimit = 16U << 10;

  static Ini parse(std::string_view text, const std::string& file);
  static Ini load(const std::string& file);
  // An absent file is an empty Ini; one that cannot be read is an error.
  static Ini load_if_exists(const std::string& file);

  // The strongest value: the last one in this file, or the one of the file merged last. nullptr:
  // none.
  const IniValue* find(std::string_view section, std::string_view key) const;
  // Every value in the order of reading, weaker ones too.
  const std::vector<IniValue>& values() const { return values_; }
  // Adds the values of `stronger`, which win over ours.
  void merge(Ini stronger);

 private:
  std::vector<IniValue> values_;
};

}  // namespace xs
