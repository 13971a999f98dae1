// SPDX-License-Identifier: MIT
#include "companion/health_port.h"

namespace xs {

HttpAnswer health_answer(const Board& board, const Maintenance& maintenance) {
  if (maintenance.state().on) return {503, std::string(kMaintenanceText)};
  const auto failure = board.first_failure();
  if (failure) return {500, *failure + "\n"};
  return {200};
}

}  // namespace xs
