// SPDX-License-Identifier: MIT
// Destination: makes the directory that is synced into, where it is missing. Called by the receiver
// before it opens it. As with rsync the last component is made by itself, everything above it only
// with --mkpath; the umask decides about the modes.
#pragma once

#include <cstdint>
#include <string>

namespace xs {

enum class MakeDestination : std::uint8_t { Never, Last, Path };

// Whether anything was made. Io when a directory above it is missing (and what to do), or when one
// cannot be made.
bool make_destination(const std::string& path, MakeDestination make);

}  // namespace xs
