// SPDX-License-Identifier: MIT
// pg_rewind fails where its dry run did not: before it has changed anything, and in the middle.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "companion/replication/rewind.h"
#include "tests/companion/replication/rejoiner.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

// PostgreSQL's programs, but before a pg_rewind that is no dry run the words of a shell are done.
std::string programs(const Node& node, const std::string& words) {
  const std::string real = node.cluster().bin;
  const std::string bin = node.dir() / "bin";
  fs::create_directory(bin);
  for (const auto& entry : fs::directory_iterator(real)) {
    const std::string name = entry.path().filename().string();
    if (name != "pg_rewind") fs::create_symlink(entry.path(), bin + "/" + name);
  }
  std::ofstream(bin + "/pg_rewind") << "#!/bin/sh\ncase \"$*\" in *--dry-run*) ;; *) " << words
                                    << " ;; esac\nexec " << real << "/pg_rewind \"$@\"\n";
  ::chmod(bin.c_str(), 0755);
  ::chmod((bin + "/pg_rewind").c_str(), 0755);
  return bin;
}

bool mixed(const Node& node) { return RewindPlace(node.cluster()).mixed(); }

}  // namespace

TEST_CASE("rejoin: a rewind that fails before it changes anything can be tried again",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  mark(pair);
  diverge(pair);
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  order.cluster.bin = programs(
      pair.ss1, pair.ss2.cluster().bin + "/pg_ctl -D " + pair.ss2.data() + " -s -m fast stop");
  check_refused(order, 44, "It has not changed anything yet");
  CHECK_FALSE(pair.ss2.running());
  CHECK_FALSE(pair.ss1.running());
  CHECK_FALSE(mixed(pair.ss1));
  CHECK(fs::exists(pair.ss1.data() + "/standby.signal"));
  pair.ss2.start();
  order.cluster.bin = pair.ss1.cluster().bin;
  CHECK_THAT(rejoined(order), Contains("is a standby of 127.0.0.1:"));
  check_follows(pair);
}

TEST_CASE("rejoin: a rewind that fails in the middle leaves a mixture", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  diverge(pair);
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  order.cluster.bin = programs(pair.ss1, "ulimit -f 8");  // no longer file is written
  check_refused(order, 44, "The data is a mixture of two histories now");
  CHECK(mixed(pair.ss1));
  CHECK_FALSE(pair.ss1.running());
  order.cluster.bin = pair.ss1.cluster().bin;
  check_refused(order, 25, "the data is a mixture of two histories");
}
