// SPDX-License-Identifier: MIT
// Numbers as rsync prints them. Pure; called by the statistics, the progress line and item formats.
#pragma once

#include <cstdint>
#include <string>

namespace xs {

// --no-human-readable, the default, -h, -hh.
enum class Human : std::uint8_t { Plain = 0, Grouped = 1, Thousands = 2, Binary = 3 };

// "1234567", "1,234,567", "1.23M", "1.18M".
std::string show_number(std::uint64_t value, Human human);
std::string show_number(double value, Human human, int decimals);
std::string show_grouped(double value, int decimals);  // "6,002,328.00"

}  // namespace xs
