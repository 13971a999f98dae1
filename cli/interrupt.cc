// SPDX-License-Identifier: MIT
#include "cli/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace xs::cli {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

std::atomic<int> g_caught{0};
std::atomic<int> g_pipe{-1};  // becomes readable, so that a wait that has just begun ends, too
Fd g_read_end;                // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
Fd g_write_end;               // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::array<struct sigaction, kSignals.size()> g_before{};

static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int number) {
  const int saved = errno;
  g_caught = number;
  const int fd = g_pipe;
  if (fd >= 0) {
    const char byte = 0;
    [[maybe_unused]] const ssize_t told = ::write(fd, &byte, 1);
  }
  errno = saved;
}

[[noreturn]] void throw_interrupted() {
  const int number = g_caught;
  throw Error(Fault::Interrupted, std::string("stopped by a signal (") + ::strsignal(number) +
                                      "); nothing was changed that is not complete");
}

}  // namespace

Interrupt::Interrupt() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw_errno("pipe2", "signals");
  g_read_end = Fd(ends[0]);
  g_write_end = Fd(ends[1]);
  g_caught = 0;
  g_pipe = g_write_end.get();
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals.at(i), nullptr, &g_before.at(i));
    // Whoever started us with nohup wants no hang-up to end us.
    if (g_before.at(i).sa_handler != SIG_IGN) ::sigaction(kSignals.at(i), &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals.at(i), &g_before.at(i), nullptr);
  }
  g_pipe = -1;
  g_read_end = Fd();
  g_write_end = Fd();
}

int Interrupt::caught() { return g_caught; }

int InterruptibleClock::poll(std::span<pollfd> fds, Instant deadline) {
  if (Interrupt::caught() != 0) throw_interrupted();
  if (!g_read_end) return clock_.poll(fds, deadline);
  std::vector<pollfd> all(fds.begin(), fds.end());
  all.push_back({g_read_end.get(), POLLIN, 0});
  const int ready = clock_.poll(all, deadline);
  if (Interrupt::caught() != 0) throw_interrupted();
  std::copy_n(all.begin(), fds.size(), fds.begin());
  return ready;
}

}  // namespace xs::cli
