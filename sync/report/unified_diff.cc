// SPDX-License-Identifier: MIT
#include "sync/report/unified_diff.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"

namespace xs {
namespace {

using Lines = std::vector<std::string_view>;  // each with its newline, where it has one

Lines split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

// Myers' greedy walk over two lists of numbers, one number a line. For each step the furthest point
// on every diagonal is kept, so memory and time are bounded by the number of edits.
class Myers {
 public:
  Myers(const std::vector<int>& a, const std::vector<int>& b) : a_(a), b_(b) {}

  struct Edit {
    bool insert = false;
    std::size_t a = 0, b = 0;  // where it happens
  };

  // Nothing when more than `most` edits are needed.
  std::optional<std::vector<Edit>> run(int most) {
    std::vector<int> furthest(2 * static_cast<std::size_t>(most) + 3, 0);
    const int middle = most + 1;
    for (int step = 0; step <= most; ++step) {
      for (int k = -step; k <= step; k += 2) {
        int x = starts_down(furthest, middle, k, step) ? at(furthest, middle + k + 1)
                                                       : at(furthest, middle + k - 1) + 1;
        while (same(x, x - k)) ++x;
        const int diagonal = middle + k;
        furthest[static_cast<std::size_t>(diagonal)] = x;
        if (x >= size(a_) && x - k >= size(b_)) return walk_back(step, k);
      }
      const auto from = furthest.begin() + (middle - step);
      const std::ptrdiff_t diagonals = std::ptrdiff_t{2} * step + 1;  // -step to step
      trace_.emplace_back(from, from + diagonals);
    }
    return std::nullopt;
  }

 private:
  static int size(const std::vector<int>& list) { return static_cast<int>(list.size()); }
  static int at(const std::vector<int>& list, int index) {
    return list[static_cast<std::size_t>(index)];
  }
  static bool starts_down(const std::vector<int>& furthest, int middle, int k, int step) {
    return k == -step || (k != step && at(furthest, middle + k - 1) < at(furthest, middle + k + 1));
  }
  bool same(int x, int y) const {
    return x < size(a_) && y < size(b_) && y >= 0 && at(a_, x) == at(b_, y);
  }

  std::vector<Edit> walk_back(int step, int k) const {
    std::vector<Edit> edits;
    for (; step > 0; --step) {
      const std::vector<int>& before = trace_[static_cast<std::size_t>(step - 1)];
      const int middle = step - 1;
      const auto reached = [&](int diagonal) {
        const int index = middle + diagonal;
        return index < 0 || index >= size(before) ? -1 : at(before, index);
      };
      const bool down = k == -step || (k != step && reached(k - 1) < reached(k + 1));
      const int from = down ? k + 1 : k - 1;
      const int x = reached(from);
      edits.push_back({down, static_cast<std::size_t>(x), static_cast<std::size_t>(x - from)});
      k = from;
    }
    std::reverse(edits.begin(), edits.end());
    return edits;
  }

  const std::vector<int>& a_;
  const std::vector<int>& b_;
  std::vector<std::vector<int>> trace_;
};

struct Shown {
  Lines before, after;
};

// Tabs stay: they are what configuration files are laid out with.
void append_line(char mark, std::string_view line, std::string& out) {
  const bool ended = !line.empty() && line.back() == '\n';
  if (ended) line.remove_suffix(1);
  out += mark;
  for (;;) {
    const std::size_t tab = line.find('\t');
    out += escape(line.substr(0, tab));
    if (tab == std::string_view::npos) break;
    out += '\t';
    line.remove_prefix(tab + 1);
  }
  out += ended ? "\n" : "\n\\ No newline at end of file\n";
}

std::string range(std::size_t first, std::size_t count) {
  const std::string start = std::to_string(count == 0 ? first : first + 1);
  return count == 1 ? start : start + "," + std::to_string(count);
}

class Hunks {
 public:
  Hunks(const Shown& shown, std::size_t context) : shown_(shown), context_(context) {}

  std::string run(const std::vector<Myers::Edit>& edits) {
    std::string out;
    for (std::size_t first = 0; first < edits.size();) {
      std::size_t last = first;
      while (last + 1 < edits.size() && edits[last + 1].a <= end_of(edits[last]) + 2 * context_) {
        ++last;
      }
      out += hunk(edits, first, last);
      first = last + 1;
    }
    return out;
  }

