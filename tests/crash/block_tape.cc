// SPDX-License-Identifier: MIT
#include "tests/crash/block_tape.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/text.h"

namespace xs::test {

namespace {

constexpr std::uint32_t kWhole = 0xff;  // one bit a sector

// Where a file system keeps the block without which it cannot be mounted. Real disks write it in
// one go; a torn one is no finding about us.
bool holds_superblock(std::uint64_t offset) {
  constexpr std::uint64_t kFirst = 0;
  constexpr std::uint64_t kBtrfs = 64U << 10;
  constexpr std::uint64_t kBtrfsMirror = 64U << 20;
  return offset == kFirst || offset == kBtrfs || offset == kBtrfsMirror;
}

std::uint64_t mix(std::uint64_t into, std::uint64_t value) {
  into ^= value + 0x9e3779b97f4a7c15U + (into << 6) + (into >> 2);
  return into * 0xff51afd7ed558ccdU;
}

}  // namespace

Tape::Tape(const std::string& log, std::size_t disk_size) : disk_size_(disk_size) {
  points_.push_back({});
  read(log);
  if (!started_) throw Error(Fault::Usage, "no 'start' mark in " + quote(log));
}

void Tape::read(const std::string& log) {
  std::ifstream file(log, std::ios::binary);
  bytes_.assign(std::istreambuf_iterator<char>(file), {});
  std::size_t at = 0;
  while (at < bytes_.size()) {
    BlockRecord record;
    if (bytes_.size() - at < sizeof record) throw Error(Fault::Usage, "cut short: " + quote(log));
    std::memcpy(&record, bytes_.data() + at, sizeof record);
    at += sizeof record;
    if (bytes_.size() - at < record.size) throw Error(Fault::Usage, "cut short: " + quote(log));
    if (record.kind == BlockKind::Write) add_write(record, at);
    if (record.kind == BlockKind::Mark) add_mark(std::string(trim(bytes_.substr(at, record.size))));
    if (record.kind == BlockKind::Flush) {
      points_.back().durable = pieces_.size();
      flushes_ += started_ ? 1 : 0;
    }
    at += record.size;
  }
}

void Tape::add_write(const BlockRecord& record, std::size_t at) {
  if (record.offset > disk_size_ || record.size > disk_size_ - record.offset)
    throw Error(Fault::Usage, "a write beyond the end of the disk");
  std::uint64_t offset = record.offset;
  const std::uint64_t end = offset + record.size;
  while (offset < end) {
    const std::uint64_t next = std::min<std::uint64_t>(end, (offset / kBlock + 1) * kBlock);
    const Point now = points_.back();
    pieces_.push_back({offset, at + (offset - record.offset), next - offset});
    points_.push_back(now);
    offset = next;
  }
}

void Tape::add_mark(const std::string& word) {
  if (word == "start") {
    first_ = pieces_.size();
    points_.back().durable = first_;  // the caller has synced and seen it done
    started_ = true;
    return;
  }
  const auto number = word.rfind("ack ", 0) == 0 ? parse_number(word.substr(4)) : std::nullopt;
  if (!number) throw Error(Fault::Usage, "an unknown mark " + quote(word));
  points_.back().acknowledged = *number;
}

void Tape::play(const State& state, std::uint64_t seed, char* image) {
  const std::size_t cut = first_ + state.cut;
  const std::size_t durable = points_[cut].durable;
  for (; written_ < durable; ++written_) put(written_, kWhole, image, false);
  std::mt19937_64 random(seed ^ mix(state.cut, state.draw));
  constexpr double kChances[] = {0.1, 0.5, 0.8, 0.95};
  const double chance = state.draw == 0 ? 1 : kChances[random() % std::size(kChances)];
  torn_ = false;
  choice_ = mix(durable, points_[cut].acknowledged);
  for (std::size_t at = durable; at < cut; ++at) {
    const std::uint32_t sectors =
        state.draw == 0 ? kWhole : sectors_kept(pieces_[at], chance, random);
    if (sectors == 0) continue;
    torn_ = torn_ || sectors != kWhole;
    choice_ = mix(choice_, at << 8 | sectors);
    put(at, sectors, image, true);
  }
}

std::uint32_t Tape::sectors_kept(const Piece& piece, double chance, std::mt19937_64& random) const {
  std::uniform_real_distribution<> real;
  if (real(random) >= chance) return 0;
  if (holds_superblock(piece.offset / kBlock * kBlock) || random() % 8 != 0) return kWhole;
  if (random() % 2 == 0) return (1U << (1 + random() % 7)) - 1;  // its tail is missing
  return static_cast<std::uint32_t>(random() % kWhole);
}

void Tape::put(std::size_t index, std::uint32_t sectors, char* image, bool undoable) {
  const Piece& piece = pieces_[index];
  if (undoable) old_.push_back({piece.offset, std::string(image + piece.offset, piece.size)});
  for (std::size_t at = 0; at < piece.size; at += kSector) {
    if ((sectors >> (at / kSector) & 1U) == 0) continue;
    std::memcpy(image + piece.offset + at, bytes_.data() + piece.at + at,
                std::min(kSector, piece.size - at));
  }
}

void Tape::rewind(char* image) {
  for (auto old = old_.rbegin(); old != old_.rend(); ++old)
    std::memcpy(image + old->offset, old->bytes.data(), old->bytes.size());
  old_.clear();
}

}  // namespace xs::test
