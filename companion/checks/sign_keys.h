// SPDX-License-Identifier: MIT
// "Signing keys status", ours: X-Road's health check says nothing about the keys that sign messages
// (its issue 804). Passes when every member that has an active, registered signing certificate has
// one whose key file is there, within its validity, with a good and fresh OCSP response.
#pragma once

#include <string>

#include "companion/check.h"
#include "companion/key_state.h"

namespace xs {

class SignKeysCheck final : public Check {
 public:
  explicit SignKeysCheck(KeySettings settings, Wall wall = wall_now);
  std::string name() const override { return "Signing keys status"; }
  std::string word() const override { return "sign-keys"; }
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  KeyState keys_;
};

}  // namespace xs
