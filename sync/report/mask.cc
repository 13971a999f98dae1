// SPDX-License-Identifier: MIT
#include "sync/report/mask.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/text.h"
#include "sync/report/unified_diff.h"

namespace xs {
namespace {

constexpr std::string_view kMask = "********";
constexpr auto kNone = std::string_view::npos;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (lower(c) >= 'a' && lower(c) <= 'z'); }
bool is_name_char(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != kNone; }
bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// ---- names

constexpr std::array<std::string_view, 16> kParts{
    "password", "passwd",     "passphrase", "passcode",     "passwort",  "pincode",
    "secret",   "token",      "credential", "apikey",       "accesskey", "privatekey",
    "keypass",  "encryptkey", "bearer",     "authorization"};
constexpr std::array<std::string_view, 3> kEnds{"pin", "pass", "pwd"};
constexpr std::array<std::string_view, 6> kWords{"pin", "pins", "pass", "pw", "pwd", "psk"};

// "userPin_2" to "user", "pin": at separators, digits, and where a capital follows a small letter.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (std::size_t at = 0; at < name.size(); ++at) {
    const char c = name[at];
    const bool turns = at > 0 && is_upper(c) && !is_upper(name[at - 1]);
    if (!is_letter(c) || turns) words.emplace_back();
    if (is_letter(c)) words.back() += lower(c);
  }
  return words;
}

}  // namespace

bool is_secret_name(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (is_letter(c)) letters += lower(c);
  }
  const auto within = [&](std::string_view part) { return has(letters, part); };
  if (std::any_of(kParts.begin(), kParts.end(), within)) return true;
  const auto closing = [&](std::string_view end) { return ends_with(letters, end); };
  if (std::any_of(kEnds.begin(), kEnds.end(), closing)) return true;
  const std::vector<std::string> words = words_of(name);
  return std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
  });
}

bool is_secret_file(std::string_view path, std::string_view bytes) {
  constexpr std::array<std::string_view, 11> kSuffixes{".p12",   ".pfx",      ".key",   ".jks",
                                                       ".jceks", ".keystore", ".bcfks", ".ppk",
                                                       ".gpg",   ".kdbx",     ".pkcs12"};
  constexpr std::array<std::string_view, 8> kNames{"autologin", "pgpass",     "netrc",  "shadow",
                                                   "htpasswd",  "id_ed25519", "id_rsa", "id_ecdsa"};
  const std::size_t slash = path.rfind('/');
  const std::string name = lowered(slash == kNone ? path : path.substr(slash + 1));
  // Also what editors and backups make of such a name: "sign.p12~", "server.key.bak".
  const auto in_name = [&](std::string_view part) { return has(name, part); };
  if (std::any_of(kSuffixes.begin(), kSuffixes.end(), in_name)) return true;
  if (std::any_of(kNames.begin(), kNames.end(), in_name)) return true;
  return has(bytes, "PRIVATE KEY-----") || has(bytes, "PuTTY-User-Key-File");
}

namespace {

// ---- one line

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(" \t"), line.size());
}
bool is_blank(std::string_view line) { return indent_of(line) == line.size(); }
bool is_comment(std::string_view line) {
  const std::string_view text = line.substr(indent_of(line));
  return !text.empty() && (text[0] == '#' || text[0] == ';' || text.substr(0, 2) == "//");
}

