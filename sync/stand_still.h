// SPDX-License-Identifier: MIT
// StandStill: whether a tree is still as a scan found it, for a fraction of a second scan's time
// and memory: one look at each entry. Called by ServedTree before a seal.
#pragma once

#include <cstdint>
#include <functional>

#include "sync/scan.h"

namespace xs {

// The kernel's own clock for time stamps of files, which advances with the timer interrupt: 10 ms
// where it is slowest. kFileTick is twice that, to be safe.
inline constexpr std::int64_t kFileTick = 20'000'000;
std::int64_t file_clock();

// True: every entry has the stamp that the scan saw, and no directory has another set of names. A
// directory shows that by its ctime, unless that is no older than `scanned`, the file clock when
// the scan began: then only a new scan can tell, and this says false, as it does for everything
// that is not plain. `pulse` is called often, from this thread only.
bool stands_still(const Dir& root, const ScanResult& tree, std::int64_t scanned,
                  const std::function<void()>& pulse);

}  // namespace xs
