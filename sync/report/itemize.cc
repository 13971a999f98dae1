// SPDX-License-Identifier: MIT
#include "sync/report/itemize.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>

#include "base/error.h"
#include "base/text.h"
#include "sync/hash.h"
#include "sync/report/numbers.h"

namespace xs {
namespace {

constexpr std::string_view kServed = "inLflohaptMBUGmC%";
constexpr std::string_view kKnownOnly = "bcuP";  // rsync's, and nothing that we could say
constexpr int kWidest = 9999;

char update_kind(const Change& change) {
  switch (change.type) {
    case EntryType::Hardlink: return 'h';
    case EntryType::File: return change.created || change.content ? '>' : '.';
    default: return change.created || change.content ? 'c' : '.';
  }
}

char type_letter(EntryType type) {
  switch (type) {
    case EntryType::Dir: return 'd';
    case EntryType::Symlink: return 'L';
    case EntryType::Fifo:
    case EntryType::Socket: return 'S';
    case EntryType::CharDevice:
    case EntryType::BlockDevice: return 'D';
    default: return 'f';
  }
}

bool content_is_told(const Change& change, const ItemStyle& style) {
  if (!change.content || change.type == EntryType::Hardlink) return false;
  return change.type != EntryType::File || style.checksum;
}

char time_letter(const Change& change, char kind, const ItemStyle& style) {
  if (style.times) return change.time ? 't' : '.';
  return kind == '.' ? '.' : 'T';
}

std::string permissions(const ChangeDetail& detail) {
  const unsigned mode = detail.change.type == EntryType::Symlink ? 0777U : detail.mode;
  std::string text = "rwxrwxrwx";
  for (std::size_t bit = 0; bit < 9; ++bit) {
    if ((mode & (0400U >> bit)) == 0) text[bit] = '-';
  }
  const auto special = [&](unsigned wanted, std::size_t at, char letter) {
    if ((mode & wanted) == 0) return;
    text[at] = text[at] == 'x' ? letter : static_cast<char>(std::toupper(letter));
  };
  special(04000, 2, 's');
  special(02000, 5, 's');
  special(01000, 8, 't');
  return text;
}

std::string local_time(std::int64_t ns) {
  const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm broken{};
  std::array<char, 32> text{};
  if (::localtime_r(&seconds, &broken) == nullptr) return std::to_string(seconds);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y/%m/%d-%H:%M:%S", &broken)};
}

std::string number(std::uint64_t value, int human) {
  return show_number(value, static_cast<Human>(std::clamp(human, 0, 3)));
}

[[noreturn]] void refuse(char letter) {
  const std::string escape = quote(std::string("%") + letter);
  if (kKnownOnly.find(letter) != std::string_view::npos) {
    throw Error(Fault::Unsupported, "log format: " + escape +
                                        " is not supported: what it tells is not known for single "
                                        "files (%l is a file's size)");
  }
  throw Error(Fault::Usage, "log format: there is no " + escape);
}

}  // namespace

std::string itemize(const Change& change, const ItemStyle& style) {
  if (change.deleted) return "*deleting  ";
  std::string item(11, '.');
  const char kind = update_kind(change);
  item[0] = kind;
  item[1] = type_letter(change.type);
  if (change.created) return item.replace(2, 9, 9, '+');
  item[2] = content_is_told(change, style) ? 'c' : '.';
  item[3] = change.size ? 's' : '.';
  item[4] = time_letter(change, kind, style);
  item[5] = change.mode ? 'p' : '.';
  item[6] = change.owner ? 'o' : '.';
  item[7] = change.group ? 'g' : '.';
  item[9] = change.acl ? 'a' : '.';
  item[10] = change.xattr ? 'x' : '.';
  const bool nothing = item.find_first_not_of('.', 2) == std::string::npos;
  if (nothing && kind != '>') item.replace(2, 9, 9, ' ');
  return item;
}

std::string shown_name(const Change& change) {
  if (change.path.empty()) return "./";
  return escape(change.path) + (change.type == EntryType::Dir ? "/" : "");
}

std::string shown_link(const ChangeDetail& detail) {
  if (detail.change.deleted) return "";
  if (detail.change.type == EntryType::Symlink) return " -> " + escape(detail.target);
  if (detail.change.type == EntryType::Hardlink) return " => " + escape(detail.target);
  return "";
}

ItemFormat::ItemFormat(std::string_view format, ItemStyle style) : style_(style) {
  const auto quotes = [&](std::size_t& at, Piece& piece) {
    for (; at < format.size() && format[at] == '\''; ++at) ++piece.human;
  };
  for (std::size_t at = 0; at < format.size();) {
    const std::size_t percent = std::min(format.find('%', at), format.size());
    if (percent > at) pieces_.push_back({std::string(format.substr(at, percent - at))});
    if (percent == format.size()) break;
    at = percent + 1;
    Piece piece;
    quotes(at, piece);
    if (at < format.size() && format[at] == '-') {
      piece.left = true;
      ++at;
    }
    for (; at < format.size() && format[at] >= '0' && format[at] <= '9'; ++at) {
      piece.width = std::min(piece.width * 10 + (format[at] - '0'), kWidest);
    }
    quotes(at, piece);
    if (at == format.size()) {
      throw Error(Fault::Usage, "log format " + quote(format) + " ends within an escape");
    }
    piece.escape = format[at++];
    if (kServed.find(piece.escape) == std::string_view::npos) refuse(piece.escape);
    tells_all_ = tells_all_ || piece.escape == 'i';
    tells_operation_ = tells_operation_ || piece.escape == 'i' || piece.escape == 'o';
    pieces_.push_back(std::move(piece));
  }
}

bool ItemFormat::shows(const Change& change) const {
  return tells_all_ || change.deleted || change.type == EntryType::Dir ||
         update_kind(change) != '.';
}

std::string ItemFormat::value(const Piece& piece, const ChangeDetail& detail,
                              const ItemContext& context) const {
  const Change& change = detail.change;
  switch (piece.escape) {
    case 'i': return itemize(change, style_);
    case 'n': return shown_name(change);
    case 'f': return change.path.empty() ? "." : escape(change.path);
    case 'L': return shown_link(detail);
    case 'l': return number(detail.size, piece.human);
    case 'o': return change.deleted ? "del." : "recv";
    case 'h': return escape(context.host);
    case 'a': return escape(context.address);
    case 'p': return std::to_string(context.pid);
    case 't': return context.time;
    case 'M': return local_time(detail.mtime_ns);
    case 'B': return permissions(detail);
    case 'U': return std::to_string(detail.uid);
    case 'G': return std::to_string(detail.gid);
    case 'C': return detail.digest ? to_hex(*detail.digest) : std::string(32, ' ');
    case '%': return "%";
    default: return "";  // %m: there are no modules
  }
}

std::string ItemFormat::line(const ChangeDetail& detail, const ItemContext& context) const {
  if (detail.change.deleted && !tells_operation_) return "deleting " + shown_name(detail.change);
  std::string line;
  for (const Piece& piece : pieces_) {
    if (piece.escape == 0) {
      line += escape(piece.text);
      continue;
    }
    const std::string text = value(piece, detail, context);
    const auto width = static_cast<std::size_t>(piece.width);
    const std::string padding(width > text.size() ? width - text.size() : 0, ' ');
    line += piece.left ? text + padding : padding + text;
  }
  return line;
}

}  // namespace xs
