// SPDX-License-Identifier: MIT
#include "tests/companion/replication/node.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/io.h"
#include "companion/replication/cluster_tools.h"
#include "tests/support/free_port.h"
#include "tests/support/postgres.h"

namespace xs::test {
namespace {

namespace fs = std::filesystem;

void make_directory(const std::string& path) {
  fs::create_directory(path);
  fs::permissions(path, fs::perms::owner_all);
  give_to_postgres(path);
}

// "15" of /usr/lib/postgresql/15/bin
std::string version() { return fs::path(postgres_programs()).parent_path().filename(); }

}  // namespace

ClusterRoots nowhere(const TempDir& dir) {
  ClusterRoots roots;
  roots.debian_config = dir / "none/etc";
  roots.rhel_data = dir / "none/pgsql";
  roots.systemd = dir / "none/systemd";
  return roots;
}

Node::Node(Layout layout, const std::vector<std::string>& settings)
    : layout_(layout), port_(free_port()) {
  give_to_postgres(dir_.path());
  make_directory(dir_ / "lib");
  make_directory(dir_ / "run");
  make_cluster();
  append("postgresql.conf",
         "port = " + std::to_string(port_) + "\nlisten_addresses = '127.0.0.1'\n" +
             "unix_socket_directories = '" + (dir_ / "run") + "'\n" +
             "autovacuum = off\nfsync = off\nfull_page_writes = off\nshared_buffers = 4MB\n");
  for (const std::string& line : settings) append("postgresql.conf", line + "\n");
  guard();
}

void Node::make_cluster() {
  const std::vector<std::string> how{"-U",   postgres_account(), "-A",       "trust", "-E",
                                     "UTF8", "--no-locale",      "--no-sync"};
  std::vector<std::string> words{"initdb", "-D", data()};
  if (layout_ != Layout::Debian) {
    words.insert(words.end(), how.begin(), how.end());
    run_postgres_tool(words);
  }
  if (layout_ == Layout::InData) return;
  make_directory(dir_ / "etc");
  if (layout_ == Layout::Apart) {
    for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf"}) {
      fs::rename(data() + "/" + name, config() + "/" + name);
    }
    append("postgresql.conf", "data_directory = '" + data() + "'\n");
    return;
  }
  words = {"/usr/bin/env",
           "PG_CLUSTER_CONF_ROOT=" + (dir_ / "etc"),
           "/usr/bin/pg_createcluster",
           "-u",
           postgres_account(),
           "-d",
           data(),
           "-s",
           dir_ / "run",
           "-l",
           data() + ".start.log",
           "-p",
           std::to_string(port_),
           version(),
           "serverconf",
           "--"};
  words.insert(words.end(), how.begin(), how.end());
  run(words);
}

// A process that outlives us when we are killed, and then ends the server.
void Node::guard() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const Fd theirs(ends[0]);
  alive_ = Fd(ends[1]);
  const std::string file = data() + "/postmaster.pid";
  guard_ = ::fork();
  if (guard_ != 0) return;
  ::setpgid(0, 0);
  ::close(ends[1]);
  char byte = 0;
  if (::read(theirs.get(), &byte, 1) == 0) {
    long pid = 0;
    std::ifstream(file) >> pid;
    if (pid > 1) ::kill(static_cast<pid_t>(pid), SIGQUIT);
  }
  ::_exit(0);
}

Node::~Node() {
  try {
    SteadyClock clock;
    const Instant deadline = clock.now() + std::chrono::seconds(60);
    for (auto server = find_server(cluster()); server && clock.now() < deadline;
         server = find_server(cluster())) {
      ::kill(server->pid, SIGQUIT);
      clock.poll({}, clock.now() + std::chrono::milliseconds(20));
    }
  } catch (const std::exception&) {  // what is left is the guard's
  }
  alive_ = Fd();
  ::waitpid(guard_, nullptr, 0);
}

std::optional<std::string> Node::no_debian() {
  if (::access("/usr/bin/pg_createcluster", X_OK) != 0) {
    return "skipped: Debian's programs for clusters are not installed (package postgresql-common)";
  }
  if (::geteuid() == 0 && fs::exists("/run/systemd/system")) {
    return "skipped: with systemd, root's pg_ctlcluster starts units, which a test has none of";
  }
  return std::nullopt;
}

std::string Node::config() const {
  switch (layout_) {
    case Layout::InData: return data();
    case Layout::Apart: return dir_ / "etc";
    case Layout::Debian: break;
  }
  return dir_ / ("etc/" + version() + "/serverconf");
}

ClusterRoots Node::roots() const {
  ClusterRoots roots = nowhere(dir_);
  if (layout_ == Layout::Debian) roots.debian_config = dir_ / "etc";
  return roots;
}

ClusterChoice Node::choice() const {
  ClusterChoice choice;
  if (layout_ == Layout::Debian) return choice;  // its name is enough
  choice.data = data();
  choice.config = layout_ == Layout::Apart ? config() : "";
  choice.bin = postgres_programs();
  return choice;
}

Cluster Node::cluster() const {
  SteadyClock clock;
  return find_cluster(choice(), clock, roots());
}

void Node::start() const {
  SteadyClock clock;
  const Cluster own = cluster();
  run_command(own, start_command(own), clock);
}

void Node::stop() const {
  SteadyClock clock;
  const Cluster own = cluster();
  run_command(own, stop_command(own), clock);
}

bool Node::running() const { return find_server(cluster()).has_value(); }

std::string Node::value(const std::string& query, const std::string& database) const {
  const std::string out = run({postgres_programs() + "/psql", "-X", "-q", "-A", "-t", "-v",
                               "ON_ERROR_STOP=1", "-h", dir_ / "run", "-p", std::to_string(port_),
                               "-U", postgres_account(), "-d", database, "-c", query});
  return out.substr(0, out.find('\n'));
}

void Node::sql(const std::string& statement, const std::string& database) const {
  value(statement, database);
}

bool Node::says(const std::string& query, const std::string& answer,
                std::chrono::milliseconds within) const {
  return eventually(within, [&] {
    try {
      return value(query) == answer;
    } catch (const std::runtime_error&) {
      return false;
    }
  });
}

void Node::append(const std::string& file, const std::string& lines) const {
  std::ofstream out(config() + "/" + file, std::ios::app);
  out << lines;
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
}

std::string Node::log() const {
  return read_file_if_exists(data() + ".start.log", 4U << 20).value_or("");
}

}  // namespace xs::test
