// SPDX-License-Identifier: MIT
// serve_once ROOT: the server's session for one tree, on stdin and stdout. For the harnesses that
// need the engine without ssh and without a configuration.
#include <cstdio>

#include "cli/exit.h"
#include "protocol/stdio_stream.h"
#include "sync/sender.h"

int main(int argc, char** argv) {
  return xs::cli::run_main("serve_once", [&] {
    if (argc != 2) throw xs::Error(xs::Fault::Usage, "serve_once ROOT");
    xs::SteadyClock clock;
    const xs::Deadlines deadlines;
    xs::StdioStream stream = xs::StdioStream::of_process(clock);
    xs::Channel channel(stream, xs::Side::Server, clock, deadlines,
                        clock.now() + std::chrono::hours(1));
    xs::SenderConfig config;
    config.version = "serve_once";
    config.root = argv[1];
    // What pull_once comes with: the scan begins before its hello is here.
    config.expected.emplace();
    config.expected->options.compare = xs::Compare::Quick;
    config.expected->options.keep = {xs::Keep::Permissions, xs::Keep::Times,
                                     xs::Keep::Owner,       xs::Keep::Group,
                                     xs::Keep::Symlinks,    xs::Keep::Hardlinks};
    config.expected->options.scan = {xs::Scan::Recursive};
    xs::serve(channel, config, clock);
    return 0;
  });
}
