// SPDX-License-Identifier: MIT
#include "cli/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"

namespace xs::cli {

void notify(std::string_view state) noexcept {
  const char* where = std::getenv("NOTIFY_SOCKET");
  sockaddr_un to{};
  const std::size_t length = where == nullptr ? 0 : std::strlen(where);
  if (length < 2 || length >= sizeof to.sun_path) return;
  if (where[0] != '/' && where[0] != '@') return;
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, where, length);
  if (where[0] == '@') to.sun_path[0] = '\0';  // the abstract name space
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&to),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

}  // namespace xs::cli
