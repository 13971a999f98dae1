// SPDX-License-Identifier: MIT
// "Global conf validity": are both parts of the main instance's global configuration there, and not
// past the date that their metadata give? X-Road takes a part without readable metadata for valid
// for ever; we do not.
#pragma once

#include <string>

#include "companion/check.h"
#include "companion/wall.h"

namespace xs {

struct GlobalConfSettings {
  std::string directory = "/etc/xroad/globalconf";  // [common] configuration-path
};

class GlobalConfCheck final : public Check {
 public:
  explicit GlobalConfCheck(GlobalConfSettings settings, Wall wall = wall_now);
  std::string name() const override { return "Global conf validity"; }
  std::string word() const override { return "global-conf"; }
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  GlobalConfSettings settings_;
  Wall wall_;
};

}  // namespace xs
