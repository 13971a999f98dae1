// SPDX-License-Identifier: MIT
#include "sync/report/detail.h"
