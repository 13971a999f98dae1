// SPDX-License-Identifier: MIT
#include "companion/checks/auth_key.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "companion/tcp.h"

namespace xs {
namespace {

constexpr const char* kNoKey = "No authentication key available. Signer might be down.";
constexpr const char* kNoChain = "No certificate chain available in authentication key.";
constexpr const char* kNoEntity = "No end entity certificate available for authentication key.";
constexpr const char* kNoOcsp = "Getting OCSP response for authentication key failed.";
constexpr const char* kStatus = "Authentication key OCSP response status ";

// X-Road's signer hands out a key only with a certificate that passes every rule, and the proxy
// calls everything short of that a missing chain. Only what X-Road finds out later, about the
// response itself, has a message of its own.
std::string message_for(const CertState& state) {
  switch (state.stage) {
    case CertStage::Certificate: return kNoEntity;
    case CertStage::OcspMissing: return kNoOcsp;
    case CertStage::OcspStatus: return kStatus + std::to_string(state.response_status);
    case CertStage::Key:
    case CertStage::Validity:
    case CertStage::OcspGood:
    case CertStage::Usable: break;
  }
  return kNoChain;
}

}  // namespace

AuthKeyCheck::AuthKeyCheck(AuthKeySettings settings, Wall wall)
    : settings_(std::move(settings)), keys_(settings_.keys, std::move(wall)) {}

Verdict AuthKeyCheck::ask(Clock& clock, Instant deadline) {
  try {
    tcp_open(settings_.signer_host, settings_.signer_port, clock, deadline);
  } catch (const Error& error) {
    if (error.fault() == Fault::ConnectTimeout) throw;
    return {false, kNoKey, "the signer: " + error.text()};
  }
  const KeyStates states = keys_.look(KeyUsage::Authentication, clock, deadline);
  if (!states.trouble.empty()) return {false, kNoChain, states.trouble};
  if (states.certs.empty()) {
    return {false, kNoChain,
            "keyconf.xml has no authentication certificate that is active and registered (" +
                std::to_string(states.others) + " are not)"};
  }
  // One usable certificate is enough; else the one that got farthest explains it best.
  const auto best =
      std::max_element(states.certs.begin(), states.certs.end(),
                       [](const CertState& a, const CertState& b) { return a.stage < b.stage; });
  if (best->stage == CertStage::Usable) {
    return {true,
            "",
            best->name + ", valid until " + utc_text(best->valid_until),
            {{"certificate_valid_until", static_cast<double>(best->valid_until)}}};
  }
  return {false, message_for(*best), best->name + ": " + best->why};
}

}  // namespace xs
