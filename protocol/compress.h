// SPDX-License-Identifier: MIT
// Compress: zstd over a run of messages in one direction. Each block is flushed, so a message can
// be read as soon as its frame is here, and each may refer back to the blocks before it, within the
// window. The window, the level and the output of a block are ours to set: no byte of the peer
// moves them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace xs {

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;

  // Starts a new stream: the next block refers to nothing before it.
  void restart();
  // Appends the block to `out`.
  void block(std::string_view raw, std::string& out);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s*) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;

  void restart();
  // Appends exactly `raw_size` bytes to `out`. Refuses (Error, Protocol) a block that holds more or
  // less, a window over our limit, or damage.
  void block(std::string_view wire, std::size_t raw_size, std::string& out);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s*) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace xs
