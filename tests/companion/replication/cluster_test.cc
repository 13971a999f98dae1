// SPDX-License-Identifier: MIT
#include "companion/replication/cluster.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/io.h"
#include "companion/db.h"
#include "companion/replication/cluster_start.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/connection.h"
#include "companion/replication/new_primary.h"
#include "tests/companion/replication/node.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

void put(const std::string& path, const std::string& text) {
  replace_file(path, text, 0600);
  give_to_postgres(path);
}

// The directories of a distribution, with programs that only know their version.
struct Machine {
  TempDir dir;
  ClusterRoots roots;
  ClusterChoice choice;
  SteadyClock clock;

  Machine() {
    roots = nowhere(dir);
    roots.debian_config = dir / "etc";
    roots.debian_programs = dir / "usr/lib/postgresql";
    roots.rhel_data = dir / "pgsql";
    roots.rhel_programs = dir / "usr/pgsql-";
    roots.programs = dir / "usr/bin";
    roots.units = {dir / "units"};
    give_to_postgres(dir.path());
  }
  void program(const std::string& where, const std::string& version) const {
    fs::create_directories(where);
    const std::string path = where + "/postgres";
    replace_file(path, "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n", 0755);
  }
  std::string data(const std::string& name, const std::string& version) const {
    fs::create_directories(dir / name);
    put(dir / name + "/PG_VERSION", version + "\n");
    give_to_postgres(dir / name);
    return dir / name;
  }
  void debian(const std::string& version, const std::string& name, const std::string& data_at,
              const std::string& lines = "") const {
    const std::string where = roots.debian_config + "/" + version + "/" + name;
    fs::create_directories(where);
    replace_file(where + "/postgresql.conf",
                 "data_directory = '" + data_at + "'\t# use data in another directory\n" + lines,
                 0644);
  }
  Cluster find() { return find_cluster(choice, clock, roots); }
  std::string why() {
    const auto error = thrown_by([&] { find(); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
    return error->text();
  }
};

}  // namespace

TEST_CASE("cluster: one whose data a broken off run has out of its place is found by its name",
          "[replication]") {
  if (without_postgres()) return;
  const char* place = GENERATE(".xroad-rejoin/own", ".xroad-rejoin/data", ".xroad-companion/new");
  CAPTURE(place);
  const TempDir dir;
  ClusterRoots roots = nowhere(dir);
  roots.rhel_data = dir / "pgsql";
  ClusterChoice choice;
  choice.bin = postgres_programs();
  const std::string data = roots.rhel_data + "/serverconf";
  std::filesystem::create_directories(roots.rhel_data);
  SteadyClock clock;
  const auto none = thrown_by([&] { find_cluster(choice, clock, roots); });
  REQUIRE(none);
  CHECK_THAT(none->text(), Contains("no PostgreSQL cluster named 'serverconf'"));

  std::filesystem::create_directories(data + place);
  const bool taken_out = std::string(place).ends_with("own");
  if (taken_out) std::filesystem::create_directories(data + ".xroad-rejoin/data");
  const std::string version = taken_out ? ".xroad-rejoin/data" : place;
  std::ofstream(data + version + "/PG_VERSION")
      << std::filesystem::path(postgres_programs()).parent_path().filename().string() << "\n";
  std::ofstream(data + place + "/postgresql.conf") << "port = 5999\n";
  give_to_postgres(dir.path());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
    give_to_postgres(entry.path());
  }
  const Cluster cluster = find_cluster(choice, clock, roots);
  CHECK(cluster.data == data);
  CHECK(cluster.config == data);
  CHECK(cluster.port == 5999);
  CHECK_FALSE(std::filesystem::exists(data));
}

