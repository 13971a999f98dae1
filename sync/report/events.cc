// SPDX-License-Identifier: MIT
#include "sync/report/events.h"