 private:
  static std::size_t end_of(const Myers::Edit& edit) { return edit.a + (edit.insert ? 0 : 1); }

  std::string hunk(const std::vector<Myers::Edit>& edits, std::size_t first, std::size_t last) {
    const std::size_t lead = std::min(context_, edits[first].a);
    const std::size_t begin_a = edits[first].a - lead;
    const std::size_t begin_b = edits[first].b - lead;
    std::size_t a = begin_a;
    std::size_t b = begin_b;
    std::string body;
    const auto keep_until = [&](std::size_t end) {
      for (; a < end; ++a, ++b) append_line(' ', shown_.before[a], body);
    };
    for (std::size_t at = first; at <= last; ++at) {
      keep_until(edits[at].a);
      if (edits[at].insert) {
        append_line('+', shown_.after[b++], body);
      } else {
        append_line('-', shown_.before[a++], body);
      }
    }
    keep_until(std::min(a + context_, shown_.before.size()));
    return "@@ -" + range(begin_a, a - begin_a) + " +" + range(begin_b, b - begin_b) + " @@\n" +
           body;
  }

  const Shown& shown_;
  std::size_t context_;
};

std::vector<int> numbers_of(const Lines& lines, std::unordered_map<std::string_view, int>& known) {
  std::vector<int> numbers;
  numbers.reserve(lines.size());
  for (const std::string_view line : lines) {
    numbers.push_back(known.try_emplace(line, static_cast<int>(known.size())).first->second);
  }
  return numbers;
}

// The edits of what lies between the lines that both begin and end with.
std::optional<std::vector<Myers::Edit>> compare(const Lines& before, const Lines& after,
                                                std::size_t most) {
  std::unordered_map<std::string_view, int> known;
  std::vector<int> a = numbers_of(before, known);
  std::vector<int> b = numbers_of(after, known);
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  std::size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head &&
         a[a.size() - tail - 1] == b[b.size() - tail - 1]) {
    ++tail;
  }
  const auto inner = [&](const std::vector<int>& all) {
    return std::vector<int>(all.begin() + static_cast<std::ptrdiff_t>(head),
                            all.end() - static_cast<std::ptrdiff_t>(tail));
  };
  a = inner(a);
  b = inner(b);
  const std::size_t needed = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (needed > most) return std::nullopt;
  auto edits = Myers(a, b).run(static_cast<int>(std::min(most, a.size() + b.size())));
  if (!edits) return std::nullopt;
  for (Myers::Edit& edit : *edits) {
    edit.a += head;
    edit.b += head;
  }
  return edits;
}

bool fits(const DiffSide& side, const Lines& lines, const DiffLimits& limits) {
  return side.bytes.size() <= limits.bytes && lines.size() <= limits.lines;
}

}  // namespace

bool is_binary(std::string_view bytes) {
  return bytes.find('\0') != std::string_view::npos || !is_utf8(bytes);
}

std::string unified_diff(std::string_view name, const DiffSide& before, const DiffSide& after,
                         const DiffLimits& limits) {
  if (before.present == after.present && before.bytes == after.bytes) return "";
  std::string differ = "files differ: " + quote(name) + "\n";
  if (before.bytes.size() > limits.bytes || after.bytes.size() > limits.bytes) return differ;
  if (is_binary(before.bytes) || is_binary(after.bytes)) return "binary " + differ;
  const Lines old_lines = split(before.bytes);
  const Lines new_lines = split(after.bytes);
  if (!fits(before, old_lines, limits) || !fits(after, new_lines, limits)) return differ;
  const auto edits = compare(old_lines, new_lines, limits.edits);
  if (!edits) return differ;
  const Shown shown{before.shown.empty() ? old_lines : split(before.shown),
                    after.shown.empty() ? new_lines : split(after.shown)};
  if (shown.before.size() != old_lines.size() || shown.after.size() != new_lines.size()) {
    return differ;
  }
  const std::string path = escape(name);
  return "--- " + (before.present ? "a/" + path : std::string("/dev/null")) + "\n+++ " +
         (after.present ? "b/" + path : std::string("/dev/null")) + "\n" +
         Hunks(shown, limits.context).run(*edits);
}

}  // namespace xs
