// SPDX-License-Identifier: MIT
#include "sync/report/status.h"
