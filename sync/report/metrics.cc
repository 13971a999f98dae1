// SPDX-License-Identifier: MIT
#include "sync/report/metrics.h"
