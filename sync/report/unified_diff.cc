// SPDX-License-Identifier: MIT
#include "sync/report/unified_diff.h"
