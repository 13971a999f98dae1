// SPDX-License-Identifier: MIT
#include "protocol/compress.h"

#include <zstd.h>

#include <utility>

#include "base/error.h"
#include "protocol/limits.h"

namespace xs {
namespace {

// Level 3 costs a tenth of what a login costs for a tree of 100,000 entries; higher levels win 1-2
// % there.
constexpr int kLevel = 3;
constexpr int kWindowLog = static_cast<int>(limits::kWindowLog);

std::size_t checked(std::size_t result, Fault fault, const char* what) {
  if (ZSTD_isError(result) != 0U) {
    throw Error(fault, std::string(what) + ": " + ZSTD_getErrorName(result));
  }
  return result;
}

}  // namespace

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

Compressor::Compressor() : context_(ZSTD_createCCtx()) {
  if (!context_) throw Error(Fault::Memory, "no memory for compression");
  checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel), Fault::Memory,
          "zstd");
  checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, kWindowLog), Fault::Memory,
          "zstd");
}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;

void Compressor::restart() {
  checked(ZSTD_CCtx_reset(context_.get(), ZSTD_reset_session_only), Fault::Memory, "zstd");
}

void Compressor::block(std::string_view raw, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + ZSTD_compressBound(raw.size()) +
             64);  // 64: frame header and the flushed block's
  ZSTD_inBuffer input{raw.data(), raw.size(), 0};
  ZSTD_outBuffer output{out.data() + start, out.size() - start, 0};
  for (;;) {
    const std::size_t left = checked(
        ZSTD_compressStream2(context_.get(), &output, &input, ZSTD_e_flush), Fault::Memory, "zstd");
    if (left == 0 && input.pos == input.size) break;
    if (output.pos == output.size) {
      out.resize(out.size() + 4096);
      output = {out.data() + start, out.size() - start, output.pos};
    }
  }
  out.resize(start + output.pos);
}

void Decompressor::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

Decompressor::Decompressor() : context_(ZSTD_createDCtx()) {
  if (!context_) throw Error(Fault::Memory, "no memory for decompression");
  checked(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLog), Fault::Memory,
          "zstd");
}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;

void Decompressor::restart() {
  checked(ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only), Fault::Memory, "zstd");
}

void Decompressor::block(std::string_view wire, std::size_t raw_size, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + raw_size);
  ZSTD_inBuffer input{wire.data(), wire.size(), 0};
  ZSTD_outBuffer output{out.data() + start, raw_size, 0};
  for (;;) {
    const std::size_t before_in = input.pos;
    const std::size_t before_out = output.pos;
    checked(ZSTD_decompressStream(context_.get(), &output, &input), Fault::Protocol,
            "damaged compressed frame");
    if (input.pos == before_in && output.pos == before_out) break;
  }
  // Whatever does not fit into the announced size stays unread or inside the decoder: both are
  // refused.
  char beyond = 0;
  ZSTD_outBuffer extra{&beyond, 1, 0};
  if (input.pos == input.size && output.pos == raw_size) {
    ZSTD_inBuffer nothing{nullptr, 0, 0};
    checked(ZSTD_decompressStream(context_.get(), &extra, &nothing), Fault::Protocol,
            "damaged compressed frame");
  }
  if (input.pos != input.size || output.pos != raw_size || extra.pos != 0) {
    throw Error(Fault::Protocol, "a compressed frame does not hold what it announced");
  }
}

}  // namespace xs
