// SPDX-License-Identifier: MIT
// `replication setup` with wrong input: each is one line with its class, and nothing is half done.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/io.h"
#include "companion/listen.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/owned_file.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kServersOwn = {"/pg_",           "/base",           "/global",
                                              "postmaster.pid", "postmaster.opts", ".start.log",
                                              ".s.PGSQL",       "backup_"};

std::map<std::string, std::string> files(const Node& node) {
  return snapshot(node.dir().path(), kServersOwn);
}

void refused(Fault fault, const std::string& words, const std::function<void()>& work) {
  INFO(words);
  const auto error = thrown_by(work);
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == fault);
  CHECK_THAT(error->text(), Contains(words) && !Contains("\n") && !Contains("s3cret"));
}

// Wrong words are refused when the plan is made, so that no step has been taken.
void no_primary(Pair& pair, Fault fault, const std::string& words,
                const std::function<void(PrimarySetup&)>& change) {
  const PrimarySetup before = pair.primary_setup;
  change(pair.primary_setup);
  refused(fault, words, [&] { plan_primary(pair.primary_setup, pair.clock, pair.wall()); });
  pair.primary_setup = before;
}

void no_standby(Pair& pair, Fault fault, const std::string& words,
                const std::function<void(StandbySetup&)>& change) {
  const StandbySetup before = pair.standby_setup;
  change(pair.standby_setup);
  refused(fault, words, [&] { plan_standby(pair.standby_setup, pair.clock, pair.wall()); });
  pair.standby_setup = before;
}

std::string text_of(const Node& node, const std::string& file) {
  return read_file(node.config() + "/" + file, 1U << 20);
}

void put(const std::string& path, const std::string& text, unsigned mode = 0600) {
  replace_file(path, text, mode);
  give_to_postgres(path);
}

}  // namespace

