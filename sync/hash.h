// SPDX-License-Identifier: MIT
// Hash: XXH3-128 digests of bytes and files, and the generation of a manifest.
// XXH3 finds every accident and is fast; it is no defence against somebody who makes two files
// collide.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "protocol/messages.h"

struct XXH3_state_s;

namespace xs {

// A digest of bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  void update(std::string_view bytes);
  Digest digest() const;  // of the bytes so far
  void reset();

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const noexcept;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

Digest digest_of(std::string_view bytes);
// From where the descriptor stands to the end of the file.
Digest digest_of_file(const Fd& file, std::string_view subject);
std::string to_hex(const Digest& digest);

// The digest of what `options` manage of a sorted manifest, so that two nodes in the same state
// have the same one. A file is its bytes (Content), its size (SizeOnly), or its size and mtime
// (Quick, Always); times of other entries are never part: they move with every temporary file
// beside them. Owners count by name, by number where there is none or numbers are asked for.
Digest generation(const Entries& entries, const Options& options);

// What an Index says of the entries, each in 64 bits: the upper 16 are its shape, the lower 48 a
// hash of what a generation hashes of it. Two entries that count as different have the same one
// with a chance of 2^-48 where their shape is the same, of 2^-64 otherwise: then the client
// believes to have what it has not, and the sealed generation tells. The seed keeps its next run
// from it.
std::vector<std::uint64_t> fingerprints(const Entries& entries, const Options& options,
                                        std::uint64_t seed);
// A hash of path, type and size: who has no entry of the same shape has not its contents either.
std::uint16_t shape_of(const Entry& entry, std::uint64_t seed);
constexpr std::uint16_t shape_in(std::uint64_t fingerprint) {
  return static_cast<std::uint16_t>(fingerprint >> 48);
}

}  // namespace xs
