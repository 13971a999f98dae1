// SPDX-License-Identifier: MIT
// Lock: one run a destination. Taken by whoever is going to write, before recovery, held until the
// end. It is an flock on .xroad-sync/lock, so it ends with its holder, however that ends; the file
// stays, and with it the (private) staging directory: "nothing left behind" speaks of staged data.
// The file tells people who holds the lock; nothing is decided by what it says. Who only asks takes
// nothing, so that a question never refuses a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "sync/dir.h"

namespace xs {

struct AtWork {
  std::uint64_t process = 0;  // 0: not known
  std::int64_t since = 0;     // seconds of the epoch
};

class Lock {
 public:
  // Makes the staging area where it is missing. Held by another run: Error (Locked), at once, with
  // its process number and since when. Anything else: Io.
  static Lock take(const Dir& root);
  // The run that holds it now; nothing where there is no such destination. Throws (Io, Partial,
  // Selection) when that cannot be told.
  static std::optional<AtWork> at_work(const std::string& destination);

 private:
  explicit Lock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace xs
