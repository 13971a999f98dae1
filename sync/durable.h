// SPDX-License-Identifier: MIT
// Sealed bytes: how journal, areas and generation manifests stand on the disk. A magic of eight
// bytes, the length, the payload, and an XXH3-128 over all of it, so that what is torn, cut or
// rotten is never taken for something else. Called by journal, areas and generations.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sync/disk.h"

namespace xs {

inline constexpr std::size_t kSealedLimit = std::size_t{256} << 20;

std::string seal(std::string_view magic, std::string_view payload);
// The payload. Refuses (Protocol, like the reader of its fields) what does not verify.
std::string_view unseal(std::string_view magic, std::string_view sealed);

// Replaces dir/name so that a crash leaves the old one or the new one, and the new one once this
// returns: written to name.new, fsynced, renamed, directory fsynced. A failure before the rename
// removes the temporary.
void write_durably(Disk& disk, const std::string& dir, const std::string& name,
                   std::string_view bytes);

}  // namespace xs
