// SPDX-License-Identifier: MIT
#include "tests/support/sshd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "base/io.h"
#include "tests/support/free_port.h"

namespace xs::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + errno_text(errno));
}

// Nothing for what cannot be read: a process in /proc may end between its open and its read.
std::string slurp(const std::string& path) try {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
} catch (const std::ios_base::failure&) {
  return "";
}

// After fork(): only calls that are safe there.
[[noreturn]] void become(char* const* argv, int output, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0) ::_exit(1);
  ::dup2(null, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

pid_t parent_of(const std::string& pid) {
  const std::string stat = slurp("/proc/" + pid + "/stat");
  const auto bracket = stat.rfind(')');  // the name before it may hold anything
  if (bracket == std::string::npos) return -1;
  std::istringstream rest(stat.substr(bracket + 1));
  std::string state;
  pid_t parent = -1;
  rest >> state >> parent;
  return parent;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::string our_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  if (entry == nullptr) throw std::runtime_error("we have no account");
  return entry->pw_name;
}

}  // namespace

Child::Child(const std::vector<std::string>& argv, const std::string& output) {
  std::vector<char*> raw;
  raw.reserve(argv.size() + 1);
  for (const auto& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  const Fd out =
      open_file(output.empty() ? "/dev/null" : output, O_WRONLY | O_CREAT | O_APPEND, 0600);
  const pid_t self = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become(raw.data(), out.get(), self);
}

Child::~Child() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Child::ended_within(std::chrono::milliseconds time) {
  if (reaped_) return true;
  reaped_ = eventually(time, [this] { return ::waitpid(pid_, &status_, WNOHANG) == pid_; });
  return reaped_;
}

std::vector<pid_t> descendants(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    children.emplace(parent_of(name), static_cast<pid_t>(std::stol(name)));
  }
  std::vector<pid_t> found;
  std::vector<pid_t> todo{root};
  while (!todo.empty()) {
    const auto range = children.equal_range(std::exchange(todo.back(), 0));
    todo.pop_back();
    for (auto i = range.first; i != range.second; ++i) {
      found.push_back(i->second);
      todo.push_back(i->second);
    }
  }
  return found;
}

bool eventually(std::chrono::milliseconds time, const std::function<bool()>& condition) {
  SteadyClock clock;
  const Instant deadline = clock.now() + time;
  while (!condition()) {
    if (clock.now() >= deadline) return false;
    clock.poll({}, clock.now() + 5ms);
  }
  return true;
}

std::string run(const std::vector<std::string>& argv) {
  const TempDir dir;
  const std::string output = dir / "output";
  Child child(argv, output);
  if (!child.ended_within(kPatience)) throw std::runtime_error(argv[0] + " does not end");
  const std::string text = slurp(output);
  if (child.status() != 0) throw std::runtime_error(argv[0] + " failed: " + text);
  return text;
}

std::string make_key(const TempDir& dir, const std::string& name, const KeyKind& kind) {
  const std::string path = dir / name;
  std::vector<std::string> argv{"ssh-keygen",    "-q", "-t",           kind.type, "-N",
                                kind.passphrase, "-C", "test " + name, "-f",      path};
  if (kind.bits != 0) {
    argv.emplace_back("-b");
    argv.push_back(std::to_string(kind.bits));
  }
  run(argv);
  return path;
}

Sshd::Sshd(const SshdOptions& options) {
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);  // sshd insists on it when it runs as root
  for (const auto& type : options.host_keys) make_key(dir_, "host_" + type, {type, 0, ""});
  dir_.write("authorized_keys", "");
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = free_port();
    start(options);
    if (eventually(kPatience, [this] { return answers() || daemon_->ended_within(0ms); }) &&
        !daemon_->ended_within(0ms)) {
      return;
    }
  }
  throw std::runtime_error("sshd does not start: " + log());
}

void Sshd::start(const SshdOptions& options) {
  std::string text;
  for (const auto& line : options.lines) text += line + "\n";
  text += "Port " + std::to_string(port_) + "\nListenAddress 127.0.0.1\n";
  for (const auto& type : options.host_keys) text += "HostKey " + (dir_ / ("host_" + type)) + "\n";
  text += "AuthorizedKeysFile " + dir_ / "authorized_keys" +
          "\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
          "PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
          "SetEnv SHLVL=1\n";  // without it bash reads its rc files, and they may print
  const std::string config = dir_.write("sshd_config", text);
  daemon_ = std::make_unique<Child>(
      std::vector<std::string>{"/usr/sbin/sshd", "-D", "-e", "-f", config}, dir_ / "log");
}

bool Sshd::answers() const {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port_);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Sshd::~Sshd() {
  // Its sessions have process groups of their own.
  for (const pid_t pid : descendants(daemon_->pid())) ::kill(pid, SIGKILL);
}

std::string Sshd::log() const { return slurp(dir_ / "log"); }

std::string Sshd::let_in(const KeyKind& kind, const std::string& options) {
  const std::string path = make_key(dir_, "client_" + std::to_string(++keys_), kind);
  std::ofstream(dir_ / "authorized_keys", std::ios::app)
      << options << (options.empty() ? "" : " ") << slurp(path + ".pub");
  return path;
}

std::string Sshd::host_key(const std::string& type) const {
  std::istringstream words(slurp(dir_ / ("host_" + type + ".pub")));
  std::string name;
  std::string base64;
  words >> name >> base64;
  return name + " " + base64;
}

SshTarget Sshd::target(const std::string& command, const KeyKind& kind) {
  SshTarget target = behind(port_, command);
  target.identity_files = {let_in(kind)};
  return target;
}

SshTarget Sshd::behind(std::uint16_t port, const std::string& command) {
  SshTarget target;
  target.host = "127.0.0.1";
  target.port = port;
  target.user = our_name();
  target.command = command;
  target.use_agent = false;
  std::string lines;
  for (const std::string type : {"ed25519", "ecdsa", "rsa"}) {
    if (::access((dir_ / ("host_" + type)).c_str(), F_OK) != 0) continue;
    lines += "[127.0.0.1]:" + std::to_string(port) + " " + host_key(type) + "\n";
  }
  target.known_hosts_files = {
      dir_.write("known_hosts_" + std::to_string(port) + "_" + std::to_string(++keys_), lines)};
  target.identity_files = {let_in()};
  return target;
}

std::vector<std::string> Sshd::ssh(const SshTarget& target) const {
  return {"ssh",
          "-F",
          "none",
          "-p",
          std::to_string(target.port),
          "-i",
          target.identity_files.at(0),
          "-o",
          "IdentitiesOnly=yes",
          "-o",
          "IdentityAgent=none",
          "-o",
          "BatchMode=yes",
          "-o",
          "UserKnownHostsFile=" + target.known_hosts_files.at(0),
          "-o",
          "GlobalKnownHostsFile=/dev/null",
          "-l",
          target.user,
          target.host,
          target.command};
}

Agent::Agent() {
  const std::string socket = dir_ / "agent";
  daemon_ = std::make_unique<Child>(std::vector<std::string>{"ssh-agent", "-D", "-a", socket},
                                    dir_ / "log");
  if (!eventually(kPatience, [&] { return ::access(socket.c_str(), F_OK) == 0; })) {
    throw std::runtime_error("ssh-agent does not start");
  }
  ::setenv("SSH_AUTH_SOCK", socket.c_str(), 1);
}

Agent::~Agent() { ::unsetenv("SSH_AUTH_SOCK"); }

void Agent::add(const std::string& key) const { run({"ssh-add", "-q", key}); }

}  // namespace xs::test
