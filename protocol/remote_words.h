// SPDX-License-Identifier: MIT
// RemoteWords: what the far side prints on its stderr: the first limits::kStderr bytes are kept,
// the rest is only known to have been there. Kept by the streams that have such a thing.
#pragma once

#include <string>
#include <string_view>

namespace xs {

class RemoteWords {
 public:
  RemoteWords();
  // Never allocates, so that a C callback may call it.
  void add(std::string_view bytes) noexcept;
  // For an error message, escaped: what was said and how it ended ("" where that is not known).
  std::string sentence(const std::string& ending) const;

 private:
  std::string said_;
  bool more_ = false;
};

}  // namespace xs
