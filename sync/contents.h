// SPDX-License-Identifier: MIT
// Contents: the digests and inlined bytes of the files of a scanned tree, each read with its stamp
// compared before and after. Called by scan(), and by the receiver for the candidates of a quick
// comparison. A file that cannot be read leaves the manifest for the problems, and so do hard links
// that repeat it; one that is gone or replaced by another type is counted as vanished; one that
// moved stays, without digest, in `moved`.
#pragma once

#include <cstdint>
#include <functional>

#include "sync/scan.h"

namespace xs {

struct ContentRequest {
  bool digests = true;
  std::uint32_t inline_limit = 0;  // files up to this size get their bytes
  // Which files; none set: all of them.
  std::function<bool(const Entry&)> wanted = {};
};

void read_contents(const Dir& root, ScanResult& tree, const ContentRequest& request);

// Tables of users and groups in the order of their first use, without those that no entry names:
// what the protocol asks for, whatever was done to the list.
void renumber_owners(Entries& entries);

}  // namespace xs
