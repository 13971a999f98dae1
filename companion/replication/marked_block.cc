// SPDX-License-Identifier: MIT
#include "companion/replication/marked_block.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::string_view kBegin = "# BEGIN xroad-companion";
constexpr std::string_view kEnd = "# END xroad-companion";
constexpr std::string_view kAdvice =
    " replication: `xroad-companion replication setup` rewrites these lines\n";

// With their ends; the last may have none.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

struct Range {
  std::size_t begin = 0, end = 0;  // of bytes, markers included
  std::size_t inner_begin = 0, inner_end = 0;
};

std::optional<Range> find_range(std::string_view text, const std::string& file) {
  int begins = 0, ends = 0;
  bool ordered = true;
  Range range;
  std::size_t at = 0;
  for (const std::string_view line : lines_of(text)) {
    if (line.starts_with(kBegin)) {
      ++begins;
      range.begin = at;
      range.inner_begin = at + line.size();
    } else if (line.starts_with(kEnd)) {
      ordered = begins == 1;
      ++ends;
      range.inner_end = at;
      range.end = at + line.size();
    }
    at += line.size();
  }
  if (begins == 0 && ends == 0) return std::nullopt;
  if (begins == 1 && ends == 1 && ordered) return range;
  throw Error(Fault::Io, quote(file) +
                             ": the markers '# BEGIN xroad-companion' and '# END "
                             "xroad-companion' are damaged; mend or remove them by hand");
}

std::string cut(std::string_view text, const Range& range) {
  return std::string(text.substr(0, range.begin)) + std::string(text.substr(range.end));
}

}  // namespace

std::string without_block(std::string_view text, const std::string& file) {
  const auto range = find_range(text, file);
  return range ? cut(text, *range) : std::string(text);
}

std::optional<std::string> find_block(std::string_view text, const std::string& file) {
  const auto range = find_range(text, file);
  if (!range) return std::nullopt;
  return std::string(text.substr(range->inner_begin, range->inner_end - range->inner_begin));
}

std::string with_block(std::string_view text, std::string_view lines, BlockPlace place,
                       const std::string& file) {
  const std::string block =
      std::string(kBegin) + std::string(kAdvice) + std::string(lines) + std::string(kEnd) + "\n";
  const auto range = find_range(text, file);
  if (place == BlockPlace::Top) return block + (range ? cut(text, *range) : std::string(text));
  if (range) {
    return std::string(text.substr(0, range->begin)) + block + std::string(text.substr(range->end));
  }
  const bool open = !text.empty() && text.back() != '\n';
  return std::string(text) + (open ? "\n" : "") + block;
}

std::string without_passwords(std::string_view line) {
  std::string lower(line);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string out;
  std::size_t told = 0;
  const auto hide = [&](std::size_t begin, std::size_t end) {
    out += std::string(line.substr(told, begin - told)) + "***";
    told = end;
  };
  constexpr std::string_view kWord = "password";
  for (std::size_t at = 0; (at = lower.find(kWord, at)) != std::string::npos;) {
    at = lower.find_first_not_of(" \t", at + kWord.size());
    if (at == std::string::npos || lower[at] != '=') continue;
    at = std::min(lower.find_first_not_of(" \t", at + 1), lower.size());
    // '...' of a connection string is doubled, or behind a backslash, within the line's own.
    std::size_t end = std::string::npos;
    for (const char* mark : {"\\'", "''", "'"}) {
      const std::string_view quote(mark);
      if (std::string_view(lower).substr(at, quote.size()) != quote) continue;
      end = lower.find(quote, at + quote.size());
      at += quote.size();
      break;
    }
    if (end == std::string::npos) end = lower.find_first_of(" \t'", at);
    end = std::min(end, lower.size());
    // Quotes within a value are more than we tell apart: all that follows is hidden.
    const std::string_view value = std::string_view(lower).substr(at, end - at);
    const std::string_view behind = std::string_view(lower).substr(end);
    const bool bare = at == 0 || lower[at - 1] != '\'';
    if (value.find('\\') != std::string_view::npos || (bare && behind.starts_with("''"))) {
      end = lower.size();
    }
    hide(at, end);
    at = end;
  }
  out += line.substr(told);
  // scheme://user:secret@host
  for (std::size_t at = 0; (at = out.find("://", at)) != std::string::npos;) {
    at += 3;
    const std::size_t end = std::min(out.find_first_of("/ \t'", at), out.size());
    const std::size_t sign = std::string_view(out).substr(0, end).rfind('@');
    const std::size_t colon = out.find(':', at);
    if (sign == std::string::npos || sign < at || colon > sign) continue;
    out.replace(colon + 1, sign - colon - 1, "***");
  }
  return out;
}

std::string unified_diff(const std::string& file, std::string_view before, std::string_view after) {
  if (before == after) return "";
  constexpr std::size_t kContext = 3;
  const std::vector<std::string_view> a = lines_of(before);
  const std::vector<std::string_view> b = lines_of(after);
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  std::size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
    ++tail;
  }
  const std::size_t from = head - std::min(head, kContext);
  const std::size_t more = std::min(tail, kContext);
  const auto span = [&](std::size_t all) {
    const std::size_t count = all - tail + more - from;
    return std::to_string(count == 0 ? from : from + 1) + "," + std::to_string(count);
  };
  std::string out = "--- " + escape(file) + "\n+++ " + escape(file) + "\n@@ -" + span(a.size()) +
                    " +" + span(b.size()) + " @@\n";
  const auto add = [&out](char sign, std::string_view line) {
    const bool open = line.empty() || line.back() != '\n';
    out += sign + escape(without_passwords(open ? line : line.substr(0, line.size() - 1))) + "\n";
    if (open) out += "\\ No newline at end of file\n";
  };
  for (std::size_t i = from; i < head; ++i) add(' ', a[i]);
  for (std::size_t i = head; i < a.size() - tail; ++i) add('-', a[i]);
  for (std::size_t i = head; i < b.size() - tail; ++i) add('+', b[i]);
  for (std::size_t i = a.size() - tail; i < a.size() - tail + more; ++i) add(' ', a[i]);
  return out;
}

std::string conf_quote(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\n' || c == '\r' || c == '\0') {
      throw Error(Fault::Usage, quote(value) + " cannot stand in postgresql.conf");
    }
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

}  // namespace xs
