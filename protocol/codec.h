// SPDX-License-Identifier: MIT
// Codec: a message to the bytes of a frame's payload and back, driven by the field lists of
// messages.h. There is one encoding a value: decode(encode(m)) == m, and encode(decode(b)) == b for
// every b that decodes. decode() checks every limit before it allocates; what it refuses is an
// Error of class Protocol that names the message. encode() refuses what the other side would
// refuse, so a mistake is found where it is made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/messages.h"

namespace xs {

// Appends the payload.
void encode(const Message& message, std::string& out);

// The spec with this number, or nullptr.
const Spec* find_spec(std::uint8_t number);

// `negotiated` is what both sides have; before the welcome it is what we offer.
Message decode(std::uint8_t number, std::string_view payload, Features negotiated);

}  // namespace xs
