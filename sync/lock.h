// SPDX-License-Identifier: MIT
// Lock: one run a destination. Taken by whoever is going to write, before recovery, held until the
// end. It is an flock on .xroad-sync/lock, so it ends with its holder, however that ends; the file
// stays, and with it the (private) staging directory: "nothing left behind" speaks of staged data.
// The file tells people who holds the lock; nothing is decided by what it says.
#pragma once

#include "base/fd.h"
#include "sync/dir.h"

namespace xs {

class Lock {
 public:
  // Makes the staging area where it is missing. Held by another run: Error (Locked), at once, with
  // its process number and since when. Anything else: Io.
  static Lock take(const Dir& root);

 private:
  explicit Lock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace xs
