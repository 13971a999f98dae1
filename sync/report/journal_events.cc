// SPDX-License-Identifier: MIT
#include "sync/report/journal_events.h"
