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

constexpr std::chrono::seconds kLongest{300};

std::exception_ptr run_side(Fd end, Side side, const Deadlines& deadlines, const Damage& damage,
                            const std::function<void(Channel&)>& work, Traffic& traffic) {
  SteadyClock clock;
  Fd copy(::dup(end.get()));
  StdioStream inner(std::move(end), std::move(copy), clock);
  FaultyStream stream(inner, damage);
  std::exception_ptr thrown;
  try {
    Channel channel(stream, side, clock, deadlines, clock.now() + kLongest);
    work(channel);
  } catch (...) {
    thrown = std::current_exception();
  }
  traffic = {stream.bytes_in(), stream.bytes_out()};
  return thrown;
}

}  // namespace

Traffic converse(const std::function<void(Channel&)>& client,
                 const std::function<void(Channel&)>& server, const Deadlines& deadlines,
                 const Damage& damage) {
  std::array<int, 2> raw{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw.data()) != 0) {
    throw_errno("socketpair", "test");
  }
  Fd ours(raw[0]);
  Traffic traffic;
  Traffic theirs;
  std::exception_ptr thrown;
  std::thread other([&, end = Fd(raw[1])]() mutable {
    thrown = run_side(std::move(end), Side::Server, deadlines, {}, server, theirs);
  });
  const std::exception_ptr first =
      run_side(std::move(ours), Side::Client, deadlines, damage, client, traffic);
  other.join();
  if (first) std::rethrow_exception(first);
  if (thrown) std::rethrow_exception(thrown);
  return traffic;
}

}  // namespace xs::test