TEST_CASE("cluster: Debian's layout is found by the cluster's name alone", "[replication]") {
  Machine machine;
  machine.program(machine.roots.debian_programs + "/15/bin", "15.8 (Debian 15.8-1)");
  machine.program(machine.roots.programs, "16.1");
  const std::string data = machine.data("lib", "15");
  machine.debian(
      "15", "serverconf", data,
      "#port = 1\nport = 5433 # of X-Road\nunix_socket_directories = '/run/a, /run/b'\n");
  machine.debian("15", "main", "/elsewhere");
  const Cluster cluster = machine.find();
  CHECK(cluster.data == data);
  CHECK(cluster.config == machine.dir / "etc/15/serverconf");
  CHECK_FALSE(cluster.config_in_data());
  CHECK(cluster.bin == machine.roots.debian_programs + "/15/bin");
  CHECK(cluster.port == 5433);
  CHECK(cluster.sockets == "/run/a");
  CHECK(cluster.major == 15);
  CHECK(cluster.owner == postgres_account());
  CHECK(cluster.starter == Starter::PgCtlCluster);

  // Its data named, its configuration is found; its configuration named, its data.
  machine.choice.data = data;
  CHECK(machine.find().config == cluster.config);
  machine.choice = {};
  machine.choice.config = cluster.config;
  CHECK(machine.find().data == data);
  machine.choice.port = 5999;
  CHECK(machine.find().port == 5999);

  // Data that is away, in the middle of a swap or because there was none.
  fs::rename(data, machine.dir / "aside");
  CHECK(machine.find().major == 15);

  machine.choice = {};
  machine.debian("16", "serverconf", data);
  CHECK_THAT(machine.why(),
             Contains("several clusters named 'serverconf'") && Contains("--config"));
}

TEST_CASE("cluster: RHEL's layout is found, and its port is the guide's", "[replication]") {
  Machine machine;
  machine.program(machine.roots.programs, "13.14");
  fs::create_directories(machine.roots.rhel_data);
  give_to_postgres(machine.roots.rhel_data);
  const std::string data = machine.data("pgsql/serverconf", "13");
  Cluster cluster = machine.find();
  CHECK(cluster.data == data);
  CHECK(cluster.config_in_data());
  CHECK(cluster.port == 5433);
  CHECK(cluster.starter == Starter::PgCtl);
  machine.choice.service = "postgresql-serverconf";
  cluster = machine.find();
  CHECK(cluster.starter == Starter::Systemd);
  CHECK(command_text(cluster, stop_command(cluster)) ==
        "/usr/bin/systemctl stop postgresql-serverconf");
}

TEST_CASE("cluster: the unit that starts it, and its port, are found by the data directory",
          "[replication]") {
  Machine machine;
  machine.program(machine.roots.programs, "13.14");
  fs::create_directories(machine.roots.rhel_data);
  fs::create_directories(machine.dir / "units/postgresql-serverconf.service.d");
  give_to_postgres(machine.roots.rhel_data);
  const std::string serverconf = machine.data("pgsql/serverconf", "13");
  const std::string data = machine.data("pgsql/data", "13");
  const std::string other = machine.data("elsewhere", "13");
  const auto unit = [&](const std::string& name, const std::string& lines) {
    replace_file(machine.dir / "units/" + name, "[Service]\n" + lines, 0644);
  };
  unit("postgresql.service", "Environment=PGDATA=" + data + "\n");
  unit("postgresql-serverconf.service", "Environment=PGPORT=1 PGPORT=5433\n");
  unit("postgresql-serverconf.service.d/port.conf", "Environment=\"PGPORT=5444\"\n");
  unit("postgresql-mine.service", "Environment='PGDATA=" + other + "/' PGPORT=5455\n");
  machine.roots.systemd = machine.dir / "units";

  const auto found = [&](const std::string& name, const std::string& at) {
    machine.choice = {};
    machine.choice.name = name;
    machine.choice.data = at;
    const Cluster cluster = machine.find();
    const bool starts = cluster.starter == Starter::Systemd;
    return std::to_string(cluster.port) + (starts ? " " + cluster.service : "");
  };
  const bool root = ::geteuid() == 0;
  const auto with = [&](const char* port, const char* service) {
    return std::string(port) + (root ? std::string(" ") + service : "");
  };
  CHECK(found("", "") == with("5444", "postgresql-serverconf"));
  CHECK(found("", serverconf) == with("5444", "postgresql-serverconf"));
  CHECK(found("data", "") == with("5432", "postgresql"));
  CHECK(found("", data) == with("5432", "postgresql"));
  CHECK(found("", other) == with("5455", "postgresql-mine"));
  // A line of its files is stronger than the unit's.
  put(other + "/postgresql.conf", "port = 5466\n");
  CHECK(found("", other) == with("5466", "postgresql-mine"));
  put(other + "/postgresql.auto.conf", "port = '5477'\n");
  CHECK(found("", other) == with("5477", "postgresql-mine"));
  // Red Hat's place may be a link to a bigger disk; the unit says the link.
  fs::remove_all(serverconf);
  const std::string moved = machine.data("disk", "13");
  fs::create_directory_symlink(moved, serverconf);
  unit("postgresql-serverconf.service",
       "Environment=PGDATA=" + serverconf + "\nEnvironment=PGPORT=5433\n");
  CHECK(found("", "") == with("5444", "postgresql-serverconf"));
  CHECK(found("", moved) == with("5444", "postgresql-serverconf"));
  CHECK(unit_environment("Environment=A=1\nEnvironment=\nEnvironment=B=2\n", "A").empty());
}

