// SPDX-License-Identifier: MIT
// Workers: one loop over many items, shared between a few threads. Called where a benchmark showed
// that a second thread pays: the second look at a large tree. All threads are gone when it returns.
#pragma once

#include <cstddef>
#include <functional>

namespace xs {

// Calls `work(first, last)` for ranges that together are [0, count), in no order, from this thread
// and, where there is enough to do and the system gives us some, from a few more. `between` is
// called now and then, from this thread only. When either throws, ranges that have not begun are
// left out, and the first exception is thrown again here.
void share_out(std::size_t count, const std::function<void(std::size_t, std::size_t)>& work,
               const std::function<void()>& between);

}  // namespace xs
