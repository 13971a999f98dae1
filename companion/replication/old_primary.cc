// SPDX-License-Identifier: MIT
#include "companion/replication/old_primary.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "companion/replication/connection.h"
#include "companion/tcp.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPause = 500ms;     // between two knocks at one door
constexpr Duration kOneKnock = 2s;     // at least
constexpr Duration kForAnAnswer = 5s;  // at least

enum class Door { Open, Refused, Mute };

// The bytes of an address; the 4 of an IPv4 one also where it is written as IPv6. Empty: none.
std::string address_bytes(const std::string& text) {
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (::inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), bytes.data()) != 1) return "";
  const std::string all(bytes.data(), bytes.size());
  static const std::string kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  return all.starts_with(kMapped) ? all.substr(12) : all;
}

bool is_loopback(const std::string& bytes) {
  static const std::string kOne = std::string(15, '\0') + '\x01';
  return bytes.size() == 4 ? bytes[0] == 127 : bytes == kOne;
}

// Whether an interface has it. That an address can be bound says nothing where
// net.ipv4.ip_nonlocal_bind is on, as on nodes with a virtual address.
bool is_of_interface(const std::string& bytes) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) throw_errno("getifaddrs", "this node");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, ::freeifaddrs);
  for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    const auto* at = reinterpret_cast<const char*>(one->ifa_addr);
    if (one->ifa_addr->sa_family == AF_INET &&
        bytes == std::string_view(at + offsetof(sockaddr_in, sin_addr), 4)) {
      return true;
    }
    if (one->ifa_addr->sa_family == AF_INET6 &&
        bytes == std::string_view(at + offsetof(sockaddr_in6, sin6_addr), 16)) {
      return true;
    }
  }
  return false;
}

bool is_our_own(const std::string& address, std::uint16_t port, const Survivor& own) {
  const std::string bytes = address_bytes(address);
  return is_loopback(bytes) ? port == own.port : is_of_interface(bytes);
}

Door try_socket(const std::string& path, std::string& reason) {
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!fd || path.size() >= sizeof address.sun_path) {
    reason = "no socket for " + quote(path);
    return Door::Mute;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return Door::Open;
  }
  reason = errno_text(errno);
  // Its queue is full: somebody has the socket, and does not take connections from it.
  if (errno == EAGAIN || errno == EINPROGRESS) return Door::Open;
  return errno == ECONNREFUSED || errno == ENOENT ? Door::Refused : Door::Mute;
}

Door try_address(const std::string& address, std::uint16_t port, const Survivor& own, Clock& clock,
                 Instant deadline, std::string& reason) {
  try {
    tcp_open(address, port, clock, deadline);
    return Door::Open;
  } catch (const Error& error) {
    reason = error.text();
    // One address was tried, so its reason is the whole reason.
    if (!reason.ends_with(": " + errno_text(ECONNREFUSED))) return Door::Mute;
    if (!is_our_own(address, port, own)) return Door::Refused;
    reason = escape(address) +
             " is an address of this node, so that it is this node that refuses, and the old "
             "primary has not been asked";
    return Door::Mute;
  }
}

// All addresses of one host: Open as soon as one is, Refused only when all say so.
Door try_host(const DbHost& host, const Survivor& own, Clock& clock, Instant deadline,
              std::string& reason) {
  if (host.host.starts_with('/')) {
    return try_socket(host.host + "/.s.PGSQL." + std::to_string(host.port), reason);
  }
  std::vector<std::string> addresses;
  try {
    addresses = host.address.empty() ? look_up(host.host, clock, deadline)
                                     : std::vector<std::string>{host.address};
  } catch (const Error& error) {
    reason = error.text();
    return Door::Mute;
  }
  Door door = Door::Refused;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    std::string why;
    const Instant until = share_of(clock.now(), deadline, addresses.size() - i);
    const Door one = try_address(addresses[i], host.port, own, clock, until, why);
    if (one == Door::Open) return one;
    if (one == Door::Mute || reason.empty()) reason = why;
    if (one == Door::Mute) door = one;
  }
  return door;
}

