// SPDX-License-Identifier: MIT
#include "tests/companion/upgrade/member.h"

#include <sys/wait.h>

#include <stdexcept>

namespace xs::test {
namespace {

std::string upgrade_section(const Node& node) {
  return "[upgrade]\nstate-file = " + node.tree.path_of("upgrade.json") +
         "\nsync-user = nobody-of-this-name\nsync-environment = /nonexistent/environment\n";
}

// Reads until this is said or the output ends.
bool hears(int fd, const std::string& words) {
  std::string all;
  std::array<char, 512> buffer{};
  while (all.find(words) == std::string::npos) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return false;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace

Cluster::Cluster() : tree(XS_SERVER) { database.sql("create table written (id integer)"); }

Member::Member(Cluster& cluster, const std::string& more)
    : standby(cluster.database.make_standby()),
      sync(cluster.tree, XS_CLIENT, cluster.tree.let_in()) {
  configure(more);
  node.serve();
}

void Member::configure(const std::string& more) {
  node.configure(more + "[replication]\nhost = " + standby->sockets() +
                 "\nport = " + std::to_string(standby->port()) + "\n" + upgrade_section(node) +
                 "sync-program = " XS_CLIENT "\nsync-config = " + sync.file("sync.ini") + "\n");
}

std::string Member::upgrade(const std::vector<std::string>& words) const {
  std::vector<std::string> all{"upgrade"};
  all.insert(all.end(), words.begin(), words.end());
  const Ran ran = run(all);
  if (ran.code != 0) throw std::runtime_error(ran.out + ran.err);
  return ran.out;
}

bool Member::killed_at(const std::vector<std::string>& words, const std::string& step) const {
  std::vector<std::string> argv = node.line({"upgrade"});
  argv.insert(argv.end(), words.begin(), words.end());
  std::vector<char*> raw;
  for (std::string& word : argv) raw.push_back(word.data());
  raw.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    ::dup2(to.get(), 1);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  to = Fd();
  const bool heard = hears(from.get(), step);
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return heard;  // in its last step it may have come to its end
}

void Member::restart_companion() {
  node.kill();
  node.serve();
}

int Member::health() const {
  try {
    const std::string line = http_ask(node.health, "GET /").status();
    return line.size() < 12 ? 0 : std::stoi(line.substr(9, 3));
  } catch (const std::runtime_error&) {
    return 0;
  }
}

bool Member::replay_paused() const {
  return standby->value("select pg_get_wal_replay_pause_state()") == "paused";
}

bool Member::sync_paused() const {
  return sync.run({"status", "--json"}).out.find("\"paused\"") != std::string::npos;
}

void configure_alone(Node& node, const std::string& type, const std::string& more) {
  node.tree.file("xroad/conf.d/node.ini", "[node]\ntype=" + type + "\n");
  node.configure(more + upgrade_section(node));
}

}  // namespace xs::test
