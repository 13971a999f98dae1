// SPDX-License-Identifier: MIT
// --chmod: what a specification does to modes, against the real rsync, and what is none. XS_SEED
// sets the seed.
#include "sync/mode_spec.h"

#include <sys/stat.h>

#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "sync/transfer_policy.h"
#include "tests/support/catch.h"
#include "tests/support/mixes.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"

using namespace xs;
using test::chance;
using test::Mix;
using test::one_of;
using test::plain;
using test::rsync_is_here;
using test::setting;
using test::TempTree;

TEST_CASE("mode_spec: random specifications change modes as rsync's --chmod does", "[sync]") {
  if (!rsync_is_here()) return;
  const std::uint64_t seed = test::random_seed();
  INFO("XS_SEED=" << seed);
  std::mt19937_64 random(seed);
  static const std::vector<std::string> kWho = {"",   "u",  "g",  "o", "a",
                                                "ug", "go", "uo", "D", "Fu"};
  static const std::vector<std::string> kWhat = {"",  "r", "w",  "x",  "X",  "s", "t",  "rw", "rX",
                                                 "u", "g", "rt", "xs", "rs", "o", "st", "wX"};
  for (int round = 0; round < 60; ++round) {
    TempTree source, theirs;
    for (int at = 0; at < 12; ++at) {
      const unsigned mode = static_cast<unsigned>(test::below(random, 010000));
      source.file("f" + std::to_string(at), "x", mode);
      source.dir("d" + std::to_string(at), mode);
    }
    std::string spec;
    do {
      spec += (spec.empty() ? "" : ",") + one_of(random, kWho) + "+-="[test::below(random, 3)] +
              one_of(random, kWhat);
    } while (chance(random, 2));
    if (chance(random, 5)) spec += ",F" + std::to_string(test::below(random, 8)) + "40";
    Mix mix = plain();
    mix.options.push_back("--chmod=" + spec);
    const std::string said = rsync(mix, source, theirs);
    ModeSpec ours;
    ours.add(spec, current_umask());
    std::string wrong;
    for (const char* kind : {"f", "d"}) {
      for (int at = 0; at < 12; ++at) {
        const std::string path = kind + std::to_string(at);
        const unsigned before = source.stat(path).st_mode & 07777;
        const unsigned mine = ours.apply(before, *kind == 'd');
        const unsigned rsyncs = theirs.stat(path).st_mode & 07777;
        std::ostringstream line;
        line << std::oct << " " << *kind << before << " became " << mine << ", not " << rsyncs;
        if (mine != rsyncs) wrong += line.str();
      }
    }
    INFO("--chmod=" << spec << " " << said);
    CHECK(wrong.empty());
    if (!wrong.empty()) FAIL(wrong);
  }
}

TEST_CASE("mode_spec: what rsync refuses is refused with its place", "[sync]") {
  for (const char* spec : {"", "8", "ugo", "u+q", "F", "Fu+x,D,", "DFu+x", "u+r+w", "u-w=r", "755x",
                           "075500", ",u+x", "u+x,", "s+x", "g=ur", "g=ru", "7,,7"}) {
    INFO(spec);
    try {
      ModeSpec().add(spec, 022);
      FAIL_CHECK("it was taken");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::Usage);
      CHECK(error.text().find("at byte") != std::string::npos);
    }
  }
}
