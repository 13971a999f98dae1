// SPDX-License-Identifier: MIT
#include "protocol/known_hosts.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <optional>

#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kSha1 = 20;      // bytes of the salt and of the hash in a hashed name
constexpr std::size_t kShownKeys = 8;  // known keys listed in one message
constexpr std::string_view kBlank = " \t";

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string bracketed(std::string_view host, std::uint16_t port) {
  return "[" + std::string(host) + "]:" + std::to_string(port);
}

std::string listed_name(std::string_view host, std::uint16_t port) {
  return lower(port == KnownHosts::kDefaultPort ? std::string(host) : bracketed(host, port));
}

// Cuts the next word off `rest`; empty at the end.
std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlank), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(kBlank));
  rest.remove_prefix(word.size());
  return word;
}

// * and ? only. Returns to the last star instead of recursing, so that no pattern takes exponential
// time.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// One negated pattern that matches outweighs any number of others, wherever it stands.
bool match_list(std::string_view patterns, std::string_view name) {
  bool matched = false;
  while (!patterns.empty()) {
    std::string_view pattern = patterns.substr(0, patterns.find(','));
    patterns.remove_prefix(std::min(pattern.size() + 1, patterns.size()));
    const bool negated = pattern.starts_with('!');
    if (negated) pattern.remove_prefix(1);
    if (pattern.empty() || !glob(pattern, name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

std::string hmac_sha1(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(),
           digest.data(), &length) == nullptr) {
    throw Error(Fault::HostKey,
                "libcrypto refuses HMAC-SHA1, so hashed known_hosts names cannot be read");
  }
  return {reinterpret_cast<const char*>(digest.data()), length};
}

// "|1|salt|hash"
bool split_hashed(std::string_view names, std::string& salt, std::string& hash) {
  constexpr std::string_view kMagic = "|1|";
  if (!names.starts_with(kMagic)) return false;
  names.remove_prefix(kMagic.size());
  const std::size_t bar = names.find('|');
  if (bar == std::string_view::npos) return false;
  const auto left = from_base64(names.substr(0, bar));
  const auto right = from_base64(names.substr(bar + 1));
  if (!left || !right || left->size() != kSha1 || right->size() != kSha1) return false;
  salt = *left;
  hash = *right;
  return true;
}

// Every type of key is a sequence of strings, its own name first, so that a cut shows.
bool is_key_of(std::string_view type, std::string_view blob) {
  if (take_string(blob) != type || blob.empty()) return false;
  while (!blob.empty()) {
    if (!take_string(blob)) return false;
  }
  return true;
}

void check_ownership(int fd, const std::string& file) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) throw_errno("fstat", file);
  if (!S_ISREG(st.st_mode)) throw Error(Fault::Io, quote(file) + " is not a regular file");
  if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
    throw Error(Fault::Io, quote(file) + " belongs to user " + std::to_string(st.st_uid) +
                               ", who could make us trust any host: chown it to root");
  }
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw Error(Fault::Io, quote(file) + " can be written by others than its owner: chmod go-w " +
                               quote(file));
  }
}

// Nothing when there is no such file.
std::optional<std::string> read_trusted(const std::string& file) {
  // O_NONBLOCK: a fifo planted under the name must not hang us.
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    if (errno != ELOOP) throw_errno("open", file);
    throw Error(Fault::Io, quote(file) + " is a symbolic link: name the file that it points to",
                ELOOP);
  }
  check_ownership(fd.get(), file);
  return read_all(fd.get(), KnownHosts::kFileLimit, file);
}

std::string describe_key(const HostKey& key) { return escape(key.type) + " " + fingerprint(key); }

std::string known_keys(const std::vector<KnownHostKey>& lines, bool revoked) {
  std::string out;
  std::size_t count = 0;
  for (const KnownHostKey& line : lines) {
    if (line.revoked != revoked || ++count > kShownKeys) continue;
    if (!out.empty()) out += ", ";
    out += describe_key(line.key) + " (" + escape(line.where) + ")";
  }
  if (count > kShownKeys) out += " and " + std::to_string(count - kShownKeys) + " more";
  return out;
}

