// SPDX-License-Identifier: MIT
// Preamble: the eight bytes that each side sends before its first frame, and what to say when
// something else comes first: a login banner, the output of a shell's start-up files, another
// program altogether.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "protocol/messages.h"

namespace xs {

// The first byte occurs in no text of any common encoding; the last is the generation of the
// protocol.
inline constexpr std::string_view kMagic = "\xF5XRSYNC1";

class Preamble {
 public:
  // Takes what belongs to the preamble and returns the rest: frames, once done() holds.
  std::string_view feed(std::string_view bytes);
  bool done() const { return done_; }
  // Something else came: no frame will follow. More may be fed, to be quoted.
  bool broken() const { return broken_; }
  bool empty() const { return seen_.empty(); }
  bool quote_is_full() const;

  // Why the session cannot begin, for the side that reads this preamble. `ended`: the other side
  // has closed. `last_words`: of the stream.
  Error error(Side us, bool ended, const std::string& last_words) const;

 private:
  std::string seen_;
  bool done_ = false;
  bool broken_ = false;
};

}  // namespace xs
