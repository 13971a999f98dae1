// SPDX-License-Identifier: MIT
// "Authentication key OCSP status": can this node prove who it is to other security servers? Asked
// from outside, without the PIN: the signer's port answers, and the key registry, the key file and
// the signer's OCSP cache hold a usable authentication key. The messages are X-Road's five; which
// one is X-Road's choice as well, and the detail has the reason. What stays unseen from here is
// whether somebody is logged in to the token: X-Road's own answer (proxy_answers.h) tells that.
#pragma once

#include <cstdint>
#include <string>

#include "companion/check.h"
#include "companion/key_state.h"

namespace xs {

struct AuthKeySettings {
  KeySettings keys;
  std::string signer_host = "127.0.0.1";
  std::uint16_t signer_port = 5560;  // [signer] grpc-port
};

class AuthKeyCheck final : public Check {
 public:
  explicit AuthKeyCheck(AuthKeySettings settings, Wall wall = wall_now);
  std::string name() const override { return "Authentication key OCSP status"; }
  std::string word() const override { return "auth-key"; }
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  AuthKeySettings settings_;
  KeyState keys_;
};

}  // namespace xs