// Where the first secret name of the line ends; kNone: there is none.
std::size_t end_of_secret_name(std::string_view line) {
  for (std::size_t at = 0; at < line.size();) {
    if (!is_name_char(line[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < line.size() && is_name_char(line[at])) ++at;
    if (is_secret_name(line.substr(begin, at - begin))) return at;
  }
  return kNone;
}

int hex_value(std::string_view digits, int base) {
  int value = 0;
  for (const char c : digits) {
    const int digit = is_digit(c)                          ? c - '0'
                      : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10
                                                           : 99;
    if (digit >= base || value > 0xFFFFFF) return -1;
    value = value * base + digit;
  }
  return digits.empty() ? -1 : value;
}

// "p\u0061ssword" and "p&#97;ssword" as they are read: properties, JSON and XML may say it so.
std::string decoded(std::string_view line) {
  std::string out;
  for (std::size_t at = 0; at < line.size(); ++at) {
    int value = -1;
    std::size_t size = 0;
    if (line.substr(at, 2) == "\\u" && at + 6 <= line.size()) {
      value = hex_value(line.substr(at + 2, 4), 16);
      size = 6;
    } else if (line.substr(at, 2) == "&#") {
      const std::size_t end = std::min(line.find(';', at), line.size());
      const bool is_hex = at + 2 < line.size() && lower(line[at + 2]) == 'x';
      value = hex_value(line.substr(at + 2 + (is_hex ? 1 : 0), end - at - 2 - (is_hex ? 1 : 0)),
                        is_hex ? 16 : 10);
      size = end - at + 1;
    }
    if (value > 0 && value < 0x80) {
      out += static_cast<char>(value);
      at += size - 1;
    } else {
      out += line[at];
    }
  }
  return out;
}

bool is_obscured(std::string_view line) {
  if (!has(line, "\\u") && !has(line, "&#")) return false;
  return end_of_secret_name(decoded(line)) != kNone;
}

// "scheme://user:password@host": what stands between the slashes and the last @ of that word.
std::string without_url_credentials(std::string_view line) {
  std::string out;
  for (;;) {
    const std::size_t at = line.find("://");
    if (at == kNone) return out + std::string(line);
    const std::size_t begin = at + 3;
    const std::string_view rest = line.substr(begin);
    const std::string_view word =
        rest.substr(0, std::min(rest.find_first_of(" \t\"'<>"), rest.size()));
    const std::size_t sign = word.rfind('@');
    out += line.substr(0, begin);
    if (sign != kNone) out += kMask;
    line.remove_prefix(begin + (sign == kNone ? 0 : sign));
  }
}

// ---- the whole text

class Masker {
 public:
  explicit Masker(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      lines_.push_back(text.substr(0, end));
      ended_ = end != kNone;
      text.remove_prefix(ended_ ? end + 1 : text.size());
    }
    shown_.reserve(lines_.size());
  }

  std::string run() {
    for (at_ = 0; at_ < lines_.size(); ++at_) {
      const std::string_view line = lines_[at_];
      shown_.push_back(goes_on(line) ? hidden(line) : show(line));
      follow_tags(line);
    }
    std::string out;
    for (std::size_t i = 0; i < shown_.size(); ++i) {
      out += shown_[i];
      if (i + 1 < shown_.size() || ended_) out += '\n';
    }
    return out;
  }

 private:
  static std::string hidden(std::string_view line) {
    if (is_blank(line)) return std::string(line);
    return std::string(line.substr(0, indent_of(line))) + std::string(kMask);
  }

  // Whether this line belongs to the secret of one before it.
  bool goes_on(std::string_view line) {
    if (in_pem_) {
      in_pem_ = !has(line, "-----END");
      return true;
    }
    if (in_element_) {
      in_element_ = !has(line, "</") && !has(line, "/>");
      // Another secret may begin where this one ends.
      if (!in_element_) note_value(line, line, false);
      return true;
    }
    if (quote_ != 0) {
      if (count_quotes(line, quote_) % 2 == 1) quote_ = 0;
      return true;
    }
    if (continued_) {
      continued_ = ends_in_backslash(line);
      return true;
    }
    if (is_blank(line)) return false;
    if (comment_) {
      comment_ = is_comment(line);
      return comment_;
    }
    if (expects_value_ || (deeper_than_ != kNone && indent_of(line) > deeper_than_) ||
        (deeper_than_ == indent_of(line) && line[indent_of(line)] == '-' && listed_)) {
      expects_value_ = false;
      return true;
    }
    deeper_than_ = kNone;
    return false;
  }

  std::string show(std::string_view line) {
    if (has(line, "-----BEGIN") && has(line, "PRIVATE KEY")) {
      in_pem_ = !has(line, "-----END");
      return hidden(line);
    }
    if (is_obscured(line)) {
      note_value(line, line, false);
      hide_open_tag();
      return hidden(line);
    }
    const std::size_t end = end_of_secret_name(line);
    if (end == kNone) return without_url_credentials(line);
    const std::string_view value = line.substr(end);
    const std::size_t tag = line.substr(0, end).rfind('<');
    const bool in_tag =
        open_tag_ != kNone || (tag != kNone && !has(line.substr(tag, end - tag), ">"));
    note_value(line, value, in_tag || has(line.substr(0, end), "<"));
    hide_open_tag();
    return shown_part(line, end, tag, in_tag) + std::string(kMask);
  }

  // A value may stand before its name, as in <property value="..." name="password"/>.
  static std::string shown_part(std::string_view line, std::size_t end, std::size_t tag,
                                bool in_tag) {
    const std::string_view before = line.substr(0, end);
    if (in_tag) {
      if (tag == kNone) return std::string(line.substr(0, indent_of(line)));
      std::size_t name = tag + 1;
      while (name < line.size() && is_name_char(line[name])) ++name;
      if (name < end) return without_url_credentials(before.substr(0, name)) + " ";
    }
    const std::string_view after = line.substr(end);
    const std::size_t value = std::min(after.find_first_not_of(" \t\"'):=>]"), after.size());
    const bool is_key = after.substr(0, value).find_first_of(":=> \t") != kNone;
    if (!is_key && !after.empty()) return std::string(line.substr(0, indent_of(line)));
    return without_url_credentials(before) + std::string(after.substr(0, value));
  }

  // Whether the value that begins here goes on in the next lines.
  void note_value(std::string_view line, std::string_view value, bool xml) {
    comment_ = is_comment(line);
    if (comment_) return;  // an apostrophe there opens nothing
    in_element_ = xml && !has(value, "</") && !has(value, "/>");
    deeper_than_ = indent_of(line);
    continued_ = ends_in_backslash(line);
    quote_ = 0;
    for (const char mark : {'"', '\''}) {
      if (count_quotes(line, mark) % 2 == 1) quote_ = mark;
    }
    const std::string_view rest = trim(value);
    const std::size_t first = rest.find_first_not_of("\"' \t");
    listed_ = first == kNone || rest.back() == ':' || rest.back() == '[';
    expects_value_ = first != kNone && rest[first] == ':' &&
                     rest.substr(first + 1).find_first_not_of(" \t|>+-[{(") == kNone;
  }

  static std::size_t count_quotes(std::string_view line, char mark) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\') {
        ++i;
      } else if (line[i] == mark) {
        ++count;
      }
    }
    return count;
  }

  static bool ends_in_backslash(std::string_view line) {
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return !line.empty() && line.back() == '\\';
  }

  // The lines of a tag that is still open, when a later one turns out to name a secret.
  void hide_open_tag() {
    if (open_tag_ == kNone) return;
    for (std::size_t i = open_tag_; i < shown_.size(); ++i) shown_[i] = hidden(lines_[i]);
  }

  void follow_tags(std::string_view line) {
    for (const char c : line) {
      if (c == '<') open_tag_ = at_;
      if (c == '>') open_tag_ = kNone;
    }
  }

  std::vector<std::string_view> lines_;
  std::vector<std::string> shown_;
  bool ended_ = true;
  std::size_t at_ = 0;
  std::size_t open_tag_ = kNone;  // the line in which a tag was opened that is not closed yet
  bool in_pem_ = false;
  bool in_element_ = false;
  char quote_ = 0;
  bool continued_ = false;
  bool comment_ = false;  // comments that follow one with a secret may hold the rest of it
  std::size_t deeper_than_ = kNone;
  bool listed_ = false;         // items of a list at the same depth belong to it
  bool expects_value_ = false;  // "password:" and nothing else
};

}  // namespace

std::string mask(std::string_view text) { return Masker(text).run(); }

std::string masked_diff(std::string_view path, std::string_view before, bool existed,
                        std::string_view after, bool exists) {
  if (before == after && existed == exists) return "";
  if (is_secret_file(path, before) || is_secret_file(path, after)) {
    return "secret file " +
           std::string(!existed  ? "is new"
                       : !exists ? "is deleted"
                                 : "differs") +
           ": " + quote(path) + "\n";
  }
  // Masking looks at every line, so what the diff would refuse is not masked first.
  const DiffLimits limits;
  const bool shows = before.size() <= limits.bytes && after.size() <= limits.bytes;
  const std::string old_shown = shows ? mask(before) : std::string();
  const std::string new_shown = shows ? mask(after) : std::string();
  return unified_diff(path, {before, existed, old_shown}, {after, exists, new_shown}, limits);
}

}  // namespace xs