// The command that shows the fingerprint at the primary itself.
std::string compare_command(const HostKey& key) {
  std::string name = "*";
  if (key.type == "ssh-ed25519") name = "ed25519";
  if (key.type == "ssh-rsa") name = "rsa";
  if (key.type.starts_with("ecdsa-")) name = "ecdsa";
  return "`ssh-keygen -lf /etc/ssh/ssh_host_" + name + "_key.pub` on the primary";
}

std::string trust_command(std::string_view options, std::string_view host, std::uint16_t port) {
  const bool plain = port == KnownHosts::kDefaultPort;
  const bool colon = host.find(':') != std::string_view::npos;
  const std::string target = plain   ? std::string(host)
                             : colon ? bracketed(host, port)
                                     : std::string(host) + ":" + std::to_string(port);
  return "`xroad-sync trust " + std::string(options) + escape(target) + "`";
}

}  // namespace

// Why the line cannot be used; empty when it can.
std::string_view KnownHosts::fill(Line& line, std::string_view rest) {
  const std::string_view names = next_word(rest);
  const std::string_view type = next_word(rest);
  const std::string_view encoded = next_word(rest);
  if (encoded.empty()) return "host names, key type and key are needed";
  if (!names.starts_with('|')) {
    line.names = lower(names);
  } else if (!split_hashed(names, line.salt, line.hash)) {
    return "the hashed host name is damaged";
  }
  const auto blob = from_base64(encoded);
  if (!blob) return "the key is not base64, or it is cut short";
  if (!is_key_of(type, *blob))
    return "the key is not of the type that the line names, or it is cut short";
  line.known.key = {std::string(type), *blob};
  return {};
}

void KnownHosts::read_line(std::string_view text, const std::string& where) {
  std::string_view rest = text;
  const std::string_view first = next_word(rest);
  if (first.empty() || first.starts_with('#')) return;
  Line line;
  line.known.where = where;
  line.known.revoked = first == "@revoked";
  const std::string shown = escape(where) + ": ";
  if (first == "@cert-authority")
    return warn(shown + "host certificates are not supported: skipped");
  if (first.starts_with('@') && !line.known.revoked) {
    return warn(shown + "unknown marker " + excerpt(first, 40) + ": skipped");
  }
  std::string_view reason;
  if (text.size() > kLineLimit) reason = "the line is too long";
  if (text.find('\0') != std::string_view::npos) reason = "the line holds a NUL byte";
  if (reason.empty()) reason = fill(line, line.known.revoked ? rest : text);
  if (reason.empty()) {
    lines_.push_back(std::move(line));
  } else if (line.known.revoked) {
    throw Error(Fault::HostKey, shown + "this line revokes a key and cannot be read: " +
                                    std::string(reason) + ": mend or remove it");
  } else {
    warn(shown + std::string(reason) + ": skipped");
  }
}

void KnownHosts::warn(const std::string& text) {
  if (warnings_.size() < kWarnings) {
    warnings_.push_back(text);
  } else if (warnings_.size() == kWarnings) {
    warnings_.emplace_back("more lines of known_hosts files were skipped");
  }
}

KnownHosts KnownHosts::parse(std::string_view text, const std::string& file) {
  KnownHosts made;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    made.read_line(line, file + ":" + std::to_string(number));
  }
  return made;
}

KnownHosts KnownHosts::load(const std::vector<std::string>& files) {
  KnownHosts all;
  for (const std::string& file : files) {
    const auto text = read_trusted(file);
    if (!text) continue;
    KnownHosts one = parse(*text, file);
    std::move(one.lines_.begin(), one.lines_.end(), std::back_inserter(all.lines_));
    for (const std::string& warning : one.warnings_) all.warn(warning);
  }
  return all;
}

