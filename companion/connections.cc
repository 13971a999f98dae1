// SPDX-License-Identifier: MIT
#include "companion/connections.h"

#include <sys/socket.h>

namespace xs {

void Connections::opened(int fd) {
  const std::lock_guard hold(lock_);
  if (alive_ >= many_) cut_one();
  open_[fd] = Open{clock_.now(), ++events_};
  ++alive_;
}

void Connections::completed(int fd) {
  const std::lock_guard hold(lock_);
  const auto found = open_.find(fd);
  if (found == open_.end()) return;
  found->second.since = clock_.now();
  found->second.order = ++events_;
  found->second.useful = true;
}

void Connections::closed(int fd) {
  const std::lock_guard hold(lock_);
  const auto found = open_.find(fd);
  if (found == open_.end()) return;
  if (!found->second.cut) --alive_;
  open_.erase(found);
}

void Connections::sweep() {
  const std::lock_guard hold(lock_);
  const Instant now = clock_.now();
  for (auto& [fd, open] : open_) {
    if (now >= open.since + (open.useful ? next_request_ : first_request_)) cut(fd, open);
  }
}

std::size_t Connections::size() const {
  const std::lock_guard hold(lock_);
  return open_.size();
}

void Connections::cut(int fd, Open& open) {
  if (open.cut) return;
  ::shutdown(fd, SHUT_RDWR);
  open.cut = true;
  --alive_;
}

// A load balancer's kept connection has had its answer and goes last.
void Connections::cut_one() {
  auto worst = open_.end();
  for (auto it = open_.begin(); it != open_.end(); ++it) {
    const Open& open = it->second;
    if (open.cut) continue;
    if (worst == open_.end() || (worst->second.useful && !open.useful) ||
        (worst->second.useful == open.useful && open.order < worst->second.order)) {
      worst = it;
    }
  }
  if (worst != open_.end()) cut(worst->first, worst->second);
}

}  // namespace xs