Door try_all(const DbTarget& target, const Survivor& own, Clock& clock, Instant deadline,
             std::string& reason) {
  Door door = Door::Refused;
  for (std::size_t i = 0; i < target.hosts.size(); ++i) {
    std::string why;
    const Instant until = share_of(clock.now(), deadline, target.hosts.size() - i);
    const Door one = try_host(target.hosts[i], own, clock, until, why);
    if (one == Door::Open) return one;
    if (one == Door::Mute || reason.empty()) reason = why;
    if (one == Door::Mute) door = one;
  }
  return door;
}

// Something takes connections there.
void ask_it(OldPrimary& old, const DbTarget& target, const std::string& system, Clock& clock,
            Instant deadline) {
  try {
    Primary primary(target, clock, deadline);
    const Primary::Identity identity = primary.identify(deadline);
    old.where = primary.where();
    if (identity.system != system) {
      old.life = Life::Foreign;
      return;
    }
    old.life = identity.standby ? Life::Follows : Life::Writes;
    old.position = identity.flushed;
  } catch (const Error& error) {
    const bool silent = error.fault() == Fault::ConnectTimeout || error.fault() == Fault::Timeout;
    old.life = silent ? Life::Silent : Life::Refuses;
    old.reason = error.text();
  }
}

}  // namespace

std::string OldPrimary::words() const {
  switch (life) {
    case Life::Writes:
      return "the old primary (" + where +
             ") answers and takes writes: with a second primary the two would go separate ways "
             "(split brain), and what one of them wrote would be lost. Stop it first";
    case Life::Follows:
      return where +
             " answers as a standby: it follows another primary now, which may be the one "
             "that takes the writes. Look with `replication status` there";
    case Life::Foreign:
      return where +
             " is a server of another cluster, so where the old primary is, and whether it "
             "runs, is not known: say where with --primary";
    case Life::Refuses:
      return "the old primary (" + where +
             ") is alive: it answers, though it does not let us in "
             "(" +
             reason + "). Stop it first";
    case Life::Silent:
      return "the old primary (" + where +
             ") takes connections and does not answer them: a process that is frozen, or waits "
             "for its disk, may go on at any moment, with clients that still believe in it. "
             "End it or switch its machine off first";
    case Life::Unreachable:
      return "nothing answers at the old primary (" + where + "; " + reason +
             "): switched off and cut off from here look the same, and one that is only cut off "
             "may have clients that write. Make sure that it is switched off first";
    case Life::Gone: break;
  }
  return "the old primary (" + where +
         ") does not run: its machine refuses connections to its port. See that nothing starts it "
         "again (a reboot, systemd, a colleague)";
}

std::string hosts_text(const DbTarget& target) {
  std::string text;
  for (const DbHost& host : target.hosts) {
    text += (text.empty() ? "" : ", ") + escape(host.host) + ":" + std::to_string(host.port);
  }
  return text;
}

OldPrimary look_at_old_primary(const DbTarget& target, const Survivor& own, Clock& clock,
                               Instant until) {
  OldPrimary old;
  old.where = hosts_text(target);
  for (;;) {
    // Half of the time for the doors, so that there is some left for a slow answer.
    const Instant knock = std::max(share_of(clock.now(), until, 2), clock.now() + kOneKnock);
    const Door door = try_all(target, own, clock, knock, old.reason);
    if (door == Door::Open) {
      ask_it(old, target, own.system, clock, std::max(until, clock.now() + kForAnAnswer));
    }
    if (door != Door::Refused) return old;
    if (clock.now() >= until) break;
    clock.poll({}, std::min(clock.now() + kPause, until));
  }
  old.life = Life::Gone;
  return old;
}

}  // namespace xs