TEST_CASE("cluster: what does not fit is refused with the option to give", "[replication]") {
  Machine machine;
  CHECK_THAT(machine.why(),
             Contains("no PostgreSQL cluster named 'serverconf'") && Contains("--data"));
  machine.choice.data = "relative";
  CHECK_THAT(machine.why(), Contains("not an absolute path"));
  machine.choice.data = machine.dir / "no/such/parent";
  CHECK_THAT(machine.why(), Contains("neither"));

  machine.choice.data = machine.data("lib", "15");
  CHECK_THAT(machine.why(),
             Contains("programs of PostgreSQL 15 are not installed") && Contains("--bin"));
  machine.choice.bin = machine.dir / "nothing";
  CHECK_THAT(machine.why(), Contains("no postgres in") && Contains("--bin"));
  machine.choice.bin = machine.roots.programs;
  machine.program(machine.roots.programs, "14.11");
  CHECK_THAT(machine.why(), Contains("PostgreSQL 15") && Contains("are 14"));
  machine.program(machine.roots.programs, "nonsense");
  CHECK_THAT(machine.why(), Contains("no PostgreSQL that we know"));
  machine.program(machine.roots.programs, "15.8");
  CHECK(machine.find().major == 15);

  put(machine.choice.data + "/postgresql.conf", "port = 70000\n");
  CHECK_THAT(machine.why(), Contains("--port"));
  put(machine.choice.data + "/PG_VERSION", "what\n");
  CHECK_THAT(machine.why(), Contains("not a data directory of PostgreSQL"));
  if (::geteuid() == 0) {
    CHECK(::chown(machine.choice.data.c_str(), 0, 0) == 0);
    CHECK_THAT(machine.why(), Contains("belongs to root"));
  }
}

TEST_CASE("cluster: the last value of a configuration counts, without quotes and comments",
          "[replication]") {
  const std::string conf =
      "# port = 1\nport = 5432\nport=5433\t# the second\nname 'it''s'\nempty = ''\nlast = on";
  CHECK(conf_value(conf, "port") == "5433");
  CHECK(conf_value(conf, "name") == "it's");
  CHECK(conf_value(conf, "empty") == "");
  CHECK(conf_value(conf, "last") == "on");
  CHECK_FALSE(conf_value(conf, "por"));
  CHECK_FALSE(conf_value("port", "port"));
}

TEST_CASE("cluster: a command is shown as a shell takes it", "[replication]") {
  CHECK(shell_words({"/bin/a", "it's", "", "a=b", "x y"}) == "/bin/a 'it'\\''s' '' a=b 'x y'");
}

