// SPDX-License-Identifier: MIT
#include "protocol/preamble.h"

#include <algorithm>

#include "base/text.h"
#include "protocol/limits.h"

namespace xs {

std::string_view Preamble::feed(std::string_view bytes) {
  if (done_) return bytes;
  const std::size_t wanted = broken_ ? limits::kNoise + 1 : kMagic.size();
  const std::size_t take = std::min(bytes.size(), wanted - std::min(wanted, seen_.size()));
  seen_ += bytes.substr(0, take);
  bytes.remove_prefix(take);
  if (broken_) return {};
  broken_ = !kMagic.starts_with(seen_);
  if (broken_) {
    seen_ += bytes.substr(0, limits::kNoise + 1);
    return {};
  }
  done_ = seen_.size() == kMagic.size();
  return bytes;
}

bool Preamble::quote_is_full() const { return seen_.size() > limits::kNoise; }

Error Preamble::error(Side us, bool ended, const std::string& last_words) const {
  const std::string after = last_words.empty() ? "" : "; " + last_words;
  if (seen_.empty() && us == Side::Server)
    return {Fault::Stream, "the client left before it said anything"};
  if (seen_.empty()) {
    return {Fault::Start,
            "the remote program ended before it said anything" + after +
                ": is xroad-sync-server installed there, and named by the forced command?"};
  }
  const std::size_t family = kMagic.size() - 1;
  if (seen_.size() >= kMagic.size() && seen_.starts_with(kMagic.substr(0, family))) {
    return {Fault::Protocol, "the other side speaks generation " + escape(seen_.substr(family, 1)) +
                                 " of the protocol and we speak generation " +
                                 std::string(kMagic.substr(family)) +
                                 ": install the same version on both"};
  }
  // A server that works behind the noise has sent its magic too: only what came before it is of
  // interest.
  const std::string said =
      "\"" + excerpt(seen_.substr(0, seen_.find(kMagic)), limits::kNoise) + "\"";
  if (us == Side::Server) {
    return {Fault::Protocol, "the client is not xroad-sync; it sent " + said};
  }
  if (ended) {
    return {Fault::Protocol, "the remote command is not xroad-sync-server; it printed " + said +
                                 " and ended" + after + ": check the forced command of the key"};
  }
  return {Fault::Protocol, "the remote side printed " + said + " before the protocol began" +
                               after +
                               ": its login shell must print nothing (try `ssh USER@HOST true`)"};
}

}  // namespace xs
