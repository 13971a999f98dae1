// SPDX-License-Identifier: MIT
// Files of a cluster and beside it, changed as steps of a plan: with the rights of whoever owns the
// directory, keeping owner and mode, with a copy of what was there before us. Used by the verbs
// that set up.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "companion/replication/cluster.h"
#include "companion/replication/plan.h"

namespace xs {

// Whose rights are needed in this directory: the cluster's owner's, or ours where nobody but root
// can exchange it. Throws Refused when it belongs to somebody else, or a link leads to it that is
// not root's.
ChildUser directory_user(const std::string& directory, const Cluster& cluster);

// Reads with those rights; nothing when there is no such file.
std::optional<std::string> read_owned(const std::string& path, const Cluster& cluster);
// Keeps the owner and mode of a file that is there; a new one is the cluster's owner's, of `mode`.
void write_owned(const std::string& path, const std::string& bytes, unsigned mode,
                 const Cluster& cluster);

// Throws Refused for a file that cannot be replaced without taking it from its owner or group: one
// of root's in a directory of the cluster's owner.
void check_keeps_owner(const std::string& path, const Cluster& cluster);

// A change of a text that somebody else wrote: once, before our first change, it is copied to
// FILE.before-xroad-companion. Taken back on failure. The file must be there, and its owner's
// to change: else Refused, when the step is made.
WorkStep edit_step(const std::string& path, const Cluster& cluster, const std::string& what,
                   const std::function<std::string(const std::string&)>& edit);
// What a file that is replaced leaves behind: nothing, or FILE.before-xroad-companion (.1, ...).
enum class OldFile { Drop, Keep };
// A whole file, taken back on failure. `secret`: its bytes are not shown.
WorkStep file_step(const std::string& path, const std::string& bytes, unsigned mode, bool secret,
                   const Cluster& cluster, OldFile old = OldFile::Drop);
// A directory that belongs to the cluster's owner. The ones above it that are missing are root's,
// but below a directory of the owner's.
WorkStep directory_step(const std::string& path, unsigned mode, const Cluster& cluster);

bool path_exists(const std::string& path);
std::string parent_of(const std::string& path);

}  // namespace xs
