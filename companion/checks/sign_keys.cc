// SPDX-License-Identifier: MIT
#include "companion/checks/sign_keys.h"

#include <map>
#include <utility>

namespace xs {

SignKeysCheck::SignKeysCheck(KeySettings settings, Wall wall)
    : keys_(std::move(settings), std::move(wall)) {}

Verdict SignKeysCheck::ask(Clock& clock, Instant deadline) {
  static constexpr const char* kNone = "No signing key available";
  static constexpr const char* kSome = "Signing key is not available for every member";
  const KeyStates states = keys_.look(KeyUsage::Signing, clock, deadline);
  if (!states.trouble.empty()) return {false, kNone, states.trouble};
  std::map<std::string, const CertState*> best;  // of each member
  for (const CertState& state : states.certs) {
    const CertState*& now = best[state.member];
    if (now == nullptr || now->stage < state.stage) now = &state;
  }
  if (best.empty()) {
    return {false, kNone,
            "keyconf.xml has no signing certificate that is active and registered (" +
                std::to_string(states.others) + " are not)"};
  }
  // With a common cause there may be hundreds, and every reader of the status gets this text.
  constexpr std::size_t kNamed = 5;
  std::string trouble;
  std::size_t usable = 0, named = 0, more = 0;
  for (const auto& [member, state] : best) {
    if (state->stage == CertStage::Usable) {
      ++usable;
    } else if (named == kNamed) {
      ++more;
    } else {
      ++named;
      trouble += (trouble.empty() ? "" : "; ") + member + ": " + state->name + ": " + state->why;
    }
  }
  if (more > 0) trouble += "; and " + std::to_string(more) + " more";
  if (trouble.empty()) return {true, "", "usable for " + std::to_string(usable) + " members"};
  return {false, usable == 0 ? kNone : kSome, trouble};
}

}  // namespace xs
