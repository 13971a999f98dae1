// SPDX-License-Identifier: MIT
#include "companion/replication/scram.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::string_view kKind = "SCRAM-SHA-256$";
constexpr std::size_t kDigest = 32;
using Digest = std::array<unsigned char, kDigest>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string base64(const unsigned char* bytes, std::size_t size) {
  std::string out((size + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
  out.pop_back();
  return out;
}

// Empty for what is none.
std::string from_base64(std::string_view text) {
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(text),
                                   static_cast<int>(text.size()));
  const auto padding = std::count(text.begin(), text.end(), '=');
  if (size < 0 || padding > 2) return "";
  out.resize(static_cast<std::size_t>(size - padding));
  return out;
}

Digest keyed(const Digest& salted, std::string_view words) {
  Digest out{};
  HMAC(EVP_sha256(), salted.data(), static_cast<int>(salted.size()), bytes_of(words), words.size(),
       out.data(), nullptr);
  return out;
}

// "STORED:SERVER"
std::string keys_of(std::string_view password, std::string_view salt, int rounds) {
  Digest salted{};
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                        static_cast<int>(salt.size()), rounds, EVP_sha256(),
                        static_cast<int>(salted.size()), salted.data()) != 1) {
    throw Error(Fault::Memory, "OpenSSL cannot derive a key from the password");
  }
  const Digest client = keyed(salted, "Client Key");
  const Digest server = keyed(salted, "Server Key");
  Digest stored{};
  EVP_Digest(client.data(), client.size(), stored.data(), nullptr, EVP_sha256(), nullptr);
  return base64(stored.data(), stored.size()) + ":" + base64(server.data(), server.size());
}

}  // namespace

std::string scram_verifier(std::string_view password) {
  constexpr int kRounds = 4096;
  std::array<unsigned char, 16> salt{};
  if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) {
    throw Error(Fault::Memory, "OpenSSL has no random bytes");
  }
  const std::string_view raw(reinterpret_cast<const char*>(salt.data()), salt.size());
  return std::string(kKind) + std::to_string(kRounds) + ":" + base64(salt.data(), salt.size()) +
         "$" + keys_of(password, raw, kRounds);
}

bool scram_matches(std::string_view verifier, std::string_view password) {
  constexpr unsigned long long kMost = 10'000'000;
  if (!verifier.starts_with(kKind)) return false;
  verifier.remove_prefix(kKind.size());
  const std::size_t colon = verifier.find(':');
  const std::size_t dollar = verifier.find('$');
  if (colon == std::string_view::npos || dollar == std::string_view::npos || dollar < colon) {
    return false;
  }
  const auto rounds = parse_number(verifier.substr(0, colon));
  const std::string salt = from_base64(verifier.substr(colon + 1, dollar - colon - 1));
  if (!rounds || *rounds == 0 || *rounds > kMost || salt.empty()) return false;
  const std::string keys = keys_of(password, salt, static_cast<int>(*rounds));
  const std::string_view theirs = verifier.substr(dollar + 1);
  return keys.size() == theirs.size() &&
         CRYPTO_memcmp(keys.data(), theirs.data(), keys.size()) == 0;
}

std::string read_password(const std::string& file) {
  const Fd fd = open_file(file, O_RDONLY | O_NONBLOCK);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("fstat", file);
  if (!S_ISREG(st.st_mode) || (st.st_mode & 077U) != 0) {
    throw Error(Fault::Usage, quote(file) +
                                  ": a password must lie in a file that only its owner "
                                  "can read (chmod 600)");
  }
  std::string text = read_all(fd.get(), 4096, file);
  text.resize(std::min(text.find('\n'), text.size()));
  if (!text.empty() && text.back() == '\r') text.pop_back();
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (text.size() < 8 || !plain) {
    throw Error(Fault::Usage,
                quote(file) + ": a password is one line of at least 8 printable ASCII characters");
  }
  return text;
}

}  // namespace xs
