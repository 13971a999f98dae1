// SPDX-License-Identifier: MIT
#include "tests/support/converse.h"

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <exception>
#include <thread>

#include "protocol/stdio_stream.h"

namespace xs::test {
namespace {

constexpr std::chrono::seconds kLongest{60};

std::exception_ptr run_side(Fd end, Side side, const Deadlines& deadlines,
                            const std::function<void(Channel&)>& work) {
  try {
    SteadyClock clock;
    Fd copy(::dup(end.get()));
    StdioStream stream(std::move(end), std::move(copy), clock);
    Channel channel(stream, side, clock, deadlines, clock.now() + kLongest);
    work(channel);
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

void converse(const std::function<void(Channel&)>& client,
              const std::function<void(Channel&)>& server, const Deadlines& deadlines) {
  std::array<int, 2> raw{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw.data()) != 0)
    throw_errno("socketpair", "test");
  Fd ours(raw[0]);
  std::exception_ptr thrown;
  std::thread other([&, end = Fd(raw[1])]() mutable {
    thrown = run_side(std::move(end), Side::Server, deadlines, server);
  });
  const std::exception_ptr first = run_side(std::move(ours), Side::Client, deadlines, client);
  other.join();
  if (first) std::rethrow_exception(first);
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace xs::test
