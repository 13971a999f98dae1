// SPDX-License-Identifier: MIT
#include "protocol/remote_words.h"

#include "base/text.h"
#include "protocol/limits.h"

namespace xs {

RemoteWords::RemoteWords() { said_.reserve(limits::kStderr); }

void RemoteWords::add(std::string_view bytes) noexcept {
  const std::size_t room = limits::kStderr - said_.size();
  said_ += bytes.substr(0, room);
  more_ = more_ || bytes.size() > room;
}

std::string RemoteWords::sentence(const std::string& ending) const {
  const std::string_view said = trim(said_);
  if (said.empty()) return ending;
  std::string text = "the remote side said: \"" + escape(said) + (more_ ? "...\"" : "\"");
  return ending.empty() ? text : text + " and " + ending;
}

}  // namespace xs
