// SPDX-License-Identifier: MIT
// One message of each kind with every field set to something telling: what the golden bytes hold,
// what the corruption tests damage and what the fuzzers start from.
#pragma once

#include <string>
#include <vector>

#include "protocol/messages.h"

namespace xs::test {

std::vector<Message> samples();

// A manifest part of a directory with every type of entry.
Entries sample_entries();

// A digest whose bytes count up from `first`.
Digest sample_digest(std::uint8_t first);

// The sample as one plain frame, which is what tests/golden/<name>.bin holds.
std::string frame_of(const Message& message);

std::string golden_path(const Message& message);

}  // namespace xs::test