TEST_CASE("cluster: control data that lacks a line is an error", "[replication]") {
  const auto error = thrown_by([] { parse_control("Database cluster state: shut down\n"); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("does not say"));
}

TEST_CASE("cluster: a real one is started, asked, restarted and stopped as its owner",
          "[replication][database]") {
  if (without_postgres()) return;
  for (const auto layout : {Node::Layout::InData, Node::Layout::Apart}) {
    const Node node(layout);
    SteadyClock clock;
    const Cluster cluster = node.cluster();
    CHECK(cluster.port == node.port());
    CHECK(cluster.config == node.config());
    CHECK_FALSE(find_server(cluster));
    const ControlData control = read_control(cluster, cluster.data, clock);
    CHECK(control.state == "shut down");
    CHECK(control.stopped_cleanly());
    CHECK(control.timeline == 1);
    CHECK(control.system_id.size() > 15);
    CHECK_FALSE(control.checksums);

    run_command(cluster, start_command(cluster), clock);
    const auto server = find_server(cluster);
    REQUIRE(server);
    CHECK(server->port == node.port());
    CHECK(server->sockets == node.dir() / "run");
    {
      const AsOwner rights(cluster.user);
      Db db(local_target(cluster), clock, clock.now() + std::chrono::seconds(20));
      const auto deadline = clock.now() + std::chrono::seconds(20);
      CHECK(db.ask("show data_directory", {}, deadline)[0][0] == node.data());
      CHECK(db.ask("select system_identifier from pg_control_system()", {}, deadline)[0][0] ==
            control.system_id);
    }
    CHECK(::geteuid() == ::getuid());
    CHECK(read_control(cluster, cluster.data, clock).state == "in production");
    run_command(cluster, reload_command(cluster), clock);
    run_command(cluster, restart_command(cluster), clock);
    const auto second = find_server(cluster);
    REQUIRE(second);
    CHECK(second->pid != server->pid);
    run_command(cluster, stop_command(cluster), clock);
    CHECK_FALSE(find_server(cluster));

    // One that listens where no file says: it stays there.
    ClusterChoice choice = node.choice();
    choice.port = free_port();
    const Cluster moved = find_cluster(choice, clock, nowhere(node.dir()));
    run_command(moved, start_command(moved), clock);
    CHECK(node.cluster().port == choice.port);
    run_command(moved, stop_command(moved), clock);
    CHECK(node.cluster().port == node.port());

    // A pid file that a crash left, with the number of somebody who is not the server.
    put(cluster.data + "/postmaster.pid", std::to_string(::getpid()) + "\n");
    CHECK_FALSE(find_server(cluster));
    ::unlink((cluster.data + "/postmaster.pid").c_str());

    const auto error = thrown_by([&] { run_command(cluster, stop_command(cluster), clock); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Action);
    CHECK_THAT(error->text(), Contains("pg_ctl ended with status 1: ") && !Contains("\n"));
  }
}

TEST_CASE("cluster: a primary that is given by its address stays so in what is written",
          "[replication][database]") {
  if (without_postgres()) return;
  const Node node;
  SteadyClock clock;
  const std::string common = " user=b sslmode=require";
  for (const auto& [words, text] :
       {std::pair{"host=a,c hostaddr=10.0.0.1, port=1,2", "hostaddr=10.0.0.1, port=1,2"},
        std::pair{"host=a hostaddr=10.0.0.1 port=1", "hostaddr=10.0.0.1 port=1"}}) {
    const DbTarget target = new_primary_target(words + common, node.cluster(), clock);
    const std::string written = conninfo_text(target);
    CHECK_THAT(written, Contains(text));
    CHECK(parse_conninfo(written, "test").hosts == target.hosts);
  }
  CHECK_THAT(conninfo_text(new_primary_target("host=a" + common, node.cluster(), clock)),
             !Contains("hostaddr"));
}

TEST_CASE("cluster: a password in primary_conninfo, also of its key, goes into no new line",
          "[replication][database]") {
  if (without_postgres()) return;
  for (const char* secret : {"password", "sslpassword"}) {
    const Node node;
    SteadyClock clock;
    const std::string words = "host=a user=b sslmode=require ";
    node.append("postgresql.conf", "primary_conninfo = '" + words + "'\n");
    CHECK_THAT(conninfo_text(new_primary_target("", node.cluster(), clock)),
               Contains("sslmode=require"));
    node.append("postgresql.conf", "primary_conninfo = '" + words + secret + "=s3cret'\n");
    const auto error = thrown_by([&] { new_primary_target("", node.cluster(), clock); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
    CHECK_THAT(error->text(), Contains("holds a password") && !Contains("s3cret"));
  }
}