TEST_CASE("setup refuses: what is wrong about a primary", "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  const Node& node = pair.primary;
  no_primary(pair, Fault::Network, "does not run; start it: ", [](PrimarySetup&) {});
  node.start();
  const auto before = files(node);
  const auto usage = [&](const std::string& words,
                         const std::function<void(PrimarySetup&)>& change) {
    no_primary(pair, Fault::Usage, words, change);
  };
  usage("no name for a node", [](auto& setup) { setup.name = "SS 1"; });
  usage("--host", [](auto& setup) { setup.hosts.clear(); });
  usage("is the name of this node", [](auto& setup) { setup.standbys = {{"ss1", {}}}; });
  usage("is the name of the group", [](auto& setup) { setup.standbys = {{"slavenode", {}}}; });
  usage("'ss-2' and 'ss.2' would share the slot 'ss_2'", [](auto& setup) {
    setup.standbys = {{"ss-2", {}}, {"ss.2", {}}};
  });
  usage("no address", [](auto& setup) { setup.plan.allow = {"samenet trust\n"}; });
  usage("no amount of log", [](auto& setup) { setup.plan.wal_limit = "lots"; });
  usage("no amount of log", [](auto& setup) { setup.plan.wal_limit = "4 GB'"; });
  usage("together", [](auto& setup) { setup.given.ca = "/x"; });
  usage("missing, empty or not readable", [](auto& setup) {
    setup.given = {"/nope/ca", "/nope/crt", "/nope/key"};
  });
  usage("--password-file", [](auto& setup) { setup.plan.login = Login::Password; });
  usage("only its owner can read", [&](auto& setup) {
    setup.plan.login = Login::Password;
    setup.password_file = node.dir().write("open", "s3cret word", 0644);
  });
  fs::remove(node.dir() / "open");
  usage("programs of PostgreSQL", [](auto& setup) {
    setup.cluster.bin = "";
    setup.roots.debian_programs = setup.roots.rhel_programs = setup.roots.programs = "/nope";
  });
  usage("the server reads", [&](auto& setup) {
    fs::create_directory(node.dir() / "other");
    std::ofstream(node.dir() / "other/postgresql.conf")
        << "unix_socket_directories = '" << node.dir() / "run"
        << "'\n";
    setup.cluster.config = node.dir() / "other";
  });
  fs::remove_all(node.dir() / "other");

  node.sql("create role ss2 superuser");
  no_primary(pair, Fault::Refused, "may do more than replicate", [](PrimarySetup&) {});
  node.sql("drop role ss2");

  // Roles of somebody else's: a password to lose, a login to be shut out.
  node.sql("create role ss2 login password 'theirs'");
  const auto role = [&] {
    return node.value("select a::text from pg_authid a where rolname = 'ss2'");
  };
  const std::string theirs = role();
  no_primary(pair, Fault::Refused, "is no standby's of ours", [](PrimarySetup&) {});
  no_primary(pair, Fault::Refused, "'ss2' logs in, so it is no group", [](PrimarySetup& setup) {
    setup.plan.group = "ss2";
    setup.standbys.clear();
  });
  node.sql("create role readers; grant readers to ss2");
  no_primary(pair, Fault::Refused, "'ss2' is in the group 'readers' and is no standby",
             [](PrimarySetup& setup) {
               setup.plan.group = "readers";
               setup.standbys.clear();
             });
  CHECK(role() == theirs);
  node.sql("drop role ss2; drop role readers");

  if (::geteuid() == 0) {  // a directory of somebody else's, and somebody who may not
    fs::create_directory(node.dir() / "theirs");
    CHECK(::chown((node.dir() / "theirs").c_str(), 12345, 12345) == 0);
    no_primary(pair, Fault::Refused, "belongs neither to root nor to",
               [&](PrimarySetup& setup) { setup.pki = node.dir() / "theirs"; });
    // In it, as in /etc/xroad, there may be one of the cluster's.
    const Cluster cluster = node.cluster();
    directory_step(node.dir() / "theirs/pki", 0755, cluster).act();
    struct stat st {};
    CHECK(::stat((node.dir() / "theirs/pki").c_str(), &st) == 0);
    CHECK(st.st_uid == cluster.user.uid);
    CHECK((st.st_mode & 07777U) == 0755U);
    fs::remove(node.dir() / "theirs/pki");
    // A link of theirs, and one of the cluster's owner, to where only root may write.
    const TempDir roots;
    for (const char* name : {"theirs/pki", "lib/pki"}) {
      fs::create_symlink(roots.path(), node.dir() / name);
      no_primary(pair, Fault::Refused, "leads over a link",
                 [&](PrimarySetup& setup) { setup.pki = node.dir() / name; });
      const auto error =
          thrown_by([&] { write_owned(node.dir() / name + "/ca.key", "key", 0600, cluster); });
      REQUIRE(error);
      CHECK(error->fault() == Fault::Refused);
      CHECK(fs::is_empty(roots.path()));
      fs::remove(node.dir() / name);
    }
    fs::create_directory(node.dir() / "theirs/roots");
    no_primary(pair, Fault::Refused, "neither to root alone nor to",
               [&](PrimarySetup& setup) { setup.pki = node.dir() / "theirs/roots"; });
    // What /etc/xroad is where there is no X-Road.
    directory_step(roots / "etc/xroad/postgresql", 0755, cluster).act();
    CHECK(::stat((roots / "etc/xroad").c_str(), &st) == 0);
    CHECK(st.st_uid == 0);
    CHECK((st.st_mode & 07777U) == 0755U);
    CHECK(::stat((roots / "etc/xroad/postgresql").c_str(), &st) == 0);
    CHECK(st.st_uid == cluster.user.uid);
    fs::remove_all(node.dir() / "theirs");
    const pid_t child = ::fork();
    if (child == 0) {
      int code = 1;
      if (::chmod(node.dir().path().c_str(), 0755) == 0 &&
          ::chmod((node.dir() / "lib").c_str(), 0755) == 0 && ::setgid(65534) == 0 &&
          ::setuid(65534) == 0) {
        const auto error =
            thrown_by([&] { plan_primary(pair.primary_setup, pair.clock, pair.wall()); });
        code = error && error->fault() == Fault::Usage &&
                       error->text().find("run this as root or as that user") != std::string::npos
                   ? 0
                   : 2;
      }
      ::_exit(code);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    CHECK(::chmod(node.dir().path().c_str(), 0700) == 0);
    CHECK(::chmod((node.dir() / "lib").c_str(), 0700) == 0);
  }
  CHECK(files(node) == before);

  // Damaged markers.
  const std::string hba = text_of(node, "pg_hba.conf");
  put(node.config() + "/pg_hba.conf", "# BEGIN xroad-companion\n" + hba);
  no_primary(pair, Fault::Io, "are damaged", [](PrimarySetup&) {});
  put(node.config() + "/pg_hba.conf", hba);
}

TEST_CASE("setup refuses: what the server does not take is taken back", "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  const Node& node = pair.primary;
  node.start();
  // A line of somebody else's in pg_hba.conf that is none.
  node.append("pg_hba.conf", "host all all 192.0.2.1/99 trust\n");
  const auto run = [&] { pair.setup_primary(); };
  const std::string hba = text_of(node, "pg_hba.conf");
  const std::string conf = text_of(node, "postgresql.conf");
  refused(Fault::Mismatch, "pg_hba.conf':", run);
  CHECK(text_of(node, "pg_hba.conf") == hba);
  CHECK(text_of(node, "postgresql.conf") == conf);
  put(node.config() + "/pg_hba.conf", hba.substr(0, hba.rfind("host all all")));

  // A setting that ALTER SYSTEM decides.
  node.sql("alter system set max_wal_senders = 7");
  const auto started = [&] { return node.value("select pg_postmaster_start_time()"); };
  const std::string start = started();
  no_primary(pair, Fault::Refused, "max_wal_senders (by ", [](PrimarySetup&) {});
  CHECK(text_of(node, "postgresql.conf") == conf);
  CHECK(started() == start);
  node.sql("alter system reset max_wal_senders");
  node.sql("alter system set hot_standby = 'on'");  // as we would have it

  // A listen_addresses with which it does not start.
  pair.primary_setup.plan.listen = "192.0.2.1";
  refused(Fault::Action, "ended with status 1", run);
  CHECK(text_of(node, "postgresql.conf") == conf);
  CHECK(node.value("select 1") == "1");
  pair.primary_setup.plan.listen = "127.0.0.1";
  CHECK(pair.setup_primary());
  // A line behind ours, which only a restart would take: clients are not cut off for nothing.
  const std::string again = started();
  put(node.config() + "/extra.conf", "max_replication_slots = 7\n");
  node.append("postgresql.conf", "include 'extra.conf'\n");
  refused(Fault::Refused, "max_replication_slots (by ", run);
  CHECK(started() == again);
  put(node.config() + "/extra.conf", "");
  pair.setup_primary();

  // Certificates that have become wrong.
  pair.clock_off = 3LL * 366 * 86'400;
  no_primary(pair, Fault::Mismatch, "certificate has expired", [](PrimarySetup&) {});
  pair.clock_off = 0;
  no_primary(pair, Fault::Mismatch, "not for the host 'elsewhere'",
             [](PrimarySetup& setup) { setup.hosts.push_back("elsewhere"); });
  no_primary(pair, Fault::Usage, "cannot be made: ", [&](PrimarySetup& setup) {
    fs::rename(node.dir() / "pki/ca.key", node.dir() / "pki/away");
    setup.standbys.push_back({"ss3", {}});
  });
  fs::rename(node.dir() / "pki/away", node.dir() / "pki/ca.key");
  CHECK_FALSE(pair.setup_primary());
}

TEST_CASE("setup refuses: what is wrong about a standby", "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  const Node& node = pair.standby;
  pair.primary_setup.plan.listen = "127.0.0.1, 127.0.0.2";
  pair.primary.start();
  pair.setup_primary();
  pair.load_bundle();
  pair.standby_setup.replace_data = false;
  const auto before = files(node);
  const auto no = [&](Fault fault, const std::string& words,
                      const std::function<void(StandbySetup&)>& change) {
    no_standby(pair, fault, words, change);
  };
  no(Fault::Mismatch, "common name is 'ss2', not 'ss3'",
     [](auto& setup) { setup.bundle.standby.name = "ss3"; });
  no(Fault::Network, "Connection refused",
     [](auto& setup) { setup.bundle.standby.port = free_port(); });
  no(Fault::Network, "does not match host name",
     [](auto& setup) { setup.bundle.standby.host = "127.0.0.2"; });
  no(Fault::Role, "has no slot 'other'", [](auto& setup) { setup.bundle.standby.slot = "other"; });
  no(Fault::Refused, "not the database that the bundle is from",
     [](auto& setup) { setup.bundle.system_id = "1"; });
  // A cluster that does not run, named by mistake or broken.
  no(Fault::Refused, "whose server does not run, is no copy of the primary's: say --replace-data",
     [](auto&) {});
  no(Fault::Refused, "say --replace-data", [](auto& setup) { setup.reclone = true; });
  fs::rename(node.data() + "/global/pg_control", node.data() + "/global/away");
  no(Fault::Refused, "pg_controldata ended with status 1",
     [](auto& setup) { setup.reclone = true; });
  fs::rename(node.data() + "/global/away", node.data() + "/global/pg_control");
  pair.standby_setup.replace_data = true;
  no(Fault::Refused, "no room in",
     [](auto& setup) { setup.room = [](const std::string&) { return 1U << 20; }; });
  no(Fault::Refused, "this is the primary itself",
     [&](auto& setup) { setup.cluster = pair.primary.choice(); });
  no(Fault::Usage, "--password-file",
     [](auto& setup) { setup.bundle.standby.login = Login::Password; });
  pair.clock_off = 3LL * 366 * 86'400;
  no(Fault::Mismatch, "certificate has expired", [](auto&) {});
  pair.clock_off = 120;
  no(Fault::Refused, "the clock of this node is 2 min ahead of the primary's", [](auto&) {});
  pair.clock_off = -45;
  no(Fault::Refused, "behind the primary's", [](auto&) {});
  pair.clock_off = 0;
  {
    const Fd taken = listen_on({"127.0.0.1", node.port(), "test"}, "port", "");
    no(Fault::Refused, "another program has the port", [](auto&) {});
  }
  no(Fault::Refused, "the primary is PostgreSQL", [&](auto& setup) {
    setup.cluster.bin = node.dir() / "bin";
    setup.cluster.data = node.dir() / "lib/new";
    setup.cluster.config = node.config();
    fs::create_directory(setup.cluster.bin);
    replace_file(setup.cluster.bin + "/postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n",
                 0755);
  });
  fs::remove_all(node.dir() / "bin");
  no(Fault::Usage, "is not a data directory of PostgreSQL", [&](auto& setup) {
    setup.cluster.data = node.dir() / "run";
    std::ofstream(node.dir() / "run/file") << "x";
  });
  fs::remove(node.dir() / "run/file");
  no(Fault::Refused, "is not ours: move it away", [&](auto&) {
    fs::create_directory(node.data() + ".xroad-companion");
    put(node.data() + ".xroad-companion/precious", "data");
    give_to_postgres(node.data() + ".xroad-companion");
  });
  CHECK(fs::exists(node.data() + ".xroad-companion/precious"));
  fs::remove_all(node.data() + ".xroad-companion");

  // Databases of somebody's.
  node.start();
  node.sql("create database precious");
  no(Fault::Refused, "holds 1 database(s): say --replace-data",
     [](auto& setup) { setup.replace_data = false; });
  node.stop();
  fs::remove(node.data() + ".start.log");
  auto after = files(node);
  CHECK(after == before);
}

TEST_CASE("setup refuses: a primary that is followed, a name that is used, a standby to follow",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  no_primary(pair, Fault::Role, "is a standby",
             [&](PrimarySetup& setup) { setup.cluster = pair.standby.choice(); });
  no_standby(pair, Fault::Role, "is a standby itself", [&](StandbySetup& setup) {
    setup.bundle.standby.port = pair.standby.port();
    setup.bundle.system_id.clear();
  });
  const Node third;
  no_standby(pair, Fault::Refused, "another standby uses the slot 'ss2'",
             [&](StandbySetup& setup) { setup.cluster = third.choice(); });

  // Another cluster, to which the followed primary is to be the standby.
  Pair other(Profile::Xroad);
  other.primary.start();
  other.setup_primary();
  other.load_bundle();
  no_standby(other, Fault::Refused, "a primary with 1 standby(s) connected",
             [&](StandbySetup& setup) { setup.cluster = pair.primary.choice(); });
  no_standby(other, Fault::Refused, "standby of another database", [&](StandbySetup& setup) {
    setup.cluster = pair.standby.choice();
    setup.replace_data = false;
  });

  // A primary whose standby has taken over is no candidate for a plain copy.
  pair.primary.stop();
  pair.standby.sql("select pg_promote()");
  CHECK(pair.standby.says("select pg_is_in_recovery()", "f"));
  pair.standby.sql("select pg_create_physical_replication_slot('ss2')");
  no_standby(pair, Fault::Refused, "replication rejoin", [&](StandbySetup& setup) {
    setup.cluster = pair.primary.choice();
    setup.bundle.standby.port = pair.standby.port();
  });
}

TEST_CASE("setup refuses: a wrong password", "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::CentralServer);
  pair.primary.start();
  pair.setup_primary();
  pair.load_bundle();
  pair.standby_setup.bundle.password = "wr0ng word";
  const auto error = thrown_by([&] { plan_standby(pair.standby_setup, pair.clock, pair.wall()); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Auth);
  CHECK_THAT(error->text(), Contains("password authentication failed") && !Contains("wr0ng"));
}
