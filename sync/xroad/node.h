// SPDX-License-Identifier: MIT
// Node: which part this machine plays in an X-Road cluster, as conf.d/node.ini says it. Asked by
// the client before anything else and by the server before it serves. X-Road itself takes a file
// that is missing or mistyped for "standalone", which would make a secondary write; here it is an
// Error of class Role that says what to do.
#pragma once

#include <string>
#include <string_view>

namespace xs {

enum class NodeRole { Standalone, Primary, Secondary };

struct Node {
  NodeRole role{};
  std::string word;   // as the file has it
  std::string where;  // file:line, for messages
};

// [node] type=: STANDALONE, MASTER or SLAVE, or the newer PRIMARY and SECONDARY, in any case; as in
// X-Road the value may be quoted and may have a comment behind it. Pure. Throws Role.
Node parse_node(std::string_view text, const std::string& file);
// A regular file of a sane size; everything else is Role, too.
Node read_node(const std::string& path);

// Throws Role unless the node may be synced to (a secondary), or from (a primary).
void require_secondary(const Node& node);
void require_primary(const Node& node);

}  // namespace xs
