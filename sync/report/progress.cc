// SPDX-License-Identifier: MIT
#include "sync/report/progress.h"
