// SPDX-License-Identifier: MIT
// Pause: whether runs are to do nothing for now, and who said so. Two things pause: the guide's
// flag file, which an upgrade of X-Road touches, and our own state file, which `xroad-sync pause`
// writes and which can also say who, why and until when. Read by every pull before anything else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/config.h"
#include "sync/report/status.h"

namespace xs::cli {

inline constexpr std::size_t kPauseLimit = 64U << 10;  // bytes of the state file

// The pause that holds now. A state file that is over is none; one that cannot be understood
// pauses, because somebody meant to. Throws Io when it cannot be told whether there is one.
std::optional<StatusPause> find_pause(const PauseConfig& config, WallSeconds now);

// "by root since 14:02: upgrade; until 16:00": for messages.
std::string pause_words(const StatusPause& pause);

// Whether a run is at work in this destination now.
StatusRunning find_running(const std::string& destination);
// "the run of process 123, at work since 2026-11-22 14:02"
std::string running_words(const StatusRunning& running);

// "30m", "2h", "1d" from now on; "16:00", the next one; "2026-11-21 16:00[:30]". Throws Usage.
WallSeconds parse_until(std::string_view text, WallSeconds now);

// The text of a state file and back. Pure.
std::string encode_pause(const StatusPause& pause);
StatusPause decode_pause(std::string_view text, const std::string& file);

}  // namespace xs::cli
