// SPDX-License-Identifier: MIT
// What the ssh tests do with a stream once it is open.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "protocol/ssh_stream.h"

namespace xs::test {

// Everything until the end, at most `limit` bytes; Timeout when it does not come.
inline std::string read_to_end(Stream& stream, Clock& clock,
                               std::chrono::milliseconds time = std::chrono::seconds(20),
                               std::size_t limit = std::size_t{1} << 30) {
  std::string all;
  std::vector<char> piece(std::size_t{256} << 10);
  const Instant deadline = clock.now() + time;
  while (all.size() < limit) {
    const auto got = stream.read_some(piece);
    if (got == 0U) break;
    if (got) all.append(piece.data(), *got);
    if (clock.now() >= deadline) throw Error(Fault::Timeout, "the end does not come");
    if (!got) stream.wait(false, deadline);
  }
  return all;
}

inline void write_all(Stream& stream, std::string_view bytes, Clock& clock,
                      std::chrono::milliseconds time = std::chrono::seconds(20)) {
  const Instant deadline = clock.now() + time;
  while (!bytes.empty()) {
    const auto put = stream.write_some(bytes);
    bytes.remove_prefix(put.value_or(0));
    if (clock.now() >= deadline) throw Error(Fault::Timeout, "the stream takes no more");
    if (!put) stream.wait(true, deadline);
  }
}

// Bytes that no compressor and no coincidence produces twice.
inline std::string noise(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>(seed >> 56);
  }
  return bytes;
}

// The Error that the call throws.
template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("no error where one belongs");
}

inline bool has(const Error& error, std::string_view text) {
  return error.text().find(text) != std::string::npos;
}

}  // namespace xs::test
