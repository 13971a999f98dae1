// SPDX-License-Identifier: MIT
// pull_once [--recover] [--quick] [--exclude PATTERN]... SERVE_ONCE SOURCE DESTINATION
// pull_once --via REMOTE_SHELL ... [USER@]HOST SOURCE DESTINATION
// The client's session for one tree, from serve_once as a child; what the crash harnesses kill.
// Prints "committed GENERATION" once nothing can take it back, "unchanged GENERATION" otherwise.
// --via asks a host through ssh instead; what serves there is for its forced command to say.
// --recover only completes or cleans up what an earlier run left.
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/exit.h"
#include "protocol/process_stream.h"
#include "protocol/transport.h"
#include "sync/hash.h"
#include "sync/receiver.h"

namespace {

using namespace xs;

std::uint64_t run_id() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

int report(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    std::fprintf(stderr, "problem: %s: %s\n", escape(problem.path).c_str(), problem.what.c_str());
  }
  return problems.empty() ? 0 : exit_code(Fault::Partial);
}

std::unique_ptr<Stream> open(const std::string& via, const std::vector<std::string>& names,
                             Clock& clock) {
  if (via.empty()) {
    return std::make_unique<ProcessStream>(std::vector<std::string>{names[0], names[1]}, clock);
  }
  TransportOptions transport;
  transport.remote_shell = via;
  return open_transport(parse_endpoint(names[0]), transport, clock);
}

int run(std::vector<std::string> words) {
  PullRequest request;
  bool recover_only = false;
  bool quick = false;
  std::vector<std::string> names;
  std::string via;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "--recover")
      recover_only = true;
    else if (words[at] == "--quick")
      quick = true;
    else if (words[at] == "--exclude" && at + 1 < words.size())
      request.filters.exclude(words[++at]);
    else if (words[at] == "--via" && at + 1 < words.size())
      via = words[++at];
    else
      names.push_back(words[at]);
  }
  if (names.size() != 3)
    throw Error(Fault::Usage, "pull_once [--recover] SERVE_ONCE SOURCE DESTINATION");
  request.root = names[1];
  request.destination = names[2];
  request.version = "pull_once";
  request.options.keep = {Keep::Permissions, Keep::Times,    Keep::Owner,
                          Keep::Group,       Keep::Symlinks, Keep::Hardlinks};
  request.options.scan = {Scan::Recursive};
  request.options.inline_limit = 4096;
  request.choose_compare = !quick;
  if (quick) request.options.compare = Compare::Quick;
  request.index_files = {"signer/keyconf.xml"};
  request.run_id = run_id();

  SteadyClock clock;
  if (recover_only) return report(Receiver(request, clock).recovery().problems);
  // The server scans while we do.
  const auto stream = open(via, names, clock);
  Receiver receiver(request, clock);
  Channel channel(*stream, Side::Client, clock, {}, clock.now() + std::chrono::hours(1));
  const PullResult result = receiver.run(channel);
  std::printf("%s %s\n", result.changed ? "committed" : "unchanged",
              to_hex(result.generation).c_str());
  return report(result.problems);
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("pull_once",
                           [&] { return run(std::vector<std::string>(argv + 1, argv + argc)); });
}
