// SPDX-License-Identifier: MIT
#include "sync/report/stats.h"
