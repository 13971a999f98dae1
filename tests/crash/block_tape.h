// SPDX-License-Identifier: MIT
// Tape: what block_recorder wrote, as the images that a power cut could have left. Used by
// block_replay alone. A disk keeps what it was told to flush; of the later writes it keeps any, and
// of each of those any 512-byte sectors. All randomness comes from the seed of a State, so that one
// State gives one image of one tape.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/block_log.h"

namespace xs::test {

// Where the power is cut: after `cut` pieces. Draw 0 is a disk that wrote in order; any other draw
// chooses what survives of the pieces since the last flush.
struct State {
  std::size_t cut = 0;
  std::uint32_t draw = 0;
};

class Tape {
 public:
  static constexpr std::size_t kBlock = 4096;
  static constexpr std::size_t kSector = 512;

  // Throws when it is no tape, or one without a "start".
  Tape(const std::string& log, std::size_t disk_size);

  // Blocks written after "start"; a write of many blocks is many pieces.
  std::size_t pieces() const { return pieces_.size() - first_; }
  std::size_t flushes() const { return flushes_; }
  // The last generation that was acknowledged before this cut.
  std::size_t acknowledged(std::size_t cut) const { return points_[first_ + cut].acknowledged; }

  // Makes `image`, of the disk's size, the disk after this state. States come in rising order of
  // their cut: what is durable is written once and stays.
  void play(const State& state, std::uint64_t seed, char* image);
  // Puts `image` back to what is durable.
  void rewind(char* image);
  // What the last play() chose; two equal choices are one image.
  std::uint64_t choice() const { return choice_; }
  // Whether it left a block with some sectors of before and some of after.
  bool torn() const { return torn_; }

 private:
  struct Piece {
    std::uint64_t offset = 0;
    std::size_t at = 0;  // of its bytes, in bytes_
    std::size_t size = 0;
  };
  struct Point {
    std::size_t durable = 0;
    std::size_t acknowledged = 0;
  };

  void read(const std::string& log);
  void add_write(const BlockRecord& record, std::size_t at);
  void add_mark(const std::string& word);
  std::uint32_t sectors_kept(const Piece& piece, double chance, std::mt19937_64& random) const;
  void put(std::size_t index, std::uint32_t sectors, char* image, bool undoable);

  std::string bytes_;
  std::vector<Piece> pieces_;
  std::vector<Point> points_;  // points_[n]: the state of things when n pieces are written
  std::size_t disk_size_;
  std::size_t first_ = 0;
  std::size_t flushes_ = 0;
  std::size_t written_ = 0;  // pieces in the image for good
  bool started_ = false;
  std::uint64_t choice_ = 0;
  bool torn_ = false;
  struct Old {
    std::uint64_t offset;
    std::string bytes;
  };
  std::vector<Old> old_;
};

}  // namespace xs::test
