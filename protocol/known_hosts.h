// SPDX-License-Identifier: MIT
// KnownHosts: the host keys that an administrator has accepted, in OpenSSH's known_hosts format,
// and the verdict on a key that a host offers. Called by the ssh stream and by `trust`. Reads
// files, never writes one, never asks.
//   names type base64 [comment]      names: a comma list of host or [host]:port, with * ? and !, or
//   |1|salt|hash
//   @revoked names type base64       that key is refused, whatever else is listed
// A line that cannot be read is skipped with a warning, except that one which revokes is an Error:
// skipping it would accept the key that somebody wanted refused. @cert-authority lines are skipped
// with a warning as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "protocol/host_key.h"

namespace xs {

enum class HostKeyVerdict : std::uint8_t { Known, Unknown, Changed, OtherType, Revoked };

// A line that names the host.
struct KnownHostKey {
  HostKey key;
  std::string where;  // "file:line"
  bool revoked = false;
};

class KnownHosts {
 public:
  static constexpr std::size_t kFileLimit = std::size_t{1} << 20;
  static constexpr std::size_t kLineLimit = std::size_t{64} << 10;
  static constexpr std::size_t kWarnings = 100;  // remembered; one more says that there were more
  static constexpr std::uint16_t kDefaultPort = 22;

  static KnownHosts parse(std::string_view text, const std::string& file);
  // All files together. An absent one is fine. One that is a symbolic link, not a regular file,
  // larger than kFileLimit, writable by group or others, or owned by neither root nor us is an
  // Error of class Io.
  static KnownHosts load(const std::vector<std::string>& files);

  // Port 22 looks for `host`, any other for `[host]:port` only: ssh 9.2 falls back to `host`, and
  // so accepts what the administrator vouched for at another door.
  HostKeyVerdict check(std::string_view host, std::uint16_t port, const HostKey& offered) const;
  // The types of the host's keys that are not revoked, each once, in the order of the files.
  std::vector<std::string> types(std::string_view host, std::uint16_t port) const;
  // Every line that names the host, revoking ones too, in the order of the files.
  std::vector<KnownHostKey> lines(std::string_view host, std::uint16_t port) const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Line {
    std::string names;  // lower case; empty when hashed
    std::string salt;
    std::string hash;
    KnownHostKey known;
  };
  static std::string_view fill(Line& line, std::string_view rest);
  static bool matches(const Line& line, std::string_view name);
  void read_line(std::string_view text, const std::string& where);
  void warn(const std::string& text);

  std::vector<Line> lines_;
  std::vector<std::string> warnings_;
};

// The line that vouches for the key, without its newline.
std::string known_hosts_line(std::string_view host, std::uint16_t port, const HostKey& key);

// The Error (class HostKey) for every verdict but Known: who, which fingerprints, what it means,
// what mends it.
Error host_key_error(HostKeyVerdict verdict, std::string_view host, std::uint16_t port,
                     const HostKey& offered, const KnownHosts& known_hosts);

}  // namespace xs
