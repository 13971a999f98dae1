// SPDX-License-Identifier: MIT
#include "protocol/remote_shell.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::string_view kBlank = " \t";

bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// One word off the front of `rest`, which does not begin with a space.
std::string take_word(std::string_view& rest, std::string_view command) {
  std::string word;
  char quoted_by = '\0';
  while (!rest.empty() && (quoted_by != '\0' || rest.front() != ' ')) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (quoted_by == '\0' && (c == '\'' || c == '"')) {
      quoted_by = c;
    } else if (c != quoted_by || quoted_by == '\0') {
      word += c;
    } else if (rest.starts_with(c)) {
      word += c;
      rest.remove_prefix(1);
    } else {
      quoted_by = '\0';
    }
  }
  if (quoted_by != '\0') {
    throw Error(Fault::Usage, "the remote shell command " + quote(command) + " lacks a closing " +
                                  std::string(1, quoted_by));
  }
  return word;
}

std::vector<std::string> split_words(std::string_view command) {
  std::vector<std::string> words;
  std::string_view rest = command;
  for (;;) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (rest.empty()) return words;
    words.push_back(take_word(rest, command));
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_yes(std::string_view value) { return value == "yes" || value == "true"; }

bool name_is_safe(std::string_view name) {
  constexpr std::string_view kShellWords = " '`\"$\\;&<>|(){}";
  return !name.empty() && name.front() != '-' && std::none_of(name.begin(), name.end(), control) &&
         name.find_first_of(kShellWords) == std::string_view::npos;
}

// Reads what follows the word `ssh`. Every step says false when only the real program can do what
// is asked.
class SshOptions {
 public:
  SshOptions(RemoteShell& shell, std::string_view home) : shell_(shell), home_(home) {}

  bool read() {
    for (std::size_t at = 1; at < shell_.argv.size(); ++at) {
      const std::string& word = shell_.argv[at];
      if (word.size() < 2 || word.front() != '-' || !read_cluster(word, at)) return false;
    }
    if (user_files_) shell_.known_hosts = *user_files_;
    if (global_files_) {
      shell_.known_hosts.insert(shell_.known_hosts.end(), global_files_->begin(),
                                global_files_->end());
    }
    shell_.ipv4_only = family_ == "inet";
    shell_.ipv6_only = family_ == "inet6";
    return true;
  }

 private:
  using Setter = bool (SshOptions::*)(std::string_view value);
  struct Keyword {
    std::string_view name;
    Setter set;
  };
  static const std::array<Keyword, 9> kKeywords;

  // "-4q", "-p22" or "-p" with its value in the next word, which `at` then skips.
  bool read_cluster(const std::string& word, std::size_t& at) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const char letter = word[i];
      if (std::string_view("plio").find(letter) == std::string_view::npos) {
        if (!set_flag(letter)) return false;
        continue;
      }
      if (i + 1 < word.size()) return set_letter(letter, std::string_view(word).substr(i + 1));
      ++at;
      return at < shell_.argv.size() && set_letter(letter, shell_.argv[at]);
    }
    return true;
  }

  bool set_flag(char letter) {
    if (letter == '4') family_ = "inet";
    if (letter == '6') family_ = "inet6";
    // -q -T -x -a: no chatter, no terminal, nothing forwarded: libssh does none of these unasked.
    return std::string_view("46qTxa").find(letter) != std::string_view::npos;
  }

  bool set_letter(char letter, std::string_view value) {
    switch (letter) {
      case 'p': return set_port(value);
      case 'l': return set_user(value);
      case 'i': return add_identity(value);
      default: return set_keyword(value);
    }
  }

  // "Key=Value" or "Key Value", as a line of ssh_config. What needs ssh's quoting or expansion is
  // left to ssh.
  bool set_keyword(std::string_view line) {
    if (line.find_first_of("\"'\\#%$") != std::string_view::npos) return false;
    if (std::any_of(line.begin(), line.end(), [](char c) { return control(c) && c != '\t'; }))
      return false;
    line = trim(line);
    const std::string name = lower(line.substr(0, line.find_first_of(" \t=")));
    std::string_view value = line.substr(name.size());
    value.remove_prefix(std::min(value.find_first_not_of(kBlank), value.size()));
    if (value.starts_with('=')) value.remove_prefix(1);
    value = trim(value);
    const auto* found = std::find_if(kKeywords.begin(), kKeywords.end(),
                                     [&name](const Keyword& known) { return known.name == name; });
    return found != kKeywords.end() && !value.empty() && (this->*found->set)(value);
  }

  bool set_port(std::string_view value) {
    const auto number = parse_number(value);
    if (!number || *number == 0 || *number > std::numeric_limits<std::uint16_t>::max())
      return false;
    if (!shell_.port) shell_.port = static_cast<std::uint16_t>(*number);
    return true;
  }

  bool set_user(std::string_view value) {
    if (!name_is_safe(value) || value.find('%') != std::string_view::npos) return false;
    if (!shell_.user) shell_.user = std::string(value);
    return true;
  }

  bool set_connect_timeout(std::string_view value) {
    // 0 means the kernel's own time-out to ssh, which is not ours to imitate.
    constexpr unsigned long long kDay = 86'400;
    if (value.ends_with('s')) value.remove_suffix(1);
    const auto seconds = parse_number(value);
    if (!seconds || *seconds == 0 || *seconds > kDay) return false;
    if (!shell_.connect_timeout) {
      shell_.connect_timeout = std::chrono::seconds(static_cast<std::int64_t>(*seconds));
    }
    return true;
  }

  bool set_family(std::string_view value) {
    const std::string family = lower(value);
    if (family != "any" && family != "inet" && family != "inet6") return false;
    if (family_.empty()) family_ = family;
    return true;
  }

  // A path as ssh would open it; nothing when it takes more than a home directory to tell.
  std::optional<std::string> path(std::string_view value) const {
    if (value.empty() || lower(value) == "none" || value == "/dev/null") return std::nullopt;
    if (value.find_first_of("%$") != std::string_view::npos) return std::nullopt;
    if (!value.starts_with('~')) return std::string(value);
    if (home_.empty() || !value.starts_with("~/")) return std::nullopt;
    return std::string(home_) + std::string(value.substr(1));
  }

  bool add_identity(std::string_view value) {
    const auto file = path(value);
    if (!file) return false;
    std::vector<std::string>& files = shell_.identity_files;
    if (std::find(files.begin(), files.end(), *file) == files.end()) files.push_back(*file);
    return true;
  }

  bool set_identity(std::string_view value) {
    return value.find_first_of(kBlank) == std::string_view::npos && add_identity(value);
  }

  bool set_files(std::string_view value, std::optional<std::vector<std::string>>& into) {
    std::vector<std::string> files;
    while (!value.empty()) {
      const std::string_view word = value.substr(0, value.find_first_of(kBlank));
      const auto file = path(word);
      if (!file) return false;
      files.push_back(*file);
      value.remove_prefix(std::min(value.find_first_not_of(kBlank, word.size()), value.size()));
    }
    if (!into) into = std::move(files);
    return true;
  }
  bool set_user_files(std::string_view value) { return set_files(value, user_files_); }
  bool set_global_files(std::string_view value) { return set_files(value, global_files_); }

  // Only the strict answers: they are what our session does anyway.
  bool accept_yes(std::string_view value) { return is_yes(value); }

  RemoteShell& shell_;
  std::string_view home_;
  std::string family_;
  std::optional<std::vector<std::string>> user_files_;
  std::optional<std::vector<std::string>> global_files_;
};

