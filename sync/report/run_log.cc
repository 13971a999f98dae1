// SPDX-License-Identifier: MIT
#include "sync/report/run_log.h"
