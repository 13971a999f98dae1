// SPDX-License-Identifier: MIT
#include "protocol/ssh_key.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kKeyFileLimit = std::size_t{64} << 10;

// A secret in memory that does not outlive its use.
struct Secret {
  std::string text;
  ~Secret() { ::explicit_bzero(text.data(), text.size()); }
};

Error refuse(const std::string& path, const std::string& reason) {
  return Error(Fault::Auth, "the private key " + quote(path) + " " + reason);
}

// The permissions are those of the file that was opened, not of a name that may change behind us.
Fd open_private(const std::string& path) {
  // O_NONBLOCK: a fifo planted under the name must not hang us.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw refuse(path, "cannot be read: " + errno_text(errno));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno(Fault::Auth, "fstat", path);
  if (!S_ISREG(st.st_mode)) throw refuse(path, "is not a regular file");
  if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
    throw refuse(path, "belongs to user " + std::to_string(st.st_uid) +
                           ", who is neither root nor us: give it to us with chown");
  }
  if ((st.st_mode & 077) != 0) {
    throw refuse(path,
                 "can be read or written by others, so it is no longer a secret: run chmod 600 " +
                     quote(path));
  }
  return fd;
}

// libssh asks for the passphrase through this; the answer is always no, but we learn that it asked.
int no_passphrase(const char*, char*, std::size_t, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

// The public half of a protected key: the OpenSSH container has it in the clear, older forms have
// it in the file beside them.
HostKey half_of_protected(const std::string& path) {
  for (const std::string& file : {path, path + ".pub"}) {
    ssh_key raw = nullptr;
    if (::ssh_pki_import_pubkey_file(file.c_str(), &raw) == SSH_OK) {
      return public_half(SshKeyHandle(raw).get());
    }
  }
  return {};
}

}  // namespace

HostKey public_half(ssh_key key) {
  char* raw = nullptr;
  if (::ssh_pki_export_pubkey_base64(key, &raw) != SSH_OK || raw == nullptr) {
    throw Error(Fault::Auth, "libssh cannot export the public half of a key");
  }
  const std::unique_ptr<char, void (*)(char*)> text(raw, ::ssh_string_free_char);
  HostKey half;
  half.blob = from_base64(raw).value_or("");
  std::string_view rest = half.blob;
  half.type = std::string(take_string(rest).value_or(""));
  return half;
}

unsigned rsa_bits(const HostKey& key) {
  std::string_view rest = key.blob;
  if (take_string(rest) != "ssh-rsa" || !take_string(rest)) return 0;
  std::string_view modulus = take_string(rest).value_or("");
  while (!modulus.empty() && modulus.front() == '\0') modulus.remove_prefix(1);
  if (modulus.empty()) return 0;
  const auto top = static_cast<unsigned char>(modulus.front());
  return static_cast<unsigned>((modulus.size() - 1) * 8) +
         static_cast<unsigned>(std::bit_width(top));
}

std::string unusable(const HostKey& key) {
  if (key.type == "ssh-ed25519" || key.type.starts_with("ecdsa-sha2-nistp")) return {};
  if (key.type != "ssh-rsa") {
    return "is of type " + quote(key.type) +
           ", which we do not use: make a new one with ssh-keygen -t ed25519";
  }
  const unsigned bits = rsa_bits(key);
  if (bits >= kRsaBits) return {};
  return "is RSA with " + std::to_string(bits) + " bits, fewer than " + std::to_string(kRsaBits) +
         ": make a new one with ssh-keygen -t ed25519";
}

SshKey load_ssh_key(const std::string& path) {
  const Fd fd = open_private(path);
  Secret secret;
  try {
    secret.text = read_all(fd.get(), kKeyFileLimit, path);
  } catch (const Error& error) {
    throw refuse(path, "cannot be read: " + error.text());
  }
  SshKey key;
  key.path = path;
  bool asked = false;
  ssh_key raw = nullptr;
  const int rc =
      ::ssh_pki_import_privkey_base64(secret.text.c_str(), nullptr, no_passphrase, &asked, &raw);
  key.secret.reset(raw);
  if (rc != SSH_OK) {
    if (!asked) throw refuse(path, "is not a private key that libssh can read");
    key.secret.reset();
    key.open = half_of_protected(path);
    return key;
  }
  key.open = public_half(raw);
  const std::string reason = unusable(key.open);
  if (!reason.empty()) throw refuse(path, reason);
  return key;
}

}  // namespace xs
