// SPDX-License-Identifier: MIT
// Verbs: what xroad-sync can do, one function a verb, each in a file of its name. Called by main
// with the loaded Config; the result is the program's exit code, failures are Errors.
#pragma once

#include "base/clock.h"
#include "cli/config.h"

namespace xs::cli {

int run_pull(const Config& config, Clock& clock);
int run_status(const Config& config, Clock& clock);
int run_diff(const Config& config, Clock& clock);
int run_verify(const Config& config, Clock& clock);
int run_pause(const Config& config, Clock& clock);
int run_resume(const Config& config, Clock& clock);
int run_generations(const Config& config, Clock& clock);
int run_rollback(const Config& config, Clock& clock);
int run_trust(const Config& config, Clock& clock);
int run_authorize(const Config& config, Clock& clock);
int run_probe(const Config& config, Clock& clock);
int run_doctor(const Config& config, Clock& clock);
int run_config_show(const Config& config, Clock& clock);
int run_completion(const Config& config, Clock& clock);

}  // namespace xs::cli
