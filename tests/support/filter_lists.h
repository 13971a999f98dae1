// SPDX-License-Identifier: MIT
// Filter lists in the short hand of the tests of filter, and what they do to trees that are lists
// of names. Nothing touches a disk.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "sync/filter_walk.h"

namespace xs::test {

using Files = std::map<std::string, std::string>;  // path of a per-directory file to its contents
using Names = std::vector<std::string>;

// The tree of the reference table; a trailing slash marks a directory.
const Names& reference_tree();
// Whether `name` is in `dir` itself, which ends with a slash unless it is the root.
bool directly_below(const std::string& name, const std::string& dir);
Names sorted(Names names);

FilterLookup lookup_in(const Files& files);

// "-P" is --exclude=P, "+P" is --include=P, "fR" is --filter=R.
FilterList list_of(const Names& options);

enum class Ask { Hidden, Protected, Deleting };

// Walks `tree`, whose root is /t/ft, and returns the topmost names that the list leaves out,
// sorted.
Names left_out(const FilterList& list, Ask ask = Ask::Hidden, const Names& tree = reference_tree(),
               const Files& files = {}, bool delete_excluded = false);

// What the Error says that `call` throws, whose class the test checks; "no error" when it throws
// none.
std::string error_of(const std::function<void()>& call, Fault fault = Fault::Usage);

}  // namespace xs::test
