// SPDX-License-Identifier: MIT
#include "tests/companion/replication/failover_pair.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "companion/replication/cluster_tools.h"
#include "tests/support/postgres.h"

namespace xs::test {
namespace {

using namespace std::chrono_literals;

std::vector<pid_t> processes(const Node& node) {
  const auto server = find_server(node.cluster());
  if (!server) throw std::runtime_error("no server runs in " + node.data());
  std::vector<pid_t> all = descendants(server->pid);
  all.insert(all.begin(), server->pid);
  return all;
}

}  // namespace

void kill_server(const Node& node, pid_t spared) {
  // The postmaster first, so that it starts nobody whom we would miss.
  std::vector<pid_t> all = processes(node);
  ::kill(all.front(), SIGSTOP);
  all = processes(node);
  std::erase(all, spared);
  for (const pid_t pid : all) ::kill(pid, SIGKILL);
  // Nor a zombie: a lock file with its number would pass for held.
  const bool gone = eventually(60s, [&] {
    return std::none_of(all.begin(), all.end(), [](pid_t pid) { return ::kill(pid, 0) == 0; });
  });
  if (!gone) throw std::runtime_error("a killed server lives");
}

Frozen::Frozen(const Node& node) {
  // The postmaster first, so that it starts nobody whom we would miss.
  const auto server = find_server(node.cluster());
  if (!server) throw std::runtime_error("no server to freeze");
  ::kill(server->pid, SIGSTOP);
  pids_ = descendants(server->pid);
  for (const pid_t pid : pids_) ::kill(pid, SIGSTOP);
  pids_.push_back(server->pid);
}

Frozen::~Frozen() {
  for (const pid_t pid : pids_) ::kill(pid, SIGCONT);
}

pid_t server_process(const Node& node, const std::string& title) {
  pid_t found = 0;
  const bool there = eventually(60s, [&] {
    for (const pid_t pid : processes(node)) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      if (text.find(title) != std::string::npos) found = pid;
    }
    return found != 0;
  });
  if (!there) throw std::runtime_error("no process '" + title + "'");
  return found;
}

Halted::Halted(const Node& node, const std::string& title) : pid_(server_process(node, title)) {
  ::kill(pid_, SIGSTOP);
}

Halted::~Halted() { ::kill(pid_, SIGCONT); }

std::string FailoverPair::conninfo(const Node& node, const std::string& user) {
  return "host=127.0.0.1 port=" + std::to_string(node.port()) + " user=" + user +
         " sslmode=disable";
}

void follow(const Node& primary, const Node& standby, const std::string& name,
            const std::vector<std::string>& settings) {
  primary.sql("create role " + name + " login replication in role nodes");
  primary.sql("select pg_create_physical_replication_slot('" + name + "', true)");
  const std::string source = FailoverPair::conninfo(primary, name);
  std::filesystem::remove_all(standby.data());
  run_postgres_tool(
      {"pg_basebackup", "-D", standby.data(), "-X", "stream", "-c", "fast", "-d", source});
  std::string lines;
  if (standby.config() == standby.data()) {
    lines = "port = " + std::to_string(standby.port()) + "\nunix_socket_directories = '" +
            (standby.dir() / "run") + "'\n";
  }
  lines += "primary_conninfo = '" + source + " application_name=" + name +
           "'\nprimary_slot_name = '" + name + "'\n";
  for (const std::string& line : settings) lines += line + "\n";
  standby.append("postgresql.conf", lines);
  std::ofstream(standby.data() + "/standby.signal");
  give_to_postgres(standby.data() + "/standby.signal");
  standby.start();
  if (!primary.says("select state from pg_stat_replication where application_name = '" + name + "'",
                    "streaming")) {
    throw std::runtime_error("the standby does not stream: " + standby.log());
  }
}

std::vector<std::string> FailoverPair::settings(const PairOptions& options) {
  // wal_log_hints and full pages are what pg_rewind asks for.
  std::vector<std::string> lines{"wal_log_hints = on",
                                 "full_page_writes = on",
                                 "wal_keep_size = 64MB",
                                 "max_wal_size = 256MB",
                                 "wal_receiver_status_interval = 1",
                                 "wal_retrieve_retry_interval = 200ms"};
  lines.insert(lines.end(), options.primary.begin(), options.primary.end());
  return lines;
}

FailoverPair::FailoverPair(const PairOptions& options)
    : ss1(options.layout, settings(options)), ss2(options.layout, settings(options)) {
  ss1.start();
  ss1.sql("create role nodes nologin");
  ss1.sql("create role ss1 login replication in role nodes");
  for (const char* function :
       {"pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
        "pg_read_binary_file(text)", "pg_read_binary_file(text, bigint, bigint, boolean)"}) {
    ss1.sql(std::string("grant execute on function ") + function + " to nodes");
  }
  ss1.sql("create table t (id int primary key)");
  follow(ss1, ss2, "ss2", options.standby);
}

bool FailoverPair::caught_up() const {
  return ss2.says(
      "select pg_last_wal_replay_lsn() >= '" + ss1.value("select pg_current_wal_flush_lsn()") + "'",
      "t");
}

PromoteOrder order_for(const Node& node) {
  PromoteOrder order;
  order.cluster = node.choice();
  order.roots = nowhere(node.dir());
  order.patience = 3s;
  order.limit = 60s;
  order.again = "promote again";
  return order;
}

std::string promoted(const PromoteOrder& order) {
  SteadyClock clock;
  std::string said;
  promote(order, clock, [&](std::string_view text) { said += text; });
  return said;
}

}  // namespace xs::test
