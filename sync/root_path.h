// SPDX-License-Identifier: MIT
// RootPath: the one path that is followed: the operator's. Called by Dir::open_root(), and the room
// of the two calls that it shares with Dir, so that nobody else needs *at.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"

namespace xs {

// An O_PATH descriptor of what the path leads to. A symbolic link in it is followed when root or we
// own it, refused otherwise (Selection, like a path that is no directory). One that is missing or
// closed to us is Partial.
Fd resolve_root(const std::string& root);

// openat(2) for as long as a signal interrupts it; an empty descriptor leaves the errno.
int open_retried(int fd, const char* name, int flags, unsigned mode = 0);
// Nothing: errno says why.
std::optional<std::string> read_link(int fd, const char* name);

}  // namespace xs
