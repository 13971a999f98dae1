// SPDX-License-Identifier: MIT
#include "cli/server_log.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "protocol/host_key.h"

namespace xs::cli {
namespace {

constexpr std::string_view kProgram = "xroad-sync-server";
constexpr std::string_view kSyslogSocket = "/dev/log";
constexpr std::size_t kAuthInfoLimit = std::size_t{64} << 10;
constexpr std::size_t kWordLimit = 300;  // of what a client chose, in one line of the log
constexpr int kFacilityDaemon = 3 << 3;
constexpr int kWarning = 4;
constexpr int kInfo = 6;

bool is_address(const std::string& text) {
  const std::string bare = text.substr(0, text.find('%'));  // a link-local one names its interface
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  return text == escape(text) && text.size() < 64 &&
         (::inet_pton(AF_INET, text.c_str(), binary.data()) == 1 ||
          ::inet_pton(AF_INET6, bare.c_str(), binary.data()) == 1);
}

bool is_port(const std::string& text) {
  const auto port = parse_number(text);
  return port && *port > 0 && *port < 65'536;
}

std::string_view compare_name(Compare compare) {
  switch (compare) {
    case Compare::Content: return "content";
    case Compare::Quick: return "quick";
    case Compare::SizeOnly: return "size-only";
    case Compare::Always: return "always";
  }
  return "?";
}

// As rsync's letters: -plotgDHAX.
std::string keep_letters(Flags<Keep> keep) {
  constexpr auto kLetters = std::to_array<std::pair<Keep, char>>({{Keep::Permissions, 'p'},
                                                                  {Keep::Symlinks, 'l'},
                                                                  {Keep::Owner, 'o'},
                                                                  {Keep::Times, 't'},
                                                                  {Keep::Group, 'g'},
                                                                  {Keep::Devices, 'D'},
                                                                  {Keep::Hardlinks, 'H'},
                                                                  {Keep::Acls, 'A'},
                                                                  {Keep::Xattrs, 'X'}});
  std::string letters = "-";
  for (const auto& [flag, letter] : kLetters) {
    if (keep.has(flag)) letters += letter;
  }
  return letters;
}

std::string describe(const SessionAccount& account) {
  if (!account.hello) return "root=none";
  const Hello& hello = *account.hello;
  std::string text =
      "root=" + (hello.root.empty() ? "none" : "'" + excerpt(hello.root, kWordLimit) + "'");
  text += " version='" + excerpt(hello.version, kWordLimit) +
          "' options=" + std::string(compare_name(hello.options.compare)) + "," +
          keep_letters(hello.options.keep) + " rules=" + std::to_string(hello.filters.size());
  if (account.unchanged) return text + " unchanged";
  return text + " entries=" + std::to_string(account.entries) +
         " files=" + std::to_string(account.files) + " bytes=" + std::to_string(account.bytes);
}

Fd connect_syslog(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  return fd;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Caller caller_of(std::string_view connection, std::string_view auth_info) {
  Caller caller;
  std::istringstream words{std::string(connection)};
  std::string address;
  std::string port;
  if (words >> address >> port && is_address(address) && is_port(port)) {
    caller.address = address;
    caller.port = port;
  }
  std::istringstream lines{std::string(auth_info)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream parts(line);
    std::string method;
    std::string type;
    std::string encoded;
    if (!(parts >> method >> type >> encoded) || method != "publickey") continue;
    if (const auto blob = from_base64(encoded)) caller.key = fingerprint({type, *blob});
  }
  return caller;
}

Caller take_caller() {
  std::string auth_info;
  try {
    if (const std::string file = variable("SSH_USER_AUTH"); !file.empty())
      auth_info = read_file_if_exists(file, kAuthInfoLimit).value_or("");
  } catch (const Error&) {
    auth_info.clear();  // only the log is poorer
  }
  const Caller caller = caller_of(variable("SSH_CONNECTION"), auth_info);
  ::clearenv();
  return caller;
}

std::string session_line(const Caller& caller, const SessionAccount& account,
                         const SessionEnd& end) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(end.time).count();
  return "client=" + caller.address + " port=" + caller.port + " key=" + caller.key + " " +
         describe(account) + " sent=" + std::to_string(end.sent) +
         " received=" + std::to_string(end.received) + " ms=" + std::to_string(ms) +
         (end.failed ? " failed='" : " done='") + excerpt(end.result, kWordLimit) + "'" +
         (account.reason.empty() ? "" : " because='" + excerpt(account.reason, kWordLimit) + "'");
}

ServerLog::ServerLog(const ServerConfig& config) {
  const bool any = config.log == LogTarget::Auto;
  if (any || config.log == LogTarget::Journal) {
    LogConfig log;
    log.identifier = kProgram;
    log.to_stderr = false;
    log.to_journal = true;
    if (!config.log_socket.empty()) log.journal_socket = config.log_socket;
    try {
      journal_ = make_logger(log);
      return;
    } catch (const Error&) {
      journal_.reset();  // no systemd here: syslog may be there
    }
  }
  if (any || config.log == LogTarget::Syslog)
    syslog_ =
        connect_syslog(config.log_socket.empty() ? std::string(kSyslogSocket) : config.log_socket);
}

void ServerLog::write(bool failed, const std::string& line) noexcept {
  try {
    if (journal_) journal_->log(failed ? spdlog::level::warn : spdlog::level::info, "{}", line);
    if (!syslog_) return;
    const std::string datagram =
        "<" + std::to_string(kFacilityDaemon + (failed ? kWarning : kInfo)) + ">" +
        std::string(kProgram) + "[" + std::to_string(::getpid()) + "]: " + line;
    (void)::send(syslog_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL);
  } catch (...) {
    return;  // out of memory: the session's result stands
  }
}

}  // namespace xs::cli
