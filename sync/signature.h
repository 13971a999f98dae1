// SPDX-License-Identifier: MIT
// Signature: when a delta is worth it, how a basis is cut into blocks, and a peer's librsync
// signature that was checked before librsync saw it. Called by receiver (rules) and by sender
// (checks). A signature is RabinKarp + BLAKE2 with kStrong bytes a block, nothing else: half a
// BLAKE2 keeps 128 bits against an accident and against a second preimage, at 20 bytes a block
// instead of 36 on the slow way up, and every file is verified as a whole afterwards. Whatever else
// a peer sends is an Error of class Protocol.
#pragma once

#include <librsync.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace xs {

namespace delta {
inline constexpr std::uint64_t kMinimum = 65'536;  // smaller files travel whole
inline constexpr std::size_t kStrong = 16;         // bytes of a strong sum
inline constexpr std::size_t kHeader = 12;         // magic, block length, strong length
inline constexpr std::size_t kRecord = 4 + kStrong;
inline constexpr std::size_t kMinBlock = 256;
inline constexpr std::size_t kMaxBlock = 131'072;  // so that the basis is at most 32 GiB
inline constexpr std::size_t kMaxBlocks = 262'144;
inline constexpr std::size_t kMaxSignature = kHeader + kMaxBlocks * kRecord;
// Different blocks that share a weak sum. librsync compares each of them at every offset that
// matches; among kMaxBlocks honest blocks even three are improbable.
inline constexpr std::size_t kMaxEqualWeak = 16;
// Different weak sums that end in the same 16 bits. librsync's index places sums by their last
// bits, and kMaxBlocks of them chosen to meet in one place made it take 5 s to build. Honest ones
// are near 4 on average; files of bytes that all end in seven zero bits, the worst that is not
// meant badly, have 512.
inline constexpr std::size_t kMaxSameEnd = 1024;
}  // namespace delta

// The square root of the size in steps of 128, at most 8 KiB (librsync is fastest from 2 to 8 KiB)
// while the number of blocks allows.
std::size_t block_length(std::uint64_t basis_size);
bool worth_delta(std::uint64_t size, std::uint64_t basis_size);

// Throws unless the bytes are a whole signature as SignatureMaker makes them and cheap enough to
// work with.
void check_signature(std::string_view bytes);

// A checked signature, indexed. Its parts are collected as they come, never more than kMaxSignature
// bytes.
class Signature {
 public:
  void feed(std::string_view part);
  void finish();  // checks, loads and indexes; call it once, before get()
  rs_signature_t* get() const { return sums_.get(); }

 private:
  struct Free {
    void operator()(rs_signature_t* sums) const noexcept { rs_free_sumset(sums); }
  };
  std::string bytes_;
  std::unique_ptr<rs_signature_t, Free> sums_;
};

}  // namespace xs
