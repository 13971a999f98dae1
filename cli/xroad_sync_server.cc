// SPDX-License-Identifier: MIT
// The server's main: started by sshd's forced command, it talks the protocol on stdin and stdout.
// It takes nothing from SSH_ORIGINAL_COMMAND, which the client chooses.
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "cli/exit.h"
#include "cli/server_session.h"

namespace {

using namespace xs;

constexpr std::string_view kAbout =
    "xroad-sync-server " XS_VERSION
    ": the primary's side of xroad-sync.\n"
    "sshd starts it for a secondary's key; it is of no use by hand. In authorized_keys:\n"
    "  restrict,command=\"/usr/bin/xroad-sync-server\" ssh-ed25519 AAAA... secondary\n"
    "What it serves stands in /etc/xroad-sync/server.ini, or in FILE with --config FILE; without\n"
    "either it serves /etc/xroad, but for what must not leave a node.\n"
    "To try the way from a secondary: xroad-sync probe USER@THIS-HOST\n";

int run(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--version" || first == "--help") {
    std::fwrite(kAbout.data(), 1, kAbout.size(), stdout);
    return 0;
  }
  std::optional<std::string> config;
  if (first == "--config" && argc == 3) config = argv[2];
  if (argc > 1 && !config)
    throw Error(Fault::Usage, "it takes no arguments but --config FILE; see --help");
  if (::isatty(STDIN_FILENO) == 1) {
    std::fwrite(kAbout.data(), 1, kAbout.size(), stderr);
    return exit_code(Fault::Usage);
  }
  SteadyClock clock;
  cli::serve_process(config, {}, clock);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("xroad-sync-server", [&] { return run(argc, argv); });
}
