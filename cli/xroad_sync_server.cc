// SPDX-License-Identifier: MIT
// The server's main: started by sshd's forced command, it talks the protocol on stdin and stdout.
// It takes nothing from SSH_ORIGINAL_COMMAND, which the client chooses.
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "cli/exit.h"
#include "protocol/channel.h"
#include "protocol/stdio_stream.h"
#include "sync/sender.h"

namespace {

using namespace xs;

constexpr std::string_view kAbout =
    "xroad-sync-server " XS_VERSION
    ": the primary's side of xroad-sync.\n"
    "sshd starts it for a secondary's key; it is of no use by hand. In authorized_keys:\n"
    "  restrict,command=\"/usr/bin/xroad-sync-server\" ssh-ed25519 AAAA... secondary\n"
    "To try the way from a secondary: xroad-sync probe USER@THIS-HOST\n";

int run(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--version" || first == "--help") {
    std::fwrite(kAbout.data(), 1, kAbout.size(), stdout);
    return 0;
  }
  if (argc > 1) throw Error(Fault::Usage, "it takes no arguments; see --help");
  if (::isatty(STDIN_FILENO) == 1) {
    std::fwrite(kAbout.data(), 1, kAbout.size(), stderr);
    return exit_code(Fault::Usage);
  }
  SteadyClock clock;
  const Deadlines deadlines;
  StdioStream stream = StdioStream::of_process(clock);
  Channel channel(stream, Side::Server, clock, deadlines, clock.now() + std::chrono::hours(1));
  SenderConfig config;
  config.version = "xroad-sync-server " XS_VERSION;
  serve(channel, config, clock);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("xroad-sync-server", [&] { return run(argc, argv); });
}
