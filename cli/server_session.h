// SPDX-License-Identifier: MIT
// The server's session from its configuration: sandbox, sender, log. Called by main once it knows
// that stdin is a client. Every failure, a wrong configuration too, reaches the client as an Abort
// with its class, and the log.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/server_config.h"
#include "sync/sender.h"

namespace xs::cli {

// When a root may be copied from; throws when it may not. Runs inside the sandbox, which lets it
// read below the root and ServerRoot::node_ini.
using SourceCheck = std::function<void(const ServerRoot&)>;

// What sender.h wants, for every path that the configuration serves. All must outlive it.
SenderConfig sender_config(const ServerConfig& config, const SourceCheck& check,
                           SessionAccount* account = nullptr);

// Serves stdin and stdout. `file`: ServerConfig's, from --config. Throws what ended the session.
void serve_process(const std::optional<std::string>& file, const SourceCheck& check, Clock& clock);

}  // namespace xs::cli
