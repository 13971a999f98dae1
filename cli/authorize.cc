// SPDX-License-Identifier: MIT
#include "cli/authorize.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/replace_file.h"
#include "cli/verbs.h"
#include "protocol/host_key.h"
#include "protocol/ssh_key.h"

namespace xs::cli {
namespace {

constexpr std::size_t kKeyFileLimit = std::size_t{16} << 10;
constexpr std::size_t kKeysLimit = std::size_t{4} << 20;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Fault::Usage, "not a public key to let in: " + why);
}

// sshd hands the command to the account's shell, so nothing that a shell or sshd would read
// otherwise.
bool plain_path(std::string_view path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-@:,=";
  return path.size() > 1 && path.front() == '/' &&
         path.find_first_not_of(kPlain) == std::string_view::npos;
}

void check_server(std::string_view server) {
  constexpr std::string_view kConfig = " --config ";
  const std::size_t blank = server.find(kConfig);
  const bool configured = blank != std::string_view::npos;
  if (plain_path(server.substr(0, blank)) &&
      (!configured || plain_path(server.substr(blank + kConfig.size())))) {
    return;
  }
  throw Error(Fault::Usage,
              "the server program must be an absolute path of letters, digits and ./_+-@:,= alone, "
              "or such a path with \" --config \" and another: " +
                  quote(server));
}

// The base64 of the key in a line that authorized_line() made.
std::string key_of(const std::string& line) {
  std::istringstream words(line.substr(line.rfind("\" ") + 2));
  std::string type;
  std::string encoded;
  words >> type >> encoded;
  return encoded;
}

bool has_word(const std::string& line, const std::string& word) {
  std::istringstream words(line);
  for (std::string one; words >> one;) {
    if (one == word) return true;
  }
  return false;
}

std::string home_of(const std::string& user) {
  std::string buffer(std::size_t{64} << 10, '\0');
  passwd entry{};
  passwd* found = nullptr;
  const int err = ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    throw Error(Fault::Usage,
                "there is no user " + quote(user) +
                    " here: make it first (adduser --system --shell /bin/sh --ingroup "
                    "xroad " +
                    escape(user) + ")",
                err);
  }
  return entry.pw_dir;
}

void check_directory(const FileStat& st, const std::string& path) {
  if (st.uid == 0 && (st.mode & 022U) == 0) return;
  throw Error(Fault::Usage, quote(path) +
                                " must be root's and writable for nobody else, or the "
                                "account could let anybody in: chown root, chmod go-w");
}

// The directory that sshd reads the account's keys from.
Dir key_directory(const AuthorizeRequest& request) {
  if (!request.file.empty()) {
    Dir dir = Dir::open_root(parent_of(request.file));
    check_directory(dir.stat(Dir::kSelf), parent_of(request.file));
    return dir;
  }
  const std::string home = home_of(request.user);
  const Dir at = Dir::open_root(home);
  if (!at.stat_if_exists(".ssh")) at.mkdir(".ssh", 0755);
  Dir dir = at.open_dir(".ssh");
  dir.set_owner(Dir::kSelf, 0, 0);
  dir.set_mode(Dir::kSelf, 0755);
  at.sync();
  if (at.stat(Dir::kSelf).uid != 0) {
    std::fprintf(
        stderr,
        "note: %s belongs to %s, who could put another .ssh in its place; with \"chown root "
        "%s\" it cannot\n",
        escape(home).c_str(), escape(request.user).c_str(), escape(home).c_str());
  }
  return dir;
}

void install(const AuthorizeRequest& request, const std::string& line) {
  if (::geteuid() != 0)
    throw Error(Fault::Usage, "--install writes what only root may write: run it as root");
  if (!request.file.empty() && request.file.front() != '/')
    throw Error(Fault::Usage, "--file must be an absolute path, not " + quote(request.file));
  const Dir dir = key_directory(request);
  const std::string name =
      request.file.empty() ? "authorized_keys" : request.file.substr(request.file.rfind('/') + 1);
  const auto old = dir.stat_if_exists(name);
  if (old && !old->is_file()) {
    throw Error(Fault::Usage, quote(dir.subject(name)) +
                                  " is no regular file: nothing is written through a link");
  }
  const std::string before =
      old ? read_all(dir.open_file(name, O_RDONLY).get(), kKeysLimit, name) : "";
  const std::string after = with_authorized_line(before, line);
  const bool safe = old && old->uid == 0 && old->permissions() == 0644;
  const std::string shown =
      escape(request.file.empty() ? home_of(request.user) + "/.ssh/" + name : request.file);
  if (before == after && safe) {
    std::printf("the key is let in already, by %s\n", shown.c_str());
    return;
  }
  replace_file(dir, name, after, {0644, true});
  std::printf("written to %s\n", shown.c_str());
}

}  // namespace

std::string authorized_line(std::string_view text, std::string_view server) {
  check_server(server);
  if (text.find("PRIVATE KEY") != std::string_view::npos) {
    refuse(
        "this is the private half, which must never leave its node; give the file that ends in "
        ".pub");
  }
  const std::string_view line = trim(text);
  if (line.find_first_of("\r\n") != std::string_view::npos)
    refuse("the file holds more than one line");
  std::istringstream words{std::string(line)};
  HostKey key;
  std::string encoded;
  std::string comment;
  words >> key.type >> encoded;
  std::getline(words >> std::ws, comment);
  ssh_key raw = nullptr;
  const bool whole =
      ::ssh_pki_import_pubkey_base64(encoded.c_str(), ::ssh_key_type_from_name(key.type.c_str()),
                                     &raw) == SSH_OK;
  const SshKeyHandle imported(raw);
  if (!whole || public_half(raw).type != key.type)
    refuse("it must be \"TYPE BASE64 [COMMENT]\", as ssh-keygen writes it");
  key = public_half(raw);
  if (const std::string why = unusable(key); !why.empty()) refuse(why);
  return "restrict,command=\"" + std::string(server) + "\" " + key.type + " " + encoded +
         (comment.empty() ? "" : " " + escape(comment));
}

std::string with_authorized_line(std::string_view file, const std::string& line) {
  const std::string key = key_of(line);
  std::string out;
  bool placed = false;
  while (!file.empty()) {
    const std::string old(file.substr(0, file.find('\n')));
    file.remove_prefix(std::min(old.size() + 1, file.size()));
    const std::string_view words = trim(old);
    if (words.starts_with('#') || !has_word(old, key)) {
      out += old + "\n";
    } else if (!std::exchange(placed, true)) {
      out += line + "\n";
    }
  }
  return placed ? out : out + line + "\n";
}

void authorize(const AuthorizeRequest& request) {
  const std::string line =
      authorized_line(read_file(request.key_file, kKeyFileLimit), request.server);
  if (request.install) return install(request, line);
  std::printf("%s\n", line.c_str());
}

int run_authorize(const Config& config, Clock&) {
  const VerbConfig& asked = config.verb_options;
  AuthorizeRequest request;
  request.key_file = asked.key_file;
  request.server = asked.server;
  request.install = asked.install;
  request.user = asked.account;
  request.file = asked.authorized_file;
  authorize(request);
  return 0;
}

}  // namespace xs::cli
