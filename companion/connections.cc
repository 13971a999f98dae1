// SPDX-License-Identifier: MIT
#include "companion/connections.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace xs {
namespace {

// The HTTP library waits for an edge: an end that came with the bytes before it is never seen, and
// the connection stays until its time is over. This makes another edge.
void pass_on_the_end(int fd) {
  char byte = 0;
  if (::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) ::shutdown(fd, SHUT_RD);
}

}  // namespace

void Connections::opened(int fd, const PeerAddress& address) {
  const std::lock_guard hold(lock_);
  if (alive_ >= many_) cut_one();
  const auto crowd = crowds_.try_emplace(address, 0).first;
  open_[fd] = Open{clock_.now(), ++events_, crowd};
  ++alive_;
  ++waiting_;
  ++crowd->second;
}

void Connections::completed(int fd) {
  const std::lock_guard hold(lock_);
  const auto found = open_.find(fd);
  if (found == open_.end()) return;
  found->second.since = clock_.now();
  found->second.order = ++events_;
  if (!std::exchange(found->second.useful, true) && !found->second.cut) --waiting_;
  pass_on_the_end(fd);
}

void Connections::closed(int fd) {
  const std::lock_guard hold(lock_);
  const auto found = open_.find(fd);
  if (found == open_.end()) return;
  forget(found->second);
  open_.erase(found);
}

void Connections::sweep() {
  const std::lock_guard hold(lock_);
  const Instant now = clock_.now();
  for (auto& [fd, open] : open_) {
    if (now >= open.since + (open.useful ? next_request_ : first_request_)) {
      cut(fd, open);
    } else if (!open.cut) {
      pass_on_the_end(fd);
    }
  }
}

std::size_t Connections::size() const {
  const std::lock_guard hold(lock_);
  return open_.size();
}

void Connections::cut(int fd, Open& open) {
  if (open.cut) return;
  ::shutdown(fd, SHUT_RDWR);
  forget(open);
  open.cut = true;
}

// No longer alive.
void Connections::forget(const Open& open) {
  if (open.cut) return;
  --alive_;
  if (!open.useful) --waiting_;
  if (--open.crowd->second == 0) crowds_.erase(open.crowd);
}

// One address that fills the port goes first. Then whoever has had no answer: a load balancer's
// kept connection has. But somebody could ask once on many connections and so turn every newcomer
// out, the balancer's next one too: newcomers keep a quarter of the room.
bool Connections::goes_before(const Open& one, const Open& other) const {
  const auto crowded = [&](const Open& open) {
    return open.crowd->second > std::max<std::size_t>(many_ / 8, 1);
  };
  if (crowded(one) != crowded(other)) return crowded(one);
  if (one.useful != other.useful) return one.useful == (waiting_ <= many_ / 4);
  return one.order < other.order;
}

void Connections::cut_one() {
  auto worst = open_.end();
  for (auto it = open_.begin(); it != open_.end(); ++it) {
    if (it->second.cut) continue;
    if (worst == open_.end() || goes_before(it->second, worst->second)) worst = it;
  }
  if (worst != open_.end()) cut(worst->first, worst->second);
}

}  // namespace xs
