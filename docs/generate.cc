// SPDX-License-Identifier: MIT
// xs_docs ROOT: writes what follows from the tables of settings into the source tree: the manual
// pages from their prose (docs/man/*.in), and the example configurations. The companion's verbs are
// asked of the program itself. Tests hold the files equal to this.
#include <cstdio>
#include <fstream>
#include <string>

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "cli/companion_manual.h"
#include "cli/exit.h"
#include "cli/manual.h"
#include "cli/show_config.h"
#include "companion/node_settings.h"

namespace {

using namespace xs;

void write(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) throw_errno("write", file);
  std::printf("%s\n", file.c_str());
}

std::string companion_verbs() {
  SteadyClock clock;
  ChildRequest request;
  request.argv = {XS_COMPANION, "manual"};
  request.environment = plain_environment();
  request.output_limit = std::size_t{1} << 20;
  const ChildResult result = run_child(request, clock);
  if (!result.ok()) throw Error(Fault::Start, request.argv[0] + " " + result.words());
  return result.output;
}

int run(int argc, char** argv) {
  if (argc != 2) throw Error(Fault::Usage, "xs_docs ROOT");
  const std::string root = argv[1];
  constexpr std::size_t kLimit = std::size_t{1} << 20;
  for (const char* page : {"xroad-sync.1", "xroad-sync.ini.5", "xroad-sync-server.8"}) {
    const std::string file = root + "/docs/man/" + page;
    write(file, cli::manual_page(read_file(file + ".in", kLimit)));
  }
  const std::string verbs = companion_verbs();
  for (const char* page : {"xroad-companion.1", "companion.ini.5"}) {
    const std::string file = root + "/docs/man/" + page;
    write(file, cli::companion_page(read_file(file + ".in", kLimit), verbs));
  }
  write(root + "/systemd/xroad-sync.ini.example", cli::example_config());
  write(root + "/systemd/companion.ini.example", example_ini());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("xs_docs", [&] { return run(argc, argv); });
}
