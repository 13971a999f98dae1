// SPDX-License-Identifier: MIT
// HostKey: the public half of an ssh key as bytes (a host's, and a user's too), and how it is shown
// and written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xs {

struct HostKey {
  std::string type;  // "ssh-ed25519"; "ssh-rsa" whatever hash the signature uses
  std::string blob;  // as on the wire, not base64
  bool operator==(const HostKey&) const = default;
};

// "SHA256:" and base64 without padding, as ssh-keygen -l prints it.
std::string fingerprint(const HostKey& key);

std::string to_base64(std::string_view bytes);
// Nothing unless the text is the one right spelling of some bytes.
std::optional<std::string> from_base64(std::string_view text);

// Cuts a length-prefixed string off the front of a blob; nothing when it is not all there.
std::optional<std::string_view> take_string(std::string_view& blob);

}  // namespace xs
