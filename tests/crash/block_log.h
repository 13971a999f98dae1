// SPDX-License-Identifier: MIT
// What block_recorder writes and block_replay reads: one record after the other, each a header and
// its payload, in the order in which the disk completed them. Native byte order: both ends run on
// one machine, minutes apart.
#pragma once

#include <cstdint>

namespace xs::test {

enum class BlockKind : std::uint32_t {
  Write = 0,  // payload: the bytes, for `offset`
  Flush = 1,  // all writes before it are durable
  Mark = 2,   // payload: a word from the workload, "start" or "ack N"
};

struct BlockRecord {
  BlockKind kind = BlockKind::Write;
  std::uint32_t size = 0;
  std::uint64_t offset = 0;
};

}  // namespace xs::test