bool KnownHosts::matches(const Line& line, std::string_view name) {
  if (line.hash.empty()) return match_list(line.names, name);
  return hmac_sha1(line.salt, name) == line.hash;
}

std::vector<KnownHostKey> KnownHosts::lines(std::string_view host, std::uint16_t port) const {
  const std::string name = listed_name(host, port);
  std::vector<KnownHostKey> found;
  for (const Line& line : lines_) {
    if (matches(line, name)) found.push_back(line.known);
  }
  return found;
}

HostKeyVerdict KnownHosts::check(std::string_view host, std::uint16_t port,
                                 const HostKey& offered) const {
  HostKeyVerdict verdict = HostKeyVerdict::Unknown;
  for (const KnownHostKey& line : lines(host, port)) {
    if (line.revoked) {
      if (line.key.blob == offered.blob) return HostKeyVerdict::Revoked;
    } else if (line.key == offered) {
      verdict = HostKeyVerdict::Known;
    } else if (verdict != HostKeyVerdict::Known && line.key.type == offered.type) {
      verdict = HostKeyVerdict::Changed;
    } else if (verdict == HostKeyVerdict::Unknown) {
      verdict = HostKeyVerdict::OtherType;
    }
  }
  return verdict;
}

std::vector<std::string> KnownHosts::types(std::string_view host, std::uint16_t port) const {
  const std::vector<KnownHostKey> found = lines(host, port);
  std::vector<std::string> out;
  for (const KnownHostKey& line : found) {
    const bool revoked =
        std::any_of(found.begin(), found.end(), [&line](const KnownHostKey& other) {
          return other.revoked && other.key.blob == line.key.blob;
        });
    if (!revoked && std::find(out.begin(), out.end(), line.key.type) == out.end()) {
      out.push_back(line.key.type);
    }
  }
  return out;
}

std::string known_hosts_line(std::string_view host, std::uint16_t port, const HostKey& key) {
  const std::string name =
      port == KnownHosts::kDefaultPort ? std::string(host) : bracketed(host, port);
  return lower(name) + " " + key.type + " " + to_base64(key.blob);
}

Error host_key_error(HostKeyVerdict verdict, std::string_view host, std::uint16_t port,
                     const HostKey& offered, const KnownHosts& known_hosts) {
  assert(verdict != HostKeyVerdict::Known);
  const std::vector<KnownHostKey> lines = known_hosts.lines(host, port);
  const bool colon = host.find(':') != std::string_view::npos;
  const std::string where =
      escape(colon ? bracketed(host, port) : std::string(host) + ":" + std::to_string(port));
  const std::string key = describe_key(offered);
  const std::string compare = compare_command(offered);
  std::string text;
  switch (verdict) {
    case HostKeyVerdict::Known:
    case HostKeyVerdict::Unknown:
      text = "the host key of " + where + " is unknown: it offers " + key +
             ", and no known_hosts line accepts a key for " + quote(listed_name(host, port)) +
             "; compare with " + compare + ", then run " + trust_command("", host, port);
      break;
    case HostKeyVerdict::Changed:
      text = "the host key of " + where + " has CHANGED: it offers " + key + ", known is " +
             known_keys(lines, false) +
             "; either somebody is in the middle or the host was reinstalled: compare with " +
             compare + ", and only if it is the same run " +
             trust_command("--replace ", host, port);
      break;
    case HostKeyVerdict::OtherType:
      text = "the host key of " + where + " is of another type than those known: it offers " + key +
             ", known is " + known_keys(lines, false) +
             "; either the host has a new key beside the old one or somebody is in the middle: "
             "compare with " +
             compare + ", and only if it is the same run " + trust_command("", host, port);
      break;
    case HostKeyVerdict::Revoked:
      text = "the host key of " + where + " is REVOKED: it offers " + key + ", revoked is " +
             known_keys(lines, true) +
             "; whoever has stolen that key can pose as this host: give the primary a new host "
             "key, then run " +
             trust_command("", host, port);
      break;
  }
  return Error(Fault::HostKey, text);
}

}  // namespace xs
