// SPDX-License-Identifier: MIT
// `xroad-sync probe`: logs in, shakes hands and sends bytes there and back. It tells an operator
// how far the way to the primary works and what each step costs, and changes nothing at either
// side.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "protocol/transport.h"

namespace xs::cli {

struct ProbeRequest {
  std::string endpoint;  // [user@]host
  TransportOptions transport;
  std::size_t bytes = std::size_t{1} << 20;  // to be sent there and back
};

// Prints what it finds, step by step, and throws at the first that fails.
void probe(const ProbeRequest& request, Clock& clock);

}  // namespace xs::cli
