// SPDX-License-Identifier: MIT
#include "sync/report/progress.h"

#include <fcntl.h>

#include "base/io.h"
#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace xs {
namespace {

struct Drawn {
  test::ManualClock clock;
  std::string text;
  ProgressLine line{clock, [this](std::string_view more) { text += more; }};
  std::string take() { return std::exchange(text, ""); }
};

TEST_CASE("progress: the line is that of --info=progress2", "[report]") {
  Drawn drawn;
  drawn.clock.advance(std::chrono::seconds(2));
  drawn.line.update({3, 10, 2'048'000, 4'096'000});
  CHECK(drawn.take() == "\r      2,048,000  50% 1000.00kB/s    0:00:02 (xfr#3, to-chk=7/10)");
  drawn.clock.advance(std::chrono::seconds(2));
  drawn.line.update({10, 10, 4'096'000, 4'096'000});
  CHECK(drawn.take() == "\r      4,096,000 100% 1000.00kB/s    0:00:00 (xfr#10, to-chk=0/10)");
  drawn.line.finish();
  CHECK(drawn.take() == "\r      4,096,000 100% 1000.00kB/s    0:00:04 (xfr#10, to-chk=0/10)\n");
  drawn.line.finish();
  CHECK(drawn.take() == "");
}

TEST_CASE("progress: it draws at most ten times a second, and always the end", "[report]") {
  Drawn drawn;
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    drawn.clock.advance(std::chrono::milliseconds(1));
    drawn.line.update({i, 1000, i, 1000});
  }
  CHECK(std::count(drawn.text.begin(), drawn.text.end(), '\r') == 10);
  drawn.take();
  drawn.line.finish();
  CHECK(drawn.take().find("xfr#1000, to-chk=0/1000") != std::string::npos);
}

TEST_CASE("progress: no state of a run breaks the line", "[report]") {
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  for (const Progress state :
       {Progress{}, Progress{5, 1, 9, 3}, Progress{kMost, kMost, kMost, kMost},
        Progress{0, kMost, 1, kMost}}) {
    Drawn drawn;
    drawn.line.update(state);
    drawn.clock.advance(std::chrono::hours(20000));
    drawn.line.update(state);
    drawn.line.finish();
    CHECK(std::count(drawn.text.begin(), drawn.text.end(), '\n') == 1);
    CHECK(drawn.text.find("-nan") == std::string::npos);
  }
}

TEST_CASE("progress: nothing is drawn that nobody watches, unless asked for", "[report]") {
  const Fd null = open_file("/dev/null", O_WRONLY);
  CHECK_FALSE(wants_progress(null.get(), false, false));
  CHECK(wants_progress(null.get(), true, false));
  CHECK_FALSE(wants_progress(null.get(), true, true));
}

}  // namespace
}  // namespace xs
