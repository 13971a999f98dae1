// SPDX-License-Identifier: MIT
// WakeText: a wake action as the configuration writes it. Called by the configuration and by
// `config show`.
#pragma once

#include <string>
#include <string_view>

#include "sync/xroad/wake.h"

namespace xs {

// The configuration's text for it. Throws Usage with what is wrong:
//   none | signer | command /PATH ARG... | signal NAME UNIT | signal NAME /PID/FILE | reload UNIT
// Words are divided by blanks; "double quotes" hold a word with blanks together. SIGHUP to X-Road's
// signer is refused: it kills it.
WakeAction parse_wake(std::string_view text);
std::string wake_text(const WakeAction& action);  // the reverse

}  // namespace xs
