// SPDX-License-Identifier: MIT
// The password of the profile central-server: in no argument and no environment of any process
// while the verbs run, in nothing that they or PostgreSQL say, in no file that others may read.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/fd.h"
#include "tests/companion/replication/at_node.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

// Not that of a test that runs beside: every process is looked at.
const std::string kSecret = "rec0gnisable-s3cret-" + std::to_string(::getpid());

// As far as it can be read: a process may end, a file go.
std::string contents(const fs::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 65536> piece{};
  for (ssize_t size = 1; file && size > 0;) {
    size = ::read(file.get(), piece.data(), piece.size());
    if (size > 0) text.append(piece.data(), static_cast<std::size_t>(size));
  }
  return text;
}

// Reads the arguments and the environment of every process, again and again, until its end.
class Watcher {
 public:
  Watcher() : thread_([this] { run(); }) {}
  ~Watcher() {
    over_ = true;
    thread_.join();
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  int rounds() const { return rounds_; }
  bool found() const { return found_; }

 private:
  void run() {
    while (!over_) {
      std::error_code error;
      for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        for (const char* file : {"cmdline", "environ"}) {
          if (contents(entry.path() / file).find(kSecret) != std::string::npos) found_ = true;
        }
      }
      ++rounds_;
    }
  }

  std::atomic<bool> over_{false};
  std::atomic<bool> found_{false};
  std::atomic<int> rounds_{0};
  std::thread thread_;
};

// Files that hold it and that somebody else than their owner may read.
std::string readable_secrets(const Node& node, int& holders) {
  std::string bad;
  for (const auto& entry : fs::recursive_directory_iterator(node.dir().path())) {
    if (!entry.is_regular_file() || contents(entry.path()).find(kSecret) == std::string::npos) {
      continue;
    }
    ++holders;
    if ((entry.status().permissions() & fs::perms(077)) != fs::perms::none) {
      bad += entry.path().string() + " ";
    }
  }
  return bad;
}

// Everything that the verbs have said.
class Said {
 public:
  const Outcome& operator()(const Outcome& outcome) {
    all_ += outcome.out + outcome.end;
    last_ = outcome;
    INFO(outcome.out);
    CHECK_THAT(outcome.end, Contains("ended with status "));
    return last_;
  }
  const std::string& all() const { return all_; }

 private:
  Outcome last_;
  std::string all_;
};

}  // namespace

TEST_CASE("secrets: no verb of the profile central-server shows its password", "[replication]") {
  if (without_postgres()) return;
  Pair pair(Profile::CentralServer, Node::Layout::InData, Node::Layout::Apart);
  for (const Node* node : {&pair.primary, &pair.standby}) {
    node->append("postgresql.conf",
                 "full_page_writes = on\nlog_statement = 'all'\nlog_connections = on\n"
                 "log_replication_commands = on\n");
  }
  pair.primary.start();
  pair.standby.start();
  const std::string file = pair.primary.dir().write("password", kSecret + "\n");
  const std::string second = pair.standby.dir().write("password", kSecret + "\n");
  const std::string passfile =
      pair.primary.dir().write("passfile", "localhost:*:*:ss1:" + kSecret + "\n");
  give_to_postgres(passfile);
  Said said;
  Watcher watcher;
  const std::vector<std::string> primary{"setup",           "primary",
                                         "--profile",       "central-server",
                                         "--name",          "ss1",
                                         "--host",          "localhost",
                                         "--standby",       "ss2=localhost",
                                         "--listen",        "127.0.0.1",
                                         "--pki",           pair.primary.dir() / "pki",
                                         "--password-file", file};
  const std::vector<std::string> standby{"setup",    "standby",
                                         "--bundle", pair.primary.dir() / "pki/bundles/ss2",
                                         "--pki",    pair.standby.dir() / "pki"};
  const auto with = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  for (const auto& more : {std::vector<std::string>{"--dry-run"}, {}, {}}) {
    CHECK(said(change_at(pair.primary, with(primary, more))).end == kCleanEnd);
  }
  for (const auto& more : {std::vector<std::string>{"--dry-run"}, {}, {}}) {
    CHECK(said(change_at(pair.standby, with(standby, more))).end == kCleanEnd);
  }
  CHECK(pair.row_arrives("one"));
  for (const Node* node : {&pair.primary, &pair.standby}) {
    for (const auto& more : {std::vector<std::string>{}, {"--json"}, {"--check"}}) {
      said(ask_at(*node, with({"status"}, more)));
    }
  }
  for (const char* verb : {"pause", "resume", "wait"}) {
    CHECK_THAT(said(ask_at(pair.standby, {verb})).end, Contains("status 0"));
  }
  CHECK_THAT(said(change_at(pair.standby, {"promote"})).end, Contains("status 25"));
  kill_server(pair.primary);
  CHECK_THAT(said(ask_at(pair.standby, {"wait"})).end, Contains("status 10"));
  CHECK(said(change_at(pair.standby, {"promote"})).end == kCleanEnd);
  const std::string pki = pair.standby.dir() / "pki";
  CHECK(said(change_at(pair.standby, {"setup",
                                      "primary",
                                      "--profile",
                                      "central-server",
                                      "--name",
                                      "ss2",
                                      "--host",
                                      "localhost",
                                      "--standby",
                                      "ss1=localhost",
                                      "--listen",
                                      "127.0.0.1",
                                      "--pki",
                                      pki,
                                      "--password-file",
                                      second,
                                      "--ca",
                                      pki + "/ca.crt",
                                      "--cert",
                                      pki + "/server.crt",
                                      "--key",
                                      pki + "/server.key"}))
            .end == kCleanEnd);
  const std::string where = "host=localhost port=" + std::to_string(pair.standby.port()) +
                            " user=ss1 passfile=" + passfile;
  CHECK(said(change_at(pair.primary, {"rejoin", "--primary", where})).end == kCleanEnd);
  CHECK(pair.primary.says("select status from pg_stat_wal_receiver", "streaming"));

  CHECK_FALSE(watcher.found());
  CHECK(watcher.rounds() > 10);
  CHECK_THAT(said.all(), !Contains(kSecret));
  CHECK_THAT(pair.primary.log() + pair.standby.log(), !Contains(kSecret));
  CHECK_THAT(pair.primary.log(), Contains("SCRAM-SHA-256"));  // what was logged is all there is
  int holders = 0;
  CHECK(readable_secrets(pair.primary, holders) == "");
  CHECK(readable_secrets(pair.standby, holders) == "");
  CHECK(holders >= 5);  // both password files, the bundle's, two passfiles
}

TEST_CASE("secrets: the watcher sees what it looks for", "[replication]") {
  Watcher watcher;
  const Child child({"/usr/bin/env", "PGPASSWORD=" + kSecret, "/bin/sleep", "600"}, "/dev/null");
  CHECK(eventually(std::chrono::seconds(20), [&] { return watcher.found(); }));
}
