// SPDX-License-Identifier: MIT
#include "tests/support/postgres.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"

namespace xs::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 120s;  // initdb alone takes half a minute where others build

// Where the newest installed version keeps its programs; empty: there is none.
std::string programs() {
  std::string found;
  int newest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    const int version = std::atoi(entry.path().filename().c_str());
    const std::string bin = (entry.path() / "bin").string();
    if (version <= newest || ::access((bin + "/initdb").c_str(), X_OK) != 0) continue;
    newest = version;
    found = bin;
  }
  if (found.empty() && ::access("/usr/bin/initdb", X_OK) == 0) found = "/usr/bin";
  return found;
}

struct User {
  uid_t uid;
  gid_t gid;
};

// Whom the server runs as; ourselves where we are not root.
User server_user() {
  if (::geteuid() != 0) return {::geteuid(), ::getegid()};
  for (const char* name : {"postgres", "nobody"}) {
    const passwd* entry = ::getpwnam(name);
    if (entry != nullptr) return {entry->pw_uid, entry->pw_gid};
  }
  throw std::runtime_error("there is no account for PostgreSQL: neither postgres nor nobody");
}

// setpriv becomes the program itself, so that its process id is the server's. An immediate
// shutdown, unlike SIGKILL, leaves no shared memory behind.
std::vector<std::string> as_server(std::vector<std::string> argv) {
  argv[0] = programs() + "/" + argv[0];
  if (::geteuid() != 0) return argv;
  const User user = server_user();
  std::vector<std::string> all{"setpriv",
                               "--reuid=" + std::to_string(user.uid),
                               "--regid=" + std::to_string(user.gid),
                               "--clear-groups",
                               "--pdeathsig=QUIT",
                               "--"};
  all.insert(all.end(), argv.begin(), argv.end());
  return all;
}

template <class Condition>
bool eventually(std::chrono::milliseconds time, Condition condition) {
  SteadyClock clock;
  const Instant deadline = clock.now() + time;
  while (!condition()) {
    if (clock.now() >= deadline) return false;
    clock.poll({}, clock.now() + 20ms);
  }
  return true;
}

// A program to its successful end; what it printed.
std::string finish(const std::vector<std::string>& argv) {
  const TempDir dir;
  const std::string output = dir / "output";
  Child child(argv, output);
  if (!child.ended_within(kPatience)) throw std::runtime_error(argv.back() + " does not end");
  const std::string text = dir.read("output");
  if (child.status() != 0) throw std::runtime_error("PostgreSQL: " + text);
  return text;
}

