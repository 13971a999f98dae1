// SPDX-License-Identifier: MIT
// What the oracle knows of directories: a tree as it was read, and in what two of them differ.
// Called by oracle.cc's judgements. As all of the oracle it shares no line with the engine and
// links nothing of it. What cannot be read throws std::runtime_error.
#pragma once

#include <sys/stat.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace oracle {

[[noreturn]] void fail(const std::string& what, const std::string& path);  // with errno

struct Node {
  struct stat st {};
  std::string target;
  std::string first_name;  // the least name of the same file in this tree
};

struct Tree {
  std::string root;
  std::map<std::string, Node> nodes;  // by path below the root; the root itself is ""
  std::vector<std::string> areas;     // staging areas, which are no part of it
};

// Without the excluded paths and what is below them.
Tree read_tree(const std::string& root, const std::set<std::string>& excluded);

// Sorted.
std::vector<std::string> names_in(const std::string& dir);
std::string join(const std::string& dir, const std::string& name);

bool is_dir(const Tree& tree, const std::string& path);
bool same_bytes(const std::string& a, const std::string& b);

// Of a path that both have: in what `live` differs from `wanted`, in words; empty when it does not.
std::string difference(const Tree& wanted_tree, const Tree& live_tree, const std::string& path);

// Of all paths of both, a line each.
std::vector<std::string> differences(const Tree& wanted, const Tree& live);

}  // namespace oracle
