// SPDX-License-Identifier: MIT
// The Error that some work throws; nothing when it throws none.
#pragma once

#include <optional>

#include "base/error.h"

namespace xs::test {

template <class Work>
std::optional<Error> thrown_by(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace xs::test