void append(const std::string& path, const std::vector<std::string>& lines) {
  std::ofstream out(path, std::ios::app);
  for (const std::string& line : lines) out << line << "\n";
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace

bool without_postgres() {
  if (!programs().empty()) return false;
  WARN("skipped: PostgreSQL's server is not installed (package postgresql)");
  return true;
}

std::string postgres_programs() { return programs(); }

std::string postgres_account() {
  const passwd* entry = ::getpwuid(server_user().uid);
  if (entry == nullptr) throw std::runtime_error("we have no name");
  return entry->pw_name;
}

std::string run_postgres_tool(const std::vector<std::string>& argv) {
  return finish(as_server(argv));
}

void give_to_postgres(const std::string& path) {
  const User user = server_user();
  if (::chown(path.c_str(), user.uid, user.gid) != 0) {
    throw std::runtime_error("chown " + path + ": " + errno_text(errno));
  }
}

void Postgres::own(const std::string& path) const { give_to_postgres(path); }

std::string Postgres::write(const std::string& name, const std::string& bytes) const {
  const std::string path = dir_.write(name, bytes);
  own(path);
  return path;
}

std::string Postgres::tool(const std::vector<std::string>& argv) const {
  return run_postgres_tool(argv);
}

Postgres::Postgres(const PostgresOptions& options) {
  own(dir_.path());
  tool({"initdb", "-D", data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale",
        "--no-sync"});
  configure(options);
  start();
}

Postgres::Postgres(Copy, const Postgres& primary, const std::vector<std::string>& settings) {
  own(dir_.path());
  // The primary's name for us, and a connection that its pg_hba.conf takes: the socket.
  const std::string name = "standby" + std::to_string(primary.standbys_);
  tool({"pg_basebackup", "-D", data(), "-R", "-X", "stream", "-c", "fast", "-C", "-S", name, "-d",
        "host=" + primary.sockets() + " port=" + std::to_string(primary.port_) +
            " user=postgres application_name=" + name});
  append(data() + "/postgresql.conf", {"unix_socket_directories = '" + dir_.path() + "'"});
  append(data() + "/postgresql.conf", settings);
  start();
}

void Postgres::configure(const PostgresOptions& options) {
  append(data() + "/postgresql.conf",
         {"listen_addresses = '127.0.0.1'", "unix_socket_directories = '" + dir_.path() + "'",
          "wal_level = replica", "max_wal_senders = 10", "max_connections = 40", "fsync = off",
          "full_page_writes = off", "shared_buffers = 4MB", "password_encryption = scram-sha-256",
          "log_timezone = 'UTC'", "timezone = 'UTC'"});
  if (!options.certificate.empty()) {
    append(data() + "/postgresql.conf",
           {"ssl = on", "ssl_cert_file = '" + write("server.crt", options.certificate) + "'",
            "ssl_key_file = '" + write("server.key", options.key) + "'"});
    if (!options.ca.empty()) {
      append(data() + "/postgresql.conf", {"ssl_ca_file = '" + write("ca.crt", options.ca) + "'"});
    }
  }
  append(data() + "/postgresql.conf", options.settings);
  std::ofstream(data() + "/pg_hba.conf", std::ios::trunc);
  append(data() + "/pg_hba.conf", options.hba);
  append(data() + "/pg_hba.conf", {"local all all trust", "local replication all trust",
                                   "host all all 127.0.0.1/32 scram-sha-256",
                                   "host replication all 127.0.0.1/32 scram-sha-256"});
}

Postgres::~Postgres() {
  try {
    if (running()) stop(Stop::Immediate);
  } catch (const std::exception&) {
    daemon_.reset();  // by SIGKILL
  }
}

std::unique_ptr<Postgres> Postgres::make_standby(const std::vector<std::string>& settings) {
  ++standbys_;
  return std::unique_ptr<Postgres>(new Postgres(Copy{}, *this, settings));
}

void Postgres::start() {
  const bool first = port_ == 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (first) port_ = free_port();  // somebody else may take it before the server does
    daemon_ = std::make_unique<Child>(
        as_server({"postgres", "-D", data(), "-p", std::to_string(port_)}), dir_ / "log");
    const bool answers = eventually(kPatience, [this] {
      if (daemon_->ended_within(0ms)) return true;
      try {
        return value("select 1") == "1";
      } catch (const std::runtime_error&) {
        return false;
      }
    });
    if (answers && !daemon_->ended_within(0ms)) return;
    daemon_.reset();
  }
  throw std::runtime_error("PostgreSQL does not start: " + log());
}

void Postgres::stop(Stop how) {
  thaw();
  ::kill(daemon_->pid(), how == Stop::Fast ? SIGINT : SIGQUIT);
  if (!daemon_->ended_within(kPatience)) throw std::runtime_error("PostgreSQL does not stop");
  daemon_.reset();
}

void Postgres::freeze() {
  // The postmaster first, so that it starts nobody whom we would miss.
  ::kill(daemon_->pid(), SIGSTOP);
  frozen_ = descendants(daemon_->pid());
  for (const pid_t pid : frozen_) ::kill(pid, SIGSTOP);
}

void Postgres::thaw() {
  for (const pid_t pid : std::exchange(frozen_, {})) ::kill(pid, SIGCONT);
  if (daemon_) ::kill(daemon_->pid(), SIGCONT);
}

void Postgres::sql(const std::string& statement, const std::string& database) const {
  value(statement, database);
}

std::string Postgres::value(const std::string& query, const std::string& database) const {
  std::string out =
      run({programs() + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", sockets(),
           "-p", std::to_string(port_), "-U", "postgres", "-d", database, "-c", query});
  return out.substr(0, out.find('\n'));
}

bool Postgres::says(const std::string& query, const std::string& answer,
                    std::chrono::milliseconds within) const {
  return eventually(within, [&] { return value(query) == answer; });
}

std::string Postgres::log() const { return dir_.read("log"); }

}  // namespace xs::test
