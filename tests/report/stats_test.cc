// SPDX-License-Identifier: MIT
#include "sync/report/stats.h"

#include "tests/support/catch.h"

namespace xs {
namespace {

TEST_CASE("numbers: grouped, in thousands and in powers of 1024 as rsync prints them", "[report]") {
  CHECK(show_number(std::uint64_t{0}, Human::Grouped) == "0");
  CHECK(show_number(std::uint64_t{999}, Human::Grouped) == "999");
  CHECK(show_number(std::uint64_t{1000}, Human::Grouped) == "1,000");
  CHECK(show_number(std::uint64_t{3'001'072}, Human::Grouped) == "3,001,072");
  CHECK(show_number(std::uint64_t{1'234'567}, Human::Plain) == "1234567");
  CHECK(show_number(std::uint64_t{999}, Human::Thousands) == "999");
  CHECK(show_number(std::uint64_t{1000}, Human::Thousands) == "1.00K");
  CHECK(show_number(std::uint64_t{1023}, Human::Binary) == "1,023");
  CHECK(show_number(std::uint64_t{1024}, Human::Binary) == "1.00K");
  CHECK(show_number(std::uint64_t{6'000'000}, Human::Thousands) == "6.00M");
  CHECK(show_number(~std::uint64_t{0}, Human::Grouped) == "18,446,744,073,709,551,615");
  CHECK(show_number(~std::uint64_t{0}, Human::Thousands) == "18446.74P");
  CHECK(show_number(6'002'328.0, Human::Grouped, 2) == "6,002,328.00");
  CHECK(show_number(0.5, Human::Thousands, 2) == "0.50");
  CHECK(show_grouped(1234.5, 3) == "1,234.500");
  CHECK(show_grouped(-1234.5, 1) == "-1,234.5");
  CHECK(show_grouped(-123.0, 0) == "-123");
}

TEST_CASE("stats: the block is rsync's", "[report]") {
  RunStats stats;
  stats.files = {3, 2, 2, 1, 1};
  stats.created = {1, 0, 0, 0, 0};
  stats.transferred = 2;
  stats.total_size = 3'000'016;
  stats.transferred_size = 3'000'000;
  stats.literal = 1'000'000;
  stats.list_size = 215;
  stats.scanning = std::chrono::milliseconds(1);
  stats.sent = 92;
  stats.received = 3'001'072;
  CHECK(stats_block(stats, Human::Grouped) ==
        "\nNumber of files: 9 (reg: 3, dir: 2, link: 2, dev: 1, special: 1)\n"
        "Number of created files: 1 (reg: 1)\n"
        "Number of deleted files: 0\n"
        "Number of regular files transferred: 2\n"
        "Total file size: 3,000,016 bytes\n"
        "Total transferred file size: 3,000,000 bytes\n"
        "Literal data: 1,000,000 bytes\n"
        "Matched data: 2,000,000 bytes\n"
        "File list size: 215\n"
        "File list generation time: 0.001 seconds\n"
        "File list transfer time: 0.000 seconds\n"
        "Total bytes sent: 92\n"
        "Total bytes received: 3,001,072\n");
  CHECK(totals(stats, Human::Grouped) ==
        "\nsent 92 bytes  received 3,001,072 bytes  6,002,328.00 bytes/sec\n"
        "total size is 3,000,016  speedup is 1.00\n");
  CHECK(totals(stats, Human::Thousands).find("received 3.00M bytes  6.00M bytes/sec") !=
        std::string::npos);
}

TEST_CASE("stats: what did not come over the wire is never less than nothing", "[report]") {
  RunStats stats;
  stats.transferred_size = 1;
  stats.literal = 5;
  CHECK(stats.matched() == 0);
  CHECK(totals({}, Human::Grouped).find("speedup is 0.00") != std::string::npos);
}

}  // namespace
}  // namespace xs
