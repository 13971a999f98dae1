// SPDX-License-Identifier: MIT
// login_bench: what `ssh -p PORT -i KEY USER@127.0.0.1 true` does, through open_ssh(): connect, log
// in, start the program, read to its end, go. login.py times it from start to exit.
//   login_bench PORT USER KEY KNOWN_HOSTS
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/clock.h"
#include "protocol/ssh_stream.h"

namespace {

using namespace xs;

void run(char** arguments) {
  SshTarget target;
  target.host = "127.0.0.1";
  target.port = static_cast<std::uint16_t>(std::strtoul(arguments[1], nullptr, 10));
  target.user = arguments[2];
  target.identity_files = {arguments[3]};
  target.known_hosts_files = {arguments[4]};
  target.command = "true";
  target.use_agent = false;

  SteadyClock clock;
  const Deadlines deadlines;
  const auto stream = open_ssh(target, deadlines, clock);
  const Instant deadline = clock.now() + deadlines.idle;
  std::array<char, 4096> buffer{};
  while (stream->read_some(buffer).value_or(1) != 0) {
    if (clock.now() >= deadline) throw Error(Fault::Timeout, "`true` does not end");
    stream->wait(false, deadline);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: login_bench PORT USER KEY KNOWN_HOSTS\n", stderr);
    return 1;
  }
  try {
    run(argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "login_bench: %s\n", error.what());
    return 1;
  }
}
