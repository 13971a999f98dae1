// SPDX-License-Identifier: MIT
#include "protocol/frame.h"

#include <zstd.h>

#include "protocol/codec.h"
#include "protocol/wire.h"

namespace xs {
namespace {

constexpr std::uint8_t kNumberMask = 0x3F;
constexpr unsigned kPackingShift = 6;
constexpr std::uint8_t kPlain = 0;
constexpr std::uint8_t kZstd = 1;
constexpr std::uint8_t kZstdRestart = 2;

// Below this a block's own headers eat what it could save.
constexpr std::size_t kWorthPacking = 64;

void append_head(std::uint8_t number, std::uint8_t packing, std::size_t size, std::string& out) {
  out += static_cast<char>(number | packing << kPackingShift);
  wire::put_number(out, size);
}

// A number of which only the first bytes may be here: nothing until it is complete.
std::optional<std::size_t> partial_number(std::string_view bytes, std::size_t& at) {
  const std::size_t start = at;
  for (std::size_t i = start; i < bytes.size(); ++i) {
    const bool last = (static_cast<unsigned char>(bytes[i]) & 0x80) == 0;
    if (!last && i - start < 9)
      continue;  // ten bytes hold 64 bits: the reader refuses what is longer
    wire::Reader reader(bytes.substr(start, i + 1 - start));
    at = i + 1;
    return static_cast<std::size_t>(reader.number());
  }
  return std::nullopt;
}

}  // namespace

void FrameWriter::append(const Message& message, std::string& out, bool incompressible) {
  payload_.clear();
  encode(message, payload_);
  const std::uint8_t number = spec_of(message).number;
  const bool try_packing = compressor_ && !incompressible && payload_.size() >= kWorthPacking;
  if (try_packing && append_packed(number, payload_, out)) return;
  append_head(number, kPlain, payload_.size(), out);
  out += payload_;
}

bool FrameWriter::append_packed(std::uint8_t number, std::string_view payload, std::string& out) {
  if (restart_) compressor_->restart();
  packed_.clear();
  compressor_->block(payload, packed_);
  const bool gains = packed_.size() < payload.size();
  const bool within_ratio = payload.size() <= packed_.size() * limits::kRatio;
  if (!gains || !within_ratio) {
    restart_ = true;  // the other side never sees this block, so no later one may refer to it
    return false;
  }
  append_head(number, restart_ ? kZstdRestart : kZstd, payload.size(), out);
  wire::put_bytes(out, packed_);
  restart_ = false;
  return true;
}

void FrameReader::feed(std::string_view bytes) {
  // Handed-out bytes are dropped once they are half of all: each byte is moved at most once more.
  if (at_ >= buffer_.size() - at_) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_ += bytes;
}

std::optional<FrameReader::Header> FrameReader::header() const {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty()) return std::nullopt;
  const auto head = static_cast<std::uint8_t>(rest.front());
  Header header{};
  header.packing = static_cast<std::uint8_t>(head >> kPackingShift);
  header.spec = find_spec(head & kNumberMask);
  if (header.spec == nullptr) {
    wire::malformed("unknown message number " + std::to_string(head & kNumberMask));
  }
  const std::string name(header.spec->name);
  if (header.packing > kZstdRestart) wire::malformed(name + " frame: unknown packing");
  if (header.packing != kPlain && !decompressor_) {
    wire::malformed(name + " frame: compressed, which was not agreed on");
  }
  if (header.packing == kZstd && !streaming_)
    wire::malformed(name + " frame: no compressed stream to go on with");

  header.length = 1;
  const auto size = partial_number(rest, header.length);
  if (!size) return std::nullopt;
  if (*size > header.spec->limit) {
    wire::malformed(name + " frame: " + std::to_string(*size) + " bytes are over its limit of " +
                    std::to_string(header.spec->limit));
  }
  header.size = *size;
  header.on_wire = *size;
  if (header.packing == kPlain) return header;

  const auto packed = partial_number(rest, header.length);
  if (!packed) return std::nullopt;
  // Ours are always shorter than the payload; the bound leaves room for another zstd's overhead.
  if (*packed > ZSTD_compressBound(header.size) + 64)
    wire::malformed(name + " frame: compressed size too large");
  if (header.size > *packed * limits::kRatio)
    wire::malformed(name + " frame: compressed beyond the ratio limit");
  header.on_wire = *packed;
  return header;
}

std::optional<FrameReader::Frame> FrameReader::next() {
  const auto head = header();
  if (!head || pending() - head->length < head->on_wire) return std::nullopt;
  const std::string_view body = std::string_view(buffer_).substr(at_ + head->length, head->on_wire);
  at_ += head->length + head->on_wire;
  if (head->packing == kPlain) return Frame{head->spec, body};

  if (head->packing == kZstdRestart) decompressor_->restart();
  streaming_ = true;
  unpacked_.clear();
  decompressor_->block(body, head->size, unpacked_);
  return Frame{head->spec, unpacked_};
}

}  // namespace xs
