// SPDX-License-Identifier: MIT
#include "sync/signature.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "sync/delta.h"

namespace xs {
namespace {

using namespace delta;

constexpr std::size_t kStep = 128;
constexpr std::size_t kFastBlock = 8192;
// A peer of another version may choose larger blocks than we would for the same basis, but not
// absurd ones: librsync hashes a whole block at every offset whose weak sum matches.
constexpr std::size_t kSlack = 4;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Fault::Protocol, "the delta signature is refused: " + what);
}

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(at, 4)) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

std::size_t round_up(std::uint64_t value) {
  return static_cast<std::size_t>((value + kStep - 1) / kStep * kStep);
}

void check_geometry(std::string_view bytes) {
  if (bytes.size() < kHeader) refuse("it is cut off");
  if (number_at(bytes, 0) != RS_RK_BLAKE2_SIG_MAGIC) refuse("it is of another kind");
  const std::size_t block = number_at(bytes, 4);
  if (block < kMinBlock || block > kMaxBlock || block % kStep != 0) {
    refuse("blocks of " + std::to_string(block) + " bytes");
  }
  if (number_at(bytes, 8) != kStrong)
    refuse("strong sums of " + std::to_string(number_at(bytes, 8)) + " bytes");
  const std::size_t rest = bytes.size() - kHeader;
  if (rest == 0 || rest % kRecord != 0) refuse("it is cut off");
  const std::uint64_t count = rest / kRecord;
  if (count > kMaxBlocks) refuse(std::to_string(count) + " blocks");
  if (block > kSlack * block_length(count * block)) {
    refuse("blocks of " + std::to_string(block) + " bytes for so small a file");
  }
}

// Whether the records of one weak sum hold more different strong sums than is cheap.
bool too_many_different(std::string_view bytes, const std::uint64_t* begin,
                        const std::uint64_t* end) {
  std::array<std::string_view, kMaxEqualWeak> known;
  std::size_t count = 0;
  for (const auto* one = begin; one != end; ++one) {
    const std::size_t record = kHeader + static_cast<std::uint32_t>(*one) * kRecord;
    const std::string_view strong = bytes.substr(record + 4, kStrong);
    const auto* last = known.data() + count;
    if (std::find<const std::string_view*>(known.data(), last, strong) != last) continue;
    if (count == known.size()) return true;
    known[count++] = strong;
  }
  return false;
}

void check_weak_sums(std::string_view bytes) {
  std::vector<std::uint64_t> sums;  // weak sum, index of its record
  sums.reserve((bytes.size() - kHeader) / kRecord);
  for (std::size_t at = kHeader; at < bytes.size(); at += kRecord) {
    sums.push_back(std::uint64_t{number_at(bytes, at)} << 32 | sums.size());
  }
  std::sort(sums.begin(), sums.end());
  std::vector<std::uint32_t> same_end(65'536);
  for (std::size_t begin = 0, end = 0; begin < sums.size(); begin = end) {
    while (end < sums.size() && sums[end] >> 32 == sums[begin] >> 32) ++end;
    if (end - begin > kMaxEqualWeak && too_many_different(bytes, &sums[begin], sums.data() + end)) {
      refuse("many different blocks share one weak sum");
    }
    if (++same_end[sums[begin] >> 32 & 0xFFFF] > kMaxSameEnd)
      refuse("its weak sums are not random");
  }
}

}  // namespace

std::size_t block_length(std::uint64_t basis_size) {
  const auto root =
      static_cast<std::uint64_t>(std::ceil(std::sqrt(static_cast<double>(basis_size))));
  const std::size_t wanted = std::clamp(round_up(root), kMinBlock, kFastBlock);
  return std::max(wanted,
                  round_up(basis_size / kMaxBlocks + (basis_size % kMaxBlocks != 0 ? 1 : 0)));
}

bool worth_delta(std::uint64_t size, std::uint64_t basis_size) {
  if (size < kMinimum) return false;
  const std::size_t block = block_length(basis_size);
  return block <= kMaxBlock && basis_size / block >= 2;
}

void check_signature(std::string_view bytes) {
  check_geometry(bytes);
  check_weak_sums(bytes);
}

void Signature::feed(std::string_view part) {
  if (part.size() > kMaxSignature - bytes_.size()) {
    refuse("more than " + std::to_string(kMaxSignature) + " bytes");
  }
  bytes_.append(part);
}

void Signature::finish() {
  check_signature(bytes_);
  rs_signature_t* loaded = nullptr;
  Job job(rs_loadsig_begin(&loaded));
  sums_.reset(loaded);
  const auto nothing = [](std::string_view) {};
  job.feed(bytes_, nothing);
  job.finish(nothing);
  bytes_ = {};
  if (rs_build_hash_table(sums_.get()) != RS_DONE)
    throw Error(Fault::Memory, "no memory for a delta signature");
}

}  // namespace xs
