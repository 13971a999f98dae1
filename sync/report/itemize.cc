// SPDX-License-Identifier: MIT
#include "sync/report/itemize.h"
