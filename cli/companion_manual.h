// SPDX-License-Identifier: MIT
// CompanionManual: the pages of xroad-companion: their prose (docs/man/*.in) with the keys of the
// one table, and with the verbs as the program itself lists them (`xroad-companion manual`). Called
// by the generator of the pages (docs/generate.cc) and by the test that holds the pages equal to
// it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace xs::cli {

// Parts: @COMPANION_VERBS@, @COMPANION_KEYS@, and those of manual.h.
std::string companion_page(std::string_view prose, const std::string& verbs);

}  // namespace xs::cli
