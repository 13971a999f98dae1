// SPDX-License-Identifier: MIT
// The health port: X-Road's answers, byte for byte, to any path and method. Called by the HTTP
// server's thread; reads the board and the maintenance mode from memory.
#pragma once

#include <string_view>

#include "companion/board.h"
#include "companion/http_server.h"
#include "companion/maintenance.h"

namespace xs {

inline constexpr std::string_view kMaintenanceText =
    "Health check interface is in maintenance mode.";

HttpAnswer health_answer(const Board& board, const Maintenance& maintenance);

}  // namespace xs
