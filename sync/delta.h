// SPDX-License-Identifier: MIT
// Delta: librsync's jobs as objects: bytes are fed in, bytes come out through a sink in pieces of
// at most limits::kBlock. Memory does not depend on the size of a file, except for a signature,
// which is bounded. SignatureMaker and Patcher work for the receiver, DeltaMaker for the sender.
// Bytes of a peer that are malformed, lead out of the basis, or yield more than announced are an
// Error of class Protocol; what came out until then is to be thrown away.
#pragma once

#include <librsync.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sync/signature.h"

namespace xs {

using Sink = std::function<void(std::string_view)>;

// One librsync job with its output buffer.
class Job {
 public:
  explicit Job(rs_job_t* job);
  void limit_output(std::uint64_t bytes) { limit_ = bytes; }

  void feed(std::string_view in, const Sink& out) { run(in, false, out); }
  // The input is complete: the rest comes out. It is an error if the job wants more.
  void finish(const Sink& out);
  bool done() const { return done_; }
  std::uint64_t produced() const { return produced_; }
  // For callbacks of librsync: an exception that must not pass through C, thrown again by feed() or
  // finish().
  void keep(std::exception_ptr failure) noexcept { failure_ = std::move(failure); }

 private:
  struct Free {
    void operator()(rs_job_t* job) const noexcept { rs_job_free(job); }
  };
  void run(std::string_view in, bool last, const Sink& out);
  void flush(const Sink& out);
  [[noreturn]] void fail(rs_result result);

  std::unique_ptr<rs_job_t, Free> job_;
  std::vector<char> out_;
  std::size_t used_ = 0;
  std::uint64_t produced_ = 0;
  std::uint64_t limit_ = ~std::uint64_t{0};
  std::exception_ptr failure_;
  bool done_ = false;
};

class SignatureMaker {
 public:
  explicit SignatureMaker(std::uint64_t basis_size);
  void feed(std::string_view basis, const Sink& signature) { job_.feed(basis, signature); }
  void finish(const Sink& signature) { job_.finish(signature); }

 private:
  Job job_;
};

// The CPU time that a delta may take. An honest one takes 3 ns a byte; a signature made to match
// everywhere makes librsync hash a block at every byte.
struct DeltaBudget {
  std::chrono::nanoseconds start = std::chrono::seconds(2);
  std::chrono::nanoseconds a_mebibyte = std::chrono::milliseconds(50);
};

class DeltaMaker {
 public:
  // The signature must live as long as this.
  explicit DeltaMaker(const Signature& basis, DeltaBudget budget = {});
  void feed(std::string_view file, const Sink& delta);
  void finish(const Sink& delta);

 private:
  void spend(std::string_view piece, const Sink& delta);

  Job job_;
  DeltaBudget budget_;
  std::chrono::nanoseconds spent_{0};
  std::uint64_t fed_ = 0;
};

struct Basis {
  // pread: bytes at an offset; fewer than asked for only at the end.
  std::function<std::size_t(std::uint64_t offset, std::span<char> into)> read;
  std::uint64_t size = 0;
};

class Patcher {
 public:
  Patcher(Basis basis, std::uint64_t announced_size);
  void feed(std::string_view delta, const Sink& file);
  // The result has exactly the announced size.
  void finish(const Sink& file);

 private:
  struct State;
  struct Free {
    void operator()(State* state) const noexcept;
  };
  static rs_result copy(void* state, rs_long_t offset, std::size_t* length, void** buffer) noexcept;
  std::unique_ptr<State, Free> state_;  // librsync holds its address
};

}  // namespace xs
