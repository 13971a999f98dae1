// SPDX-License-Identifier: MIT
#include "tests/companion/recovery/machine.h"

#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/clock.h"
#include "base/fd.h"
#include "base/io.h"
#include "tests/support/postgres.h"

namespace xs::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kBridge = "switch";
const std::vector<std::string> kUnshare = {"unshare", "-m", "-u",     "-n",
                                           "-p",      "-i", "--fork", "--kill-child"};

std::vector<std::string> operator+(std::vector<std::string> words,
                                   const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The one process that unshare(1) has started.
pid_t child_of(pid_t parent) {
  const std::string path =
      "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  pid_t found = -1;
  std::ifstream(path) >> found;
  return found;
}

// Until the other side is closed, for at most half a minute.
std::string read_terminal(int fd) {
  SteadyClock clock;
  const Instant deadline = clock.now() + 30s;
  std::string text;
  std::array<char, 1024> piece{};
  while (clock.now() < deadline) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, 200) <= 0) continue;
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got <= 0) return text;  // EIO: nobody has the terminal any more
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  throw std::runtime_error("it does not end: " + text);
}

}  // namespace

// ---- Lan

std::optional<std::string> Lan::missing() {
  const std::string so = "skipped: the machines of this test need ";
  if (::geteuid() != 0) return so + "root, for namespaces of their own";
  for (const char* program : {"/usr/bin/pg_createcluster", "/usr/sbin/sshd", "/usr/bin/sudo"}) {
    if (::access(program, X_OK) != 0) return so + program;
  }
  const Ran ran = run_apart(
      kUnshare +
      std::vector<std::string>{
          "sh", "-ec",
          "mount --make-rprivate /; mount -t proc proc /proc; mount -t tmpfs tmpfs /mnt; "
          "mkdir /mnt/upper /mnt/work; mount -t overlay overlay -o "
          "lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc; "
          "ip link add name switch type bridge; ip link add name one type veth peer name two"});
  if (ran.code != 0) return so + "namespaces, an overlay and a bridge: " + ran.err;
  return std::nullopt;
}

Lan::Lan()
    : keeper_(std::make_unique<Child>(
          std::vector<std::string>{"unshare", "-n", "--kill-child", "--fork", "sleep", "86400"},
          dir_ / "switch.log")) {
  // Its namespace is another one than ours as soon as unshare(1) has got that far.
  const std::string own = fs::read_symlink("/proc/self/ns/net");
  const std::string theirs = "/proc/" + std::to_string(pid()) + "/ns/net";
  if (!eventually(20s, [&] { return fs::read_symlink(theirs) != own; })) {
    throw std::runtime_error("no switch: " + dir_.read("switch.log"));
  }
  fs::permissions(dir_.path(), fs::perms(0755));
  ip({"link", "add", "name", kBridge, "type", "bridge"});
  ip({"link", "set", kBridge, "up"});
}

void Lan::ip(const std::vector<std::string>& words) const {
  run(std::vector<std::string>{"nsenter", "-t", std::to_string(pid()), "-n", "ip"} + words);
}

// ---- Machine

Machine::Machine(Lan& lan, const MachineOrder& order) : lan_(lan), order_(order) {
  const std::string programs = fs::path(XS_COMPANION).parent_path();
  // The first and the others are different databases, as if each had been installed.
  const std::string which = order.name.back() == '1' ? "first" : "other";
  fs::remove(lan_.dir() / (name() + ".ready"));
  shell_ = std::make_unique<Child>(
      kUnshare + std::vector<std::string>{"bash",
                                          XS_SOURCE_DIR "/tests/companion/recovery/machine.sh",
                                          name(), programs, lan_.dir().path(), which, order.cluster,
                                          port()},
      lan_.dir() / (name() + ".log"));
}

Machine::~Machine() {
  try {
    if (shell_) off();
  } catch (const std::exception&) {  // it dies with us
  }
}

void Machine::ready() {
  if (!eventually(180s, [&] { return fs::exists(lan_.dir() / (name() + ".ready")); })) {
    throw std::runtime_error("the machine " + name() +
                             " does not come up: " + lan_.dir().read(name() + ".log"));
  }
  pid_ = child_of(shell_->pid());
  if (pid_ <= 1) throw std::runtime_error("the machine " + name() + " has no process");
  const std::string address = std::string("10.77.0.") + name().back() + "/24";
  lan_.ip({"link", "add", "name", name(), "type", "veth", "peer", "name", "eth0", "netns",
           std::to_string(pid_)});
  lan_.ip({"link", "set", name(), "master", kBridge, "up"});
  sh("ip address add " + address + " dev eth0 && ip link set eth0 up");
}

