// SPDX-License-Identifier: MIT
// A TCP port that is free on every address of this host, for a server that is started later, or on
// which nobody is to listen. It stays this process's own, also against tests that run beside it,
// and lies below the range from which the kernel takes ports by itself. Throws when all are taken.
#pragma once

#include <cstdint>

namespace xs::test {

std::uint16_t free_port();

}  // namespace xs::test
