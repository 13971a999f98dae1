// SPDX-License-Identifier: MIT
// Words: the first look at a command line, as rsync's own parser (popt) sees it: bundles such as
// -aqz and -essh are taken apart, --name=value is divided, --no-NAME is recognised, everything
// after -- is a name. Pure. What we do not have is refused here: Unsupported, by name, for an
// option of rsync's; Usage for one that nobody knows. Long options are not abbreviated: rsync 3.5
// does not know `--dry` either.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/settings.h"

namespace xs::cli {

struct Word {
  const Setting* setting = nullptr;
  std::string written;  // "--no-perms", "-p": for messages and origins
  std::string value;    // of an option that takes one
  bool negated = false;
};

struct Words {
  Verb verb = Verb::Pull;
  bool help = false;     // --help, or -h and nothing else
  bool version = false;  // --version, -V
  std::string config_file;
  std::vector<Word> options;
  std::vector<std::string> names;  // what is no option, without the verb
  std::vector<std::string> notes;  // options that were accepted without effect
};

// `arguments` without the program's own name.
Words parse_words(const std::vector<std::string>& arguments);

}  // namespace xs::cli
