// SPDX-License-Identifier: MIT
// How a run of entries travels: sorted, each path as its difference from the one before, owners as
// numbers into two tables at the front. PROTOCOL.md, "Entries", has the layout. There is one
// encoding a value: the decoder refuses a shared prefix that could be longer, a field that could
// have been left out, a table out of order. It also refuses every name that could lead out of a
// tree, so the engine never sees one.
#pragma once

#include <string>
#include <string_view>

#include "protocol/messages.h"
#include "protocol/wire.h"

namespace xs {

// The order of a manifest: by bytes, with '/' before every other byte, so that a directory stands
// directly before what is below it.
bool path_less(std::string_view a, std::string_view b);

// One component that is safe to hand to the kernel: not empty, not "." or "..", no '/' and no NUL,
// not too long.
bool valid_name(std::string_view name);
// Components that are valid names, divided by single slashes; the empty path is the root.
bool valid_path(std::string_view path);

// Refuses (Error, Protocol) what the decoder would refuse.
void encode_entries(const Entries& entries, std::string& out);
Entries decode_entries(wire::Reader& in, Features negotiated);

}  // namespace xs
