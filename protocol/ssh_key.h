// SPDX-License-Identifier: MIT
// SshKey: a private key file, loaded as strictly as ssh loads it; and the public half of a libssh
// key as bytes. Called by the login. Everything that is wrong with a file is an Error of class Auth
// that names the file and what mends it. Nothing here ever asks for a passphrase.
#pragma once

#include <libssh/libssh.h>

#include <memory>
#include <string>

#include "protocol/known_hosts.h"

namespace xs {

inline constexpr unsigned kRsaBits = 3072;  // the least that we use

struct FreeSshKey {
  void operator()(ssh_key key) const { ::ssh_key_free(key); }
};
using SshKeyHandle = std::unique_ptr<ssh_key_struct, FreeSshKey>;

struct SshKey {
  std::string path;
  SshKeyHandle secret;  // empty: protected by a passphrase
  HostKey open;         // the public half; empty only when the file is protected and does not tell
};

// Regular, owned by root or us, closed to group and others, of a kind that usable() accepts.
SshKey load_ssh_key(const std::string& path);

// The public half of any libssh key.
HostKey public_half(ssh_key key);

// Empty for ed25519, ECDSA on the NIST curves and RSA of at least kRsaBits; else the reason.
std::string unusable(const HostKey& key);

// The modulus' bits of an ssh-rsa blob; 0 when it is not one.
unsigned rsa_bits(const HostKey& key);

}  // namespace xs
