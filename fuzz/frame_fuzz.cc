// SPDX-License-Identifier: MIT
// Input: how large the pieces are, and what comes over the wire in one direction. Property: frames
// come out within their limits, the same ones whatever the pieces, or the stream is refused as a
// protocol error.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "protocol/frame.h"

namespace {

std::vector<std::string> frames(std::string_view wire, std::size_t piece) {
  std::vector<std::string> out;
  xs::FrameReader reader;
  reader.allow_compression();
  try {
    for (; !wire.empty(); wire.remove_prefix(std::min(piece, wire.size()))) {
      reader.feed(wire.substr(0, piece));
      while (const auto frame = reader.next()) {
        if (frame->payload.size() > frame->spec->limit) std::abort();
        out.emplace_back(frame->payload);
      }
    }
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::Protocol) std::abort();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return -1;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (frames(wire, 1U + data[0] % 16U) != frames(wire, size)) std::abort();
  return 0;
}
