// SPDX-License-Identifier: MIT
#include "sync/xroad/node.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/ini.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kNodeIniLimit = 64U << 10;

constexpr std::string_view kAdvice =
    ": write 'type = master' (primary) or 'type = slave' (secondary) into its section [node]";

struct Word {
  std::string_view word;
  NodeRole role;
};

constexpr auto kWords = std::to_array<Word>({{"standalone", NodeRole::Standalone},
                                             {"master", NodeRole::Primary},
                                             {"primary", NodeRole::Primary},
                                             {"slave", NodeRole::Secondary},
                                             {"secondary", NodeRole::Secondary}});

[[noreturn]] void fail(std::string text, int code = 0) {
  throw Error(Fault::Role, std::move(text), code);
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// X-Road's reader takes a comment behind a value when a blank stands before it, and takes quotes
// off.
std::string_view bare_value(std::string_view value) {
  if (!value.empty() && value.front() == '"') {
    const std::size_t end = value.find('"', 1);
    if (end != std::string_view::npos) return value.substr(1, end - 1);
  }
  for (std::size_t i = 1; i < value.size(); ++i) {
    if ((value[i] == ';' || value[i] == '#') && is_blank(value[i - 1])) {
      return trim(value.substr(0, i));
    }
  }
  return value;
}

std::optional<NodeRole> role_of(std::string_view word) {
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Word& known : kWords) {
    if (known.word == lower) return known.role;
  }
  return std::nullopt;
}

Node node_of(const IniValue& value) {
  const std::string_view word = bare_value(value.value);
  const auto role = role_of(word);
  if (!role) {
    fail(value.where() + ": " + (word.empty() ? "no" : quote(word) + " is no") + " role of a node" +
         std::string(kAdvice));
  }
  return {*role, std::string(word), value.where()};
}

std::string read_regular(const std::string& path) {
  // A fifo in its place must not hold us.
  const Fd file = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) throw_errno("stat", path);
  if (!S_ISREG(st.st_mode)) throw Error(Fault::Io, quote(path) + " is not a regular file");
  return read_all(file.get(), kNodeIniLimit, path);
}

}  // namespace

Node parse_node(std::string_view text, const std::string& file) {
  Ini ini;
  try {
    ini = Ini::parse(text, file);
  } catch (const Error& error) {
    fail(error.text() + ": the role of this node cannot be told");
  }
  std::optional<Node> found;
  for (const IniValue& value : ini.values()) {
    if (value.section != "node" || value.key != "type") continue;
    Node node = node_of(value);
    // Which of two X-Road takes depends on its version.
    if (found && found->role != node.role) {
      fail(node.where + ": 'type' is " + quote(node.word) + " here and " + quote(found->word) +
           " at " + found->where + ": leave one of them");
    }
    found = std::move(node);
  }
  if (!found) fail(quote(file) + " has no 'type' in a section [node]" + std::string(kAdvice));
  return *found;
}

Node read_node(const std::string& path) {
  std::string text;
  try {
    text = read_regular(path);
  } catch (const Error& error) {
    if (error.code() == ENOENT) {
      fail(quote(path) + " is missing, so this node has no role" + std::string(kAdvice), ENOENT);
    }
    fail("the role of this node cannot be read: " + error.text(), error.code());
  }
  return parse_node(text, path);
}

void require_secondary(const Node& node) {
  if (node.role == NodeRole::Secondary) return;
  fail(node.where + ": this node is " + quote(node.word) +
       ", and only a secondary may be synced: syncing would overwrite its own keys; if it is a "
       "secondary, write 'type = slave' there");
}

void require_primary(const Node& node) {
  if (node.role == NodeRole::Primary) return;
  fail(node.where + ": this node is " + quote(node.word) +
       ", and only a primary may be copied from: is it the right host? if it is the primary, write "
       "'type = master' there");
}

}  // namespace xs
