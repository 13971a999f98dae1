// SPDX-License-Identifier: MIT
// Owner: who works in a destination. Whoever owns the destination decides what stands in it, the
// staging area and its journals too, so root must not carry out what it finds there: for such a
// tree root becomes the owner, for good. Called by main() before anything of the destination, of
// the state or of the log is opened, and before there is a second thread.
#pragma once

#include "cli/config.h"

namespace xs::cli {

// Does nothing for anybody but root, where root owns the destination, where it is missing, and for
// verbs that do not look into it. Throws Selection when the owner has no account here, Io when
// root's rights cannot be laid down: nothing has been touched then.
void become_owner(const Config& config);

}  // namespace xs::cli
