// SPDX-License-Identifier: MIT
#include "sync/delta.h"

#include <spdlog/spdlog.h>
#include <time.h>

#include <algorithm>
#include <new>
#include <string>

#include "base/error.h"
#include "protocol/limits.h"

namespace xs {
namespace {

// Between two looks at the CPU clock: at the worst, a block is hashed for every byte of it.
constexpr std::size_t kStep = 16'384;
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

// librsync has one log function for the process; the first job sets it.
void route_log() {
  static const bool routed = [] {
    rs_trace_set_level(RS_LOG_INFO);
    rs_trace_to([](rs_loglevel, const char* text) {
      try {
        spdlog::debug("librsync: {}", text);
      } catch (...) {
        return;  // a log that fails must not end a transfer, nor pass an exception through C
      }
    });
    return true;
  }();
  (void)routed;
}

std::chrono::nanoseconds cpu_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

// ---- Job
// --------------------------------------------------------------------------------------------------

Job::Job(rs_job_t* job) : job_(job), out_(limits::kBlock) {
  if (!job_) throw std::bad_alloc();
  route_log();
}

void Job::fail(rs_result result) {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (result == RS_MEM_ERROR) throw std::bad_alloc();
  throw Error(Fault::Protocol,
              std::string("the delta or signature is malformed: ") + rs_strerror(result));
}

void Job::flush(const Sink& out) {
  if (used_ > 0) out({out_.data(), std::exchange(used_, 0)});
}

void Job::run(std::string_view in, bool last, const Sink& out) {
  rs_buffers_t buffers{};
  buffers.next_in = const_cast<char*>(in.data());  // librsync does not write to it
  buffers.avail_in = in.size();
  buffers.eof_in = last ? 1 : 0;
  while (!done_) {
    const std::size_t room = out_.size() - used_;
    buffers.next_out = out_.data() + used_;
    buffers.avail_out = room;
    const rs_result result = rs_job_iter(job_.get(), &buffers);
    const std::size_t made = room - buffers.avail_out;
    used_ += made;
    produced_ += made;
    if (result != RS_DONE && result != RS_BLOCKED) fail(result);
    if (produced_ > limit_)
      throw Error(Fault::Protocol, "a delta yields more bytes than were announced");
    const bool full = used_ == out_.size();
    if (full) flush(out);
    done_ = result == RS_DONE;
    if (!done_ && !full && buffers.avail_in == 0) {
      if (last) fail(RS_INPUT_ENDED);
      return;
    }
  }
  if (buffers.avail_in > 0)
    throw Error(Fault::Protocol, "a delta or signature goes on behind its end");
}

void Job::finish(const Sink& out) {
  run({}, true, out);
  flush(out);
}

// ---- signature and delta
// ----------------------------------------------------------------------------------

SignatureMaker::SignatureMaker(std::uint64_t basis_size)
    : job_(rs_sig_begin(block_length(basis_size), delta::kStrong, RS_RK_BLAKE2_SIG_MAGIC)) {}

DeltaMaker::DeltaMaker(const Signature& basis, DeltaBudget budget)
    : job_(rs_delta_begin(basis.get())), budget_(budget) {}

void DeltaMaker::feed(std::string_view file, const Sink& delta) {
  for (std::size_t at = 0; at < file.size(); at += kStep) spend(file.substr(at, kStep), delta);
}

void DeltaMaker::spend(std::string_view piece, const Sink& delta) {
  const std::chrono::nanoseconds start = cpu_time();
  job_.feed(piece, delta);
  spent_ += cpu_time() - start;
  fed_ += piece.size();
  const auto allowed =
      budget_.start + budget_.a_mebibyte * static_cast<std::int64_t>(fed_ / kMebibyte);
  if (spent_ > allowed) {
    throw Error(Fault::Protocol,
                "the delta signature is refused: it makes the delta too expensive");
  }
}

void DeltaMaker::finish(const Sink& delta) { job_.finish(delta); }

// ---- Patcher
// ----------------------------------------------------------------------------------------------

struct Patcher::State {
  State(Basis from, std::uint64_t size)
      : basis(std::move(from)), announced(size), job(rs_patch_begin(&Patcher::copy, this)) {
    job.limit_output(size);
  }

  std::size_t read(std::uint64_t offset, std::span<char> into) const {
    if (offset > basis.size || into.size() > basis.size - offset) {
      throw Error(Fault::Protocol, "a delta copies from beyond the end of its basis");
    }
    std::size_t have = 0;
    while (have < into.size()) {
      const std::size_t got = basis.read(offset + have, into.subspan(have));
      if (got == 0) throw Error(Fault::Io, "the basis of a delta became shorter while it was used");
      have += got;
    }
    return have;
  }

  Basis basis;
  std::uint64_t announced;
  Job job;
};

void Patcher::Free::operator()(State* state) const noexcept { delete state; }

Patcher::Patcher(Basis basis, std::uint64_t announced_size)
    : state_(new State(std::move(basis), announced_size)) {}

rs_result Patcher::copy(void* state, rs_long_t offset, std::size_t* length,
                        void** buffer) noexcept {
  auto* self = static_cast<State*>(state);
  try {
    // A negative offset is a huge one, and so beyond the end.
    *length =
        self->read(static_cast<std::uint64_t>(offset), {static_cast<char*>(*buffer), *length});
    return RS_DONE;
  } catch (...) {
    self->job.keep(std::current_exception());
    return RS_IO_ERROR;
  }
}

void Patcher::feed(std::string_view delta, const Sink& file) { state_->job.feed(delta, file); }

void Patcher::finish(const Sink& file) {
  state_->job.finish(file);
  if (state_->job.produced() != state_->announced) {
    throw Error(Fault::Protocol, "a delta yields fewer bytes than were announced");
  }
}

}  // namespace xs
