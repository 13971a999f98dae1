// SPDX-License-Identifier: MIT
// `replication setup standby` on a standby that is in place: whom it follows afterwards, and what
// is said when it follows nobody.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/io.h"
#include "base/text.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

std::string text_of(const std::string& path) { return read_file(path, 1U << 20); }

void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
  give_to_postgres(path);
}

void add(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
  give_to_postgres(path);
}

}  // namespace

TEST_CASE("setup in place: what a base backup by hand left in postgresql.auto.conf gives way",
          "[replication][database]") {
  if (without_postgres()) return;
  const auto layout = GENERATE(Node::Layout::Apart, Node::Layout::InData);
  Pair pair(Profile::Xroad, Node::Layout::InData, layout);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  // Nobody should have to look for it.
  CHECK_THAT(pair.said, Contains("The old data lies in " + pair.standby.data() + ".old-"));
  pair.standby.stop();
  const std::string file = pair.standby.data() + "/postgresql.auto.conf";
  add(file,
      "primary_conninfo = 'user=old password=0ldsecret host=127.0.0.1 port=1'\n"
      "primary_slot_name = 'other'\nwork_mem = '5MB'\n");
  pair.standby.start();
  const std::string dry = pair.dry_standby();
  CHECK_THAT(dry, Contains("-primary_conninfo = 'user=old password=*** host=127.0.0.1 port=1'") &&
                      !Contains("0ldsecret"));
  CHECK(pair.setup_standby());
  CHECK_THAT(pair.standby.value("show primary_conninfo"), Contains("user=ss2"));
  CHECK(pair.standby.value("show primary_slot_name") == "ss2");
  CHECK(pair.standby.value("show work_mem") == "5MB");
  CHECK(pair.row_arrives("one"));
  CHECK_FALSE(pair.setup_standby());
}

TEST_CASE("setup in place: a standby that was made by hand goes over to our lines",
          "[replication][database]") {
  if (without_postgres()) return;
  const bool tls = GENERATE(true, false);
  CAPTURE(tls);
  Pair pair(Profile::Xroad, Node::Layout::InData, Node::Layout::InData);
  pair.primary.start();
  pair.setup_primary();
  const Node& standby = pair.standby;
  fs::remove_all(standby.data());
  run_postgres_tool(
      {"pg_basebackup", "-D", standby.data(), "-X", "stream", "-c", "fast", "-R", "-d",
       "host=" + (pair.primary.dir() / "run") + " port=" + std::to_string(pair.primary.port())});
  // With the primary's certificate, which came along, or with none.
  add(standby.data() + "/postgresql.conf",
      "port = " + std::to_string(standby.port()) + "\nunix_socket_directories = '" +
          (standby.dir() / "run") + "'\nssl = " + (tls ? "on" : "off") + "\n");
  standby.start();
  CHECK(pair.setup_standby());
  CHECK_THAT(standby.value("show primary_conninfo"), Contains("user=ss2"));
  CHECK(pair.row_arrives("one"));
  CHECK_FALSE(pair.setup_standby());
}

TEST_CASE("setup in place: lines that were written in the second of its start are read",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  const std::string conf = pair.standby.config() + "/postgresql.conf";
  const std::string right = text_of(conf);
  const std::string port = "port=" + std::to_string(pair.primary.port()) + " user=ss2";
  std::string wrong = right;
  REQUIRE(wrong.find(port) != std::string::npos);
  pair.standby.stop();
  put(conf, wrong.replace(wrong.find(port), port.size(), "port=1 user=ss2"));
  pair.standby.start();
  put(conf, right);
  std::istringstream pid(text_of(pair.standby.data() + "/postmaster.pid"));
  std::string line;
  for (int i = 0; i < 3; ++i) std::getline(pid, line);
  const auto second = static_cast<time_t>(parse_number(line).value());
  const timespec end{second, 999'999'999};
  const timespec times[2] = {end, end};
  REQUIRE(::utimensat(AT_FDCWD, conf.c_str(), times, 0) == 0);
  pair.standby_setup.stream_limit = std::chrono::seconds(20);
  CHECK(pair.setup_standby());
  CHECK(pair.row_arrives("one"));
}

TEST_CASE("setup in place: a complaint of another day says nothing about today",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  add(pair.standby.data() + ".start.log",
      "FATAL:  could not receive data from WAL stream: ERROR:  requested WAL segment "
      "000000010000000000000001 has already been removed\n");
  // It follows nobody, and does not complain.
  pair.standby.append("nobody.conf", "primary_conninfo = ''\n");
  give_to_postgres(pair.standby.config() + "/nobody.conf");
  pair.standby.append("postgresql.conf", "include 'nobody.conf'\n");
  pair.standby_setup.stream_limit = std::chrono::seconds(3);
  const auto error = thrown_by([&] { pair.setup_standby(); });
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == Fault::Timeout);
  CHECK_THAT(error->text(), Contains("does not follow") && !Contains("removed") &&
                                !Contains("--reclone") && !Contains("starting up"));
}

TEST_CASE("setup in place: a configuration of root's among postgres' files is refused before",
          "[replication][database]") {
  if (without_postgres()) return;
  if (::geteuid() != 0) {
    WARN("skipped: only root can give a file to root");
    return;
  }
  Pair pair(Profile::Xroad, Node::Layout::Apart);
  pair.primary.start();
  const std::string hba = pair.primary.config() + "/pg_hba.conf";
  const std::string conf = pair.primary.config() + "/postgresql.conf";
  const std::string before = text_of(conf);
  fs::permissions(hba, fs::perms(0644));
  REQUIRE(::chown(hba.c_str(), 0, 0) == 0);
  const auto error = thrown_by([&] { pair.setup_primary(); });
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == Fault::Refused);
  CHECK_THAT(error->text(),
             Contains("chown " + postgres_account() + ": " + hba) && !Contains("taken back"));
  CHECK(text_of(conf) == before);
  CHECK_FALSE(fs::exists(pair.primary.dir() / "pki"));
  give_to_postgres(hba);
  CHECK(pair.setup_primary());
}
