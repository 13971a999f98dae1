// SPDX-License-Identifier: MIT
#include "companion/xml.h"

#include "base/text.h"

namespace xs {
namespace {

constexpr int kDeepest = 64;

class Depth : public pugi::xml_tree_walker {
 public:
  bool for_each(pugi::xml_node& node) override {
    doctype |= node.type() == pugi::node_doctype;
    deep |= depth() > kDeepest;
    return !doctype && !deep;
  }
  bool doctype = false;
  bool deep = false;
};

// What a prefix stands for at this element; empty prefix: the default namespace.
std::string_view space_of(pugi::xml_node node, std::string_view prefix) {
  for (; node.type() == pugi::node_element; node = node.parent()) {
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      const std::string_view name = attribute.name();
      if (!name.starts_with("xmlns")) continue;
      const bool bound = prefix.empty() ? name == "xmlns"
                                        : name.size() == prefix.size() + 6 && name[5] == ':' &&
                                              name.substr(6) == prefix;
      if (bound) return attribute.value();
    }
  }
  return {};
}

}  // namespace

std::string xml_load(pugi::xml_document& document, std::string_view xml) {
  const pugi::xml_parse_result result =
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default | pugi::parse_doctype);
  if (!result) {
    return "it is no XML at byte " + std::to_string(result.offset) + ": " + result.description();
  }
  Depth walker;
  document.traverse(walker);
  if (walker.doctype) return "it has a document type, which X-Road never writes";
  if (walker.deep) return "its elements are nested too deep";
  return "";
}

bool xml_is(const pugi::xml_node& node, std::string_view name, std::string_view space) {
  const std::string_view full = node.name();
  const std::size_t colon = full.find(':');
  const std::string_view prefix = colon == full.npos ? std::string_view() : full.substr(0, colon);
  const std::string_view local = colon == full.npos ? full : full.substr(colon + 1);
  return local == name && space_of(node, prefix) == space;
}

pugi::xml_node xml_child(const pugi::xml_node& parent, std::string_view name,
                         std::string_view space) {
  for (const pugi::xml_node& child : parent.children()) {
    if (xml_is(child, name, space)) return child;
  }
  return {};
}

std::string_view xml_text(const pugi::xml_node& node) { return trim(node.text().get()); }

}  // namespace xs
