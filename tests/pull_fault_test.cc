// SPDX-License-Identifier: MIT
// The connection cut and stalled anywhere, and a source that moves while it is read.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/io.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"

using namespace xs;
using namespace std::chrono_literals;
using test::Cluster;
using test::picture;

namespace {

bool long_form() {
  const char* wish = std::getenv("XS_LONG");
  return wish != nullptr && std::string(wish) == "yes";
}

// A secondary that is one change behind, so that a session fetches, installs and deletes.
struct Behind {
  Cluster cluster;
  std::map<std::string, std::string> before;
  std::map<std::string, std::string> after;

  Behind() {
    cluster.request.options.inline_limit = 16;  // so that there is something to ask for
    cluster.deadlines.close = 30ms;             // for the last words of a peer that has none
    old_state();
    cluster.pull();
    before = picture(cluster.secondary);
    cluster.primary.file("a", "new a, too long to be inlined")
        .file("new", "another new file, also long")
        .remove("gone");
    after = picture(cluster.primary);
  }
  void old_state() {
    cluster.primary.file("a", "old").file("gone", "x").dir("d").file("d/kept", "same");
  }

  // One damaged session. True when it ended well all the same.
  bool survives(const test::Damage& damage) {
    cluster.damage = damage;
    try {
      cluster.pull();
      return true;
    } catch (const Error&) {
      return false;
    }
  }
  // The secondary is at one of the two states; the other tree is made again for the next session.
  void check_and_reset(bool ended_well) {
    const auto now = picture(cluster.secondary);
    const bool old_tree = now == before;
    const bool new_tree = now == after;
    CHECK((old_tree || new_tree));
    if (ended_well) CHECK(new_tree);
    CHECK(cluster.staging_is_clean());
    if (!new_tree) return;
    cluster.secondary.file("a", "old").file("gone", "x").remove("new");
  }
};

}  // namespace

TEST_CASE("pull: a connection that is cut after any byte leaves one of the two states", "[sync]") {
  Behind behind;
  REQUIRE(behind.survives({}));
  const test::Traffic whole = behind.cluster.traffic;
  behind.check_and_reset(true);
  const std::size_t step = long_form() ? 1 : 3;
  for (std::size_t at = 0; at < whole.in; at += step) {
    INFO("cut after " << at << " of " << whole.in << " bytes from the server");
    behind.check_and_reset(behind.survives({at, test::Damage::kNever, test::Damage::kNever}));
  }
  for (std::size_t at = 0; at < whole.out; at += step) {
    INFO("cut after " << at << " of " << whole.out << " bytes to the server");
    behind.check_and_reset(behind.survives({test::Damage::kNever, at, test::Damage::kNever}));
  }
}

TEST_CASE("pull: a server that falls silent is left at the deadline, with nothing changed",
          "[sync]") {
  Behind behind;
  REQUIRE(behind.survives({}));
  const std::size_t whole = behind.cluster.traffic.in;
  behind.check_and_reset(true);
  behind.cluster.deadlines.idle = behind.cluster.deadlines.first_byte = 60ms;
  SteadyClock clock;
  for (std::size_t at = 0; at < whole; at += long_form() ? 1 : 17) {
    INFO("silent after " << at << " of " << whole);
    const Instant begun = clock.now();
    CHECK_FALSE(behind.survives({test::Damage::kNever, test::Damage::kNever, at}));
    CHECK(clock.now() - begun < 10s);  // far from the minute that the run may take
    behind.check_and_reset(false);
  }
}

// The two files of a pair carry the same number. The writer changes first one, then the other, in
// all the ways in which that can go unseen: by rename and in place, always with the same size. What
// arrives must be a state that the primary had: the same number in both, or the first one ahead by
// one; never torn, never the second ahead.
TEST_CASE("pull: a source in motion arrives as a state that it had, or not at all", "[sync]") {
  Cluster cluster;
  const auto contents = [](unsigned number) {
    std::string text;
    while (text.size() < 20'000) text += "pair " + std::to_string(10'000'000 + number) + "\n";
    return text;
  };
  cluster.primary.file("first", contents(0)).file("second", contents(0));
  std::atomic<bool> stop{false};
  std::atomic<unsigned> written{0};
  std::thread writer([&] {
    for (unsigned number = 1; !stop; ++number) {
      for (const char* name : {"first", "second"}) {
        if (number % 2 == 0) {
          // In one call: an empty file in between would be a state that the primary had.
          const Fd file = open_file(cluster.primary.path_of(name), O_WRONLY);
          const std::string text = contents(number);
          if (::write(file.get(), text.data(), text.size()) < 0) std::abort();
        } else {
          cluster.primary.file(std::string(name) + ".tmp", contents(number));
          std::rename(cluster.primary.path_of(std::string(name) + ".tmp").c_str(),
                      cluster.primary.path_of(name).c_str());
        }
      }
      written = number;
      if (number % 64 == 0) std::this_thread::yield();
      // Long pauses now and then, so that some syncs find a quiet source.
      if (number % 8 == 0) {
        SteadyClock clock;
        clock.poll({}, clock.now() + 60ms);
      }
    }
  });
  cluster.request.filters.exclude("*.tmp");
  unsigned arrived = 0;
  unsigned refused = 0;
  const unsigned rounds = long_form() ? 500 : 40;
  for (unsigned round = 0; round < rounds; ++round) {
    try {
      cluster.pull();
      ++arrived;
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::Vanished);
      ++refused;
    }
    if (!cluster.secondary.exists("first")) continue;
    const std::string first = cluster.secondary.read("first");
    const std::string second = cluster.secondary.read("second");
    const unsigned a = static_cast<unsigned>(std::stoul(first.substr(5))) - 10'000'000;
    const unsigned b = static_cast<unsigned>(std::stoul(second.substr(5))) - 10'000'000;
    INFO("round " << round << ": " << a << " and " << b);
    CHECK(first == contents(a));
    CHECK(second == contents(b));
    CHECK((a == b || a == b + 1));
  }
  stop = true;
  writer.join();
  INFO(arrived << " arrived, " << refused << " were refused, " << written << " pairs written");
  CHECK(arrived > 0);
}
