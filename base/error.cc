// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <algorithm>
#include <cassert>
#include <system_error>

#include "base/text.h"

namespace xs {

const FaultInfo* find_fault(std::uint8_t number) {
  const auto* found = std::find_if(kFaults.begin(), kFaults.end(), [number](const FaultInfo& info) {
    return static_cast<std::uint8_t>(info.fault) == number;
  });
  return found == kFaults.end() ? nullptr : found;
}

const FaultInfo& describe(Fault fault) {
  const FaultInfo* info = find_fault(static_cast<std::uint8_t>(fault));
  assert(info != nullptr);
  return *info;
}

std::string errno_text(int err) { return std::generic_category().message(err); }

void throw_errno(Fault fault, std::string_view call, std::string_view subject, int err) {
  throw Error(fault, std::string(call) + " " + quote(subject) + ": " + errno_text(err), err);
}

void throw_errno(std::string_view call, std::string_view subject, int err) {
  throw_errno(Fault::Io, call, subject, err);
}

}  // namespace xs
