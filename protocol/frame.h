// SPDX-License-Identifier: MIT
// Frame: one message on the wire.
//   head     number of the message in bits 0-5; packing in bits 6-7: 0 plain, 1 zstd, 2 zstd, new
//   stream size     LEB128, bytes of the payload; at most the limit of the message packed   LEB128,
//   only when packed: bytes that follow the payload, or its compressed block
// Writer and reader keep the compression of their direction; neither knows what a message means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/compress.h"
#include "protocol/messages.h"

namespace xs {

class FrameWriter {
 public:
  // From the next frame on, payloads that gain by it are compressed.
  void use_compression() { compressor_.emplace(); }
  // Appends the frame of one message. `incompressible`: the payload is not worth an attempt.
  void append(const Message& message, std::string& out, bool incompressible = false);

 private:
  bool append_packed(std::uint8_t number, std::string_view payload, std::string& out);

  std::optional<Compressor> compressor_;
  bool restart_ = true;
  std::string payload_;  // kept for its memory
  std::string packed_;
};

class FrameReader {
 public:
  struct Frame {
    const Spec* spec;
    std::string_view payload;  // valid until the next call
  };

  void feed(std::string_view bytes);
  // The next whole frame, or nothing until more is fed. Refuses (Error, Protocol) an unknown
  // number, a size over its limit, and compression that was not agreed on; the reader is of no use
  // after that.
  std::optional<Frame> next();
  void allow_compression() { decompressor_.emplace(); }
  // Fed and not yet returned.
  std::size_t pending() const { return buffer_.size() - at_; }

 private:
  struct Header {
    const Spec* spec;
    std::uint8_t packing;
    std::size_t size;
    std::size_t on_wire;
    std::size_t length;  // of the header itself
  };
  std::optional<Header> header() const;

  std::string buffer_;
  std::size_t at_ = 0;
  std::string unpacked_;
  std::optional<Decompressor> decompressor_;
  bool streaming_ = false;  // a compressed stream has begun
};

}  // namespace xs
