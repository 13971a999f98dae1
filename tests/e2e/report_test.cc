// SPDX-License-Identifier: MIT
// What is left of a run for those who were not there: status, metrics, journal, log.
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <regex>

#include "base/fd.h"
#include "tests/support/catch.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using Catch::Matches;
using Cluster = xs::test::Nodes;
using xs::test::Ran;
using xs::test::Secondary;

namespace {

constexpr int kNoMounts = 77;

// In a child with mounts of its own.
bool may_mount() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Takes the datagrams of a journal whose socket is made here.
class Journal {
 public:
  explicit Journal(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(fd_.get(), raw, sizeof address) != 0) throw std::runtime_error("no " + path);
  }
  std::string take() {
    std::string all;
    std::array<char, 65'536> bytes;
    for (;;) {
      const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
      if (got <= 0) return all;
      all.append(bytes.data(), static_cast<std::size_t>(got)).append("\n----\n");
    }
  }

 private:
  xs::Fd fd_;
};

}  // namespace

TEST_CASE("report: status --check is 0, 1, 2 and 3 as monitoring wants it", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const auto check = [&] { return second.run({"status", "--check"}); };
  CHECK(check().code == 3);
  cluster.primary.conf.write("restore_in_progress", "");
  REQUIRE(second.run().code == 24);
  CHECK(check().code == 2);  // never synced
  CHECK_THAT(check().out, Contains("XROAD_SYNC CRITICAL") && Contains("restore"));
  ::unlink(cluster.primary.marker().c_str());
  REQUIRE(second.run().code == 0);
  CHECK(check().code == 0);
  CHECK_THAT(check().out, Matches("XROAD_SYNC OK - .*\\| age=\\d+s;300;900;0 duration=.*\n"));
  cluster.primary.conf.write("restore_in_progress", "");
  REQUIRE(second.run().code == 24);
  CHECK(check().code == 1);
  CHECK_THAT(check().out, Contains("XROAD_SYNC WARNING"));
  REQUIRE(second.run({"pause"}).code == 0);
  CHECK(check().code == 0);
  CHECK_THAT(check().out, Contains("paused"));
  second.dir.write("status.json", "{");
  REQUIRE(second.run({"resume"}).code == 0);
  CHECK(check().code == 3);
}

TEST_CASE("report: the metrics file tells a success, then a failure", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const std::string option = "--metrics-file=" + second.file("xroad_sync.prom");
  REQUIRE(second.run({option}).code == 0);
  const std::string good = second.dir.read("xroad_sync.prom");
  CHECK_THAT(good, Contains("xroad_sync_last_run_status{code=\"0\"} 1\n"));
  CHECK_THAT(good, Contains("# TYPE xroad_sync_files_changed gauge\n"));
  CHECK_FALSE(std::regex_search(good, std::regex("xroad_sync_files_changed 0\n")));
  cluster.primary.conf.write("restore_in_progress", "");
  REQUIRE(second.run({option}).code == 24);
  CHECK_THAT(second.dir.read("xroad_sync.prom"),
             Contains("xroad_sync_last_run_status{code=\"24\"} 1\n"));
}

TEST_CASE("report: the journal gets an entry an event, with fields", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  std::string ini = second.dir.read("sync.ini");
  ini.replace(ini.find("journal = no"), 12, "journal = yes");
  second.dir.write("sync.ini", ini);
  const int result = xs::test::in_child([&] {
    if (!may_mount() || ::mount("none", "/run", "tmpfs", 0, "size=1m") != 0) return kNoMounts;
    xs::test::run({"mkdir", "-p", "/run/systemd/journal"});
    Journal journal("/run/systemd/journal/socket");
    std::string said;
    const auto run = [&](const std::vector<std::string>& words) {
      const Ran ran = second.run(words);
      said += "==== " + std::to_string(ran.code) + "\n" + journal.take();
    };
    run({});
    run({});
    cluster.primary.conf.write("restore_in_progress", "");
    run({});
    second.dir.write("flag", "");
    run({});
    second.dir.write("said", said);
    return 0;
  });
  if (result == kNoMounts) {
    WARN("skipped: no mounts can be made here");
    return;
  }
  REQUIRE(result == 0);
  const std::string said = second.dir.read("said");
  INFO(said);
  const std::size_t again = said.find("==== 0", 1);
  const std::size_t failed = said.find("==== 24");
  const std::size_t paused = said.find("==== 0", failed);
  REQUIRE((again < failed && failed < paused && paused != std::string::npos));
  CHECK_THAT(said.substr(0, again), Contains("XROAD_SYNC_EVENT=synced\n") &&
                                        Contains("signer/keyconf.xml") && Contains("MESSAGE_ID="));
  CHECK_THAT(said.substr(again, failed - again),
             Contains("XROAD_SYNC_EVENT=") && !Contains("signer/keyconf.xml"));
  CHECK_THAT(said.substr(failed, paused - failed),
             Contains("PRIORITY=3\n") && Contains("restore is in progress"));
  CHECK_THAT(said.substr(paused), Contains("paused"));
}

TEST_CASE("report: a log that finds no room costs a warning and not the sync", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const std::string logs = second.file("logs");
  REQUIRE(::mkdir(logs.c_str(), 0755) == 0);
  const int result = xs::test::in_child([&] {
    if (!may_mount() || ::mount("none", logs.c_str(), "tmpfs", 0, "size=4k") != 0) return kNoMounts;
    xs::test::run({"dd", "if=/dev/zero", "of=" + logs + "/full", "bs=4096", "count=1"});
    const Ran ran = second.run({"--log-file=" + logs + "/sync.log"});
    second.dir.write("said", ran.err);
    return ran.code;
  });
  if (result == kNoMounts) {
    WARN("skipped: no mounts can be made here");
    return;
  }
  INFO(second.dir.read("said"));
  CHECK(result == 0);
  CHECK_THAT(second.dir.read("said"), Contains("the log") && Contains("No space left"));
  CHECK(second.etc.exists("signer/keyconf.xml"));
  CHECK_THAT(second.run({"status"}).out, Contains("ok"));
}

TEST_CASE("report: a log that is somebody's link is not written through", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const std::string victim = second.dir.write("victim", "precious");
  REQUIRE(::symlink(victim.c_str(), second.file("link.log").c_str()) == 0);
  const Ran ran = second.run({"--log-file=" + second.file("link.log")});
  INFO(ran.err);
  CHECK(second.dir.read("victim") == "precious");
  CHECK_THAT(ran.err, Contains("link.log"));
  CHECK(second.etc.exists("signer/keyconf.xml"));
}

TEST_CASE("report: a rollback is told in log and status", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  REQUIRE(second.run().code == 0);
  cluster.primary.etc.file("conf.d/local.ini", "broken", 0640);
  REQUIRE(second.run().code == 0);
  REQUIRE(second.run({"rollback"}).code == 0);
  INFO(second.log());
  CHECK_THAT(second.log(), Contains("rolled back to the state before generation 2"));
  const Ran status = second.run({"status"});
  CHECK_THAT(status.out, Contains("rolled back") && !Contains("generation "));
  CHECK_THAT(second.run({"status", "--json"}).out, Contains("\"generation\": \"\""));
  REQUIRE(second.run().code == 0);
  CHECK_THAT(second.run({"status"}).out, Contains("generation ") && !Contains("rolled back"));
}
