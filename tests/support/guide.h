// SPDX-License-Identifier: MIT
// The words of X-Road's cluster guide for a secondary's regular pull, as every node has them in its
// configuration, with the four that differ from node to node. Ours must understand them as they
// are.
#pragma once

#include <string>
#include <vector>

namespace xs::test {

inline std::vector<std::string> guide_words(const std::string& shell, const std::string& log,
                                            const std::string& source,
                                            const std::string& destination) {
  std::vector<std::string> words{"-e", shell, "-aqz", "--timeout=10", "--delete-delay"};
  for (const char* const left_out :
       {"db.properties", "/conf.d/node.ini", "*.tmp", "/postgresql", "/globalconf", "/gpghome"}) {
    words.insert(words.end(), {"--exclude", left_out});
  }
  words.insert(words.end(), {"--delay-updates", "--log-file=" + log, source, destination});
  return words;
}

}  // namespace xs::test
