// SPDX-License-Identifier: MIT
#include "tests/support/haproxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace xs::test {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> all;
  std::istringstream in(line);
  for (std::string one; std::getline(in, one, ',');) all.push_back(one);
  return all;
}

}  // namespace

Haproxy::Haproxy(const std::string& sections) {
  const std::string path =
      dir_.write("haproxy.cfg",
                 "global\n    stats socket " + (dir_ / "socket") + " level user\n\n" + sections);
  process_ = std::make_unique<Child>(
      std::vector<std::string>{"/usr/sbin/haproxy", "-db", "-f", path}, dir_ / "log");
  const bool answers = eventually(10s, [&] {
    if (process_->ended_within(0ms)) throw std::runtime_error("haproxy ended: " + log());
    try {
      return !ask("show info").empty();
    } catch (const Error&) {
      return false;
    }
  });
  if (!answers) throw std::runtime_error("haproxy does not answer: " + log());
}

std::map<std::string, std::string> Haproxy::server(const std::string& section,
                                                   const std::string& name) const {
  std::istringstream lines(ask("show stat"));
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> columns = fields(line.substr(2));  // "# "
  while (std::getline(lines, line)) {
    const std::vector<std::string> values = fields(line);
    if (values.size() < 2 || values[0] != section || values[1] != name) continue;
    std::map<std::string, std::string> found;
    for (std::size_t i = 0; i < columns.size() && i < values.size(); ++i) {
      found[columns[i]] = values[i];
    }
    return found;
  }
  return {};
}

std::string Haproxy::log() const { return dir_.read("log"); }

std::string Haproxy::ask(const std::string& command) const {
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = dir_ / "socket";
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("long path: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (!fd ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw_errno(Fault::Io, "connect", path);
  }
  const std::string line = command + "\n";
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
    throw_errno(Fault::Io, "send", path);
  }
  std::string answer;
  std::array<char, 4096> buffer{};
  for (pollfd wait{fd.get(), POLLIN, 0}; ::poll(&wait, 1, 10'000) == 1;) {
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return answer;
}

}  // namespace xs::test
