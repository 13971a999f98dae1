// SPDX-License-Identifier: MIT
#include "sync/report/mask.h"
