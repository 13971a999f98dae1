// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <signal.h>
#include <sys/time.h>

#include <algorithm>
#include <array>

#include "base/fd.h"
#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

volatile sig_atomic_t g_ticks = 0;

// SIGALRM every millisecond, without SA_RESTART.
class Ticks {
 public:
  Ticks() {
    g_ticks = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { g_ticks = g_ticks + 1; };
    ::sigaction(SIGALRM, &action, &before_);
    const itimerval every{{0, 1000}, {0, 1000}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
  }
  ~Ticks() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  Ticks(const Ticks&) = delete;
  Ticks& operator=(const Ticks&) = delete;

 private:
  struct sigaction before_ {};
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  void feed() { REQUIRE(::write(in.get(), "x", 1) == 1); }
  Fd out, in;
};

}  // namespace

TEST_CASE("clock: a wait ends at its deadline, never before", "[base]") {
  SteadyClock clock;
  for (const Duration wait : {Duration(1us), Duration(130us), Duration(999us), Duration(1001us),
                              Duration(2500us), Duration(7ms)}) {
    const Instant deadline = clock.now() + wait;
    CHECK(clock.poll({}, deadline) == 0);
    CHECK(clock.now() >= deadline);
  }
}

TEST_CASE("clock: a wait of 0.3 ms is not rounded up to a millisecond", "[base]") {
  SteadyClock clock;
  Duration best = 1h;
  for (int i = 0; i < 100; ++i) {  // a busy machine may delay some, not all
    const Instant start = clock.now();
    clock.poll({}, start + 300us);
    best = std::min(best, Duration(clock.now() - start));
  }
  CHECK(best >= 300us);
  CHECK(best < 900us);
}

TEST_CASE("clock: signals do not end a wait", "[base]") {
  SteadyClock clock;
  Pipe pipe;
  pollfd one{pipe.out.get(), POLLIN, 0};
  const Ticks ticks;
  const Instant deadline = clock.now() + 25ms;
  CHECK(clock.poll({&one, 1}, deadline) == 0);
  CHECK(clock.now() >= deadline);
  CHECK(g_ticks > 2);
}

TEST_CASE("clock: a ready descriptor ends the wait at once", "[base]") {
  SteadyClock clock;
  Pipe pipe;
  pipe.feed();
  pollfd one{pipe.out.get(), POLLIN, 0};
  CHECK(clock.poll({&one, 1}, Instant::max()) == 1);
  CHECK((one.revents & POLLIN) != 0);
}

TEST_CASE("clock: poll counts what is ready, a hang-up too", "[base]") {
  SteadyClock clock;
  Pipe quiet, fed, gone;
  fed.feed();
  gone.in = Fd();
  std::array<pollfd, 3> fds{
      {{quiet.out.get(), POLLIN, 0}, {fed.out.get(), POLLIN, 0}, {gone.out.get(), POLLIN, 0}}};
  CHECK(clock.poll(fds, clock.now() + 1h) == 2);
  CHECK(fds[0].revents == 0);
  CHECK((fds[2].revents & POLLHUP) != 0);
}

TEST_CASE("clock: a deadline in the past looks once and does not wait", "[base]") {
  SteadyClock clock;
  Pipe pipe;
  pollfd one{pipe.out.get(), POLLIN, 0};
  CHECK(clock.poll({&one, 1}, clock.now() - 1h) == 0);
  CHECK(clock.poll({&one, 1}, Instant::min()) == 0);
  pipe.feed();
  CHECK(clock.poll({&one, 1}, Instant::min()) == 1);
}

TEST_CASE("clock: a manual clock stands still until it is moved", "[base]") {
  test::ManualClock clock;
  const Instant start = clock.now();
  CHECK(clock.now() == start);
  clock.advance(90min);
  CHECK(clock.now() == start + 90min);
}

TEST_CASE("clock: a manual clock jumps to the deadline of a wait for nothing", "[base]") {
  test::ManualClock clock;
  Pipe pipe;
  pollfd one{pipe.out.get(), POLLIN, 0};
  const Instant deadline = clock.now() + 24h;
  CHECK(clock.poll({&one, 1}, deadline) == 0);
  CHECK(clock.now() == deadline);
  CHECK(clock.poll({&one, 1}, deadline - 1h) == 0);
  CHECK(clock.now() == deadline);
}

TEST_CASE("clock: a manual clock does not move when something is ready", "[base]") {
  test::ManualClock clock;
  Pipe pipe;
  pipe.feed();
  pollfd one{pipe.out.get(), POLLIN, 0};
  const Instant start = clock.now();
  CHECK(clock.poll({&one, 1}, start + 24h) == 1);
  CHECK(clock.now() == start);
}

}  // namespace xs