const std::array<SshOptions::Keyword, 9> SshOptions::kKeywords{{
    {"addressfamily", &SshOptions::set_family},
    {"batchmode", &SshOptions::accept_yes},
    {"connecttimeout", &SshOptions::set_connect_timeout},
    {"globalknownhostsfile", &SshOptions::set_global_files},
    {"identityfile", &SshOptions::set_identity},
    {"port", &SshOptions::set_port},
    {"stricthostkeychecking", &SshOptions::accept_yes},
    {"user", &SshOptions::set_user},
    {"userknownhostsfile", &SshOptions::set_user_files},
}};

}  // namespace

RemoteShell parse_remote_shell(std::string_view command, std::string_view home) {
  RemoteShell program;
  if (command.find('\0') != std::string_view::npos) {
    throw Error(Fault::Usage, "the remote shell command holds a NUL byte: check -e/--rsh");
  }
  program.argv = split_words(command);
  if (program.argv.empty() || program.argv.front().empty()) {
    throw Error(Fault::Usage, "the remote shell command is empty: check -e/--rsh");
  }
  const std::string& name = program.argv.front();
  if (name != "ssh") return program;  // with a path it is the operator's own choice of program
  RemoteShell ours = program;
  if (!SshOptions(ours, home).read()) return program;
  ours.use_libssh = true;
  return ours;
}

void check_remote_names(const std::optional<std::string>& user, std::string_view host) {
  // An '@' would move the border between user and host.
  if (!name_is_safe(host) || host.find('@') != std::string_view::npos) {
    throw Error(Fault::Usage,
                "the host name " + quote(host) +
                    " cannot be used: it is empty, begins with '-', "
                    "or holds blanks, control characters or characters special to a shell");
  }
  if (user && !name_is_safe(*user)) {
    throw Error(Fault::Usage,
                "the user name " + quote(*user) +
                    " cannot be used: it is empty, begins with '-', "
                    "or holds blanks, control characters or characters special to a shell");
  }
}

std::vector<std::string> remote_argv(const RemoteShell& shell,
                                     const std::optional<std::string>& user,
                                     const std::string& host,
                                     const std::vector<std::string>& remote_command) {
  check_remote_names(user, host);
  // Without a command ssh would open a login shell.
  if (remote_command.empty() || remote_command.front().empty()) {
    throw Error(Fault::Usage, "the remote command is empty");
  }
  std::vector<std::string> argv = shell.argv;
  if (user) argv.insert(argv.end(), {"-l", *user});
  argv.push_back(host);
  argv.insert(argv.end(), remote_command.begin(), remote_command.end());
  return argv;
}

}  // namespace xs
