// SPDX-License-Identifier: MIT
#include "protocol/host_key.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace xs {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string fingerprint(const HostKey& key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(key.blob.data(), key.blob.size(), digest.data(), &length, EVP_sha256(), nullptr) !=
      1) {
    return "SHA256:?";
  }
  std::string text = to_base64({reinterpret_cast<const char*>(digest.data()), length});
  text.erase(text.find_last_not_of('=') + 1);
  return "SHA256:" + text;
}

std::string to_base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(bytes),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(text),
                                     static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  out.resize(std::min(out.size(), static_cast<std::size_t>(length)) - padding);
  // OpenSSL forgives blanks, inner padding and stray bits.
  if (to_base64(out) != text) return std::nullopt;
  return out;
}

std::optional<std::string_view> take_string(std::string_view& blob) {
  constexpr std::size_t kLength = 4;
  if (blob.size() < kLength) return std::nullopt;
  std::size_t length = 0;
  for (const char c : blob.substr(0, kLength)) length = length << 8 | static_cast<unsigned char>(c);
  if (length > blob.size() - kLength) return std::nullopt;
  const std::string_view taken = blob.substr(kLength, length);
  blob.remove_prefix(kLength + length);
  return taken;
}

}  // namespace xs
