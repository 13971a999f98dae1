// SPDX-License-Identifier: MIT
// XML as X-Road writes it, for the readers of keyconf.xml and of the global configuration. Parsed
// by pugixml, which expands no entities and opens no other file; a document type is refused. Names
// are compared with the namespace that their prefix, or the default, stands for.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace xs {

// What is wrong with it; empty when it parsed. Elements deeper than 64 levels are refused.
std::string xml_load(pugi::xml_document& document, std::string_view xml);

// Is this the element `name` of `space`? An empty space: of no namespace.
bool xml_is(const pugi::xml_node& node, std::string_view name, std::string_view space);
// The first such child, or an empty node.
pugi::xml_node xml_child(const pugi::xml_node& parent, std::string_view name,
                         std::string_view space);
// The text, without blanks around it.
std::string_view xml_text(const pugi::xml_node& node);

}  // namespace xs
