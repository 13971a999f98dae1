// SPDX-License-Identifier: MIT
// Keyconf: which keys a signer's keyconf.xml names. Read by the server, to see a change of the PIN
// in flight, and by verify and doctor, to tell which keys are missing. Only names leave it: no
// certificate, no PIN, nothing of a key. A file that is no keyconf is a value (`trouble`), because
// what to do about it differs; nothing is expanded, no DTD is taken, no other file is opened.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/dir.h"

namespace xs {

struct Keyconf {
  std::vector<std::string> soft_keys;  // key ids on the software token, in the file's order
  std::vector<std::string> hsm_keys;   // "device: key id" of every other key: it has no file here
  std::string trouble;                 // why the file cannot be used; empty: it can
  bool ok() const { return trouble.empty(); }
};

inline constexpr std::size_t kKeyconfLimit = 16U << 20;

Keyconf parse_keyconf(std::string_view xml);
// `signer`: the directory that has it. Nothing: there is no keyconf.xml. One that cannot be read is
// an Error of class Partial.
std::optional<Keyconf> read_keyconf(const Dir& signer);

// "softtoken/ID.p12" of those software keys whose file is missing. Normal at any moment (a key that
// was just deleted at the primary); what it means is the caller's to say.
std::vector<std::string> missing_keys(const Dir& signer, const Keyconf& keyconf);

}  // namespace xs
