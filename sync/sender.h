// SPDX-License-Identifier: MIT
// Sender: the server's session over one channel. Called by xroad-sync-server once the stream
// stands.
#pragma once

#include <string>

#include "protocol/channel.h"

namespace xs {

struct SenderConfig {
  std::string version;  // for the client's log
};

// From the preamble to the client's goodbye. A hello that names no root asks for a talk only
// (`xroad-sync probe`): it is welcomed, its pings are answered. Gives back the client's last words.
// Throws what ended the session early; the client has been told.
std::string serve(Channel& channel, const SenderConfig& config);

}  // namespace xs