std::string Machine::outside(const std::string& path) const {
  return "/proc/" + std::to_string(pid_) + "/root" + path;
}

std::vector<std::string> Machine::inside(const std::vector<std::string>& words) const {
  return std::vector<std::string>{
             "nsenter",
             "-t",
             std::to_string(pid_),
             "-m",
             "-u",
             "-n",
             "-p",
             "-i",
             "--wd=/root",
             "env",
             "-i",
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "HOME=/root",
             "LANG=C.UTF-8",
             "TERM=dumb"} +
         words;
}

Ran Machine::type(const std::vector<std::string>& words) const { return run_apart(inside(words)); }

Ran Machine::type_and_agree(const std::vector<std::string>& words) const {
  std::vector<std::string> argv = inside(words);
  std::vector<char*> raw;
  for (std::string& word : argv) raw.push_back(word.data());
  raw.push_back(nullptr);
  int terminal = -1;
  const pid_t pid = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid < 0) throw std::runtime_error("forkpty: " + errno_text(errno));
  if (pid == 0) {
    ::execvp(raw[0], raw.data());
    ::_exit(127);
  }
  const Fd fd(terminal);
  Ran ran;
  int status = 0;
  try {
    // Read when it is asked for.
    SteadyClock clock;
    write_all(fd.get(), "yes\n", clock, clock.now() + 5s, "the terminal");
    ran.out = read_terminal(fd.get());
  } catch (...) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    throw;
  }
  ::waitpid(pid, &status, 0);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  return ran;
}

std::string Machine::sh(const std::string& script) const {
  const Ran ran = type({"sh", "-ec", script});
  if (ran.code != 0) throw std::runtime_error(name() + ": " + script + ": " + ran.out + ran.err);
  return ran.out;
}

void Machine::start_database() const {
  sh("pg_ctlcluster \"$(ls /etc/postgresql)\" " + order_.cluster + " start");
}

void Machine::new_database() const {
  sh("version=$(ls /etc/postgresql); rm -r /var/lib/postgresql/* /etc/postgresql/*; "
     "pg_createcluster --port " +
     port() + " $version " + order_.cluster + " -- --no-sync --wal-segsize=1");
}

std::string Machine::sql(const std::string& statement, const std::string& database) const {
  const Ran ran =
      type({"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "psql", "-X", "-q",
            "-A", "-t", "-v", "ON_ERROR_STOP=1", "-p", port(), "-d", database, "-c", statement});
  if (ran.code != 0) throw std::runtime_error(name() + ": " + statement + ": " + ran.err);
  return ran.out.substr(0, ran.out.find('\n'));
}

bool Machine::says(const std::string& query, const std::string& answer,
                   const std::string& database) const {
  return eventually(20s, [&] {
    try {
      return sql(query, database) == answer;
    } catch (const std::runtime_error&) {
      return false;  // it is being started
    }
  });
}

std::vector<pid_t> Machine::servers() const {
  std::vector<pid_t> found;
  for (const pid_t pid : descendants(pid_)) {
    std::string word;
    std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> word;
    if (word == "postgres") found.push_back(pid);
  }
  return found;
}

void Machine::signal_database(int number) const {
  for (const pid_t pid : servers()) ::kill(pid, number);
  if (number != SIGKILL) return;
  if (!eventually(20s, [&] { return servers().empty(); })) {
    throw std::runtime_error("a killed server lives");
  }
}

bool Machine::database_runs() const { return !servers().empty(); }

void Machine::cut() { lan_.ip({"link", "set", name(), "down"}); }
void Machine::plug() { lan_.ip({"link", "set", name(), "up"}); }

void Machine::off() {
  const std::string end = "/proc/" + std::to_string(pid_) + "/root";  // a dead one has none
  shell_.reset();
  if (pid_ <= 1) return;
  if (!eventually(20s, [&] {
        std::error_code none;
        return !fs::exists(end, none);
      })) {
    throw std::runtime_error("the machine " + name() + " does not go off");
  }
  pid_ = -1;
  // Its card goes with its namespace, which the kernel takes apart a little later.
  const auto gone = [this] {
    try {
      lan_.ip({"link", "delete", name()});
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  };
  if (!eventually(20s, gone)) throw std::runtime_error("the cable of " + name() + " stays");
}

}  // namespace xs::test
