// SPDX-License-Identifier: MIT
// notify: tells systemd how the service is (Type=notify, WatchdogSec=): "READY=1", "WATCHDOG=1".
// Nobody listening is no failure.
#pragma once

#include <string_view>

namespace xs::cli {

void notify(std::string_view state) noexcept;

}  // namespace xs::cli
