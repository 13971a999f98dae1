// SPDX-License-Identifier: MIT
#include "sync/report/numbers.h"
