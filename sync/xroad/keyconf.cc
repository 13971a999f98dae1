// SPDX-License-Identifier: MIT
#include "sync/xroad/keyconf.h"

#include <fcntl.h>

#include <pugixml.hpp>

#include "base/io.h"
#include "base/text.h"
#include "protocol/entries.h"

namespace xs {
namespace {

constexpr std::string_view kSoftToken = "softToken";

// The prefix of a namespace is the writer's choice.
std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

std::string_view text_of(const pugi::xml_node& parent, std::string_view name) {
  for (const pugi::xml_node& child : parent.children()) {
    if (local_name(child) == name) return trim(child.text().get());
  }
  return {};
}

bool has_doctype(const pugi::xml_document& document) {
  for (const pugi::xml_node& node : document.children()) {
    if (node.type() == pugi::node_doctype) return true;
  }
  return false;
}

std::string key_file(std::string_view id) { return std::string(id) + ".p12"; }

void add_keys(const pugi::xml_node& device, Keyconf& keyconf) {
  const std::string_view type = text_of(device, "deviceType");
  for (const pugi::xml_node& key : device.children()) {
    if (local_name(key) != "key") continue;
    const std::string_view id = text_of(key, "keyId");
    if (id.empty()) continue;
    if (type != kSoftToken) {
      keyconf.hsm_keys.push_back(std::string(type) + ": " + std::string(id));
    } else if (valid_name(key_file(id))) {
      keyconf.soft_keys.emplace_back(id);
    } else {
      keyconf.trouble = "the key id '" + excerpt(id, 60) + "' cannot name a file";
    }
  }
}

Keyconf broken(std::string why) {
  Keyconf keyconf;
  keyconf.trouble = std::move(why);
  return keyconf;
}

}  // namespace

Keyconf parse_keyconf(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_parse_result result =
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default | pugi::parse_doctype);
  if (!result) {
    return broken("it is no XML at byte " + std::to_string(result.offset) + ": " +
                  result.description());
  }
  if (has_doctype(document)) return broken("it has a document type, which X-Road never writes");
  const pugi::xml_node root = document.document_element();
  if (local_name(root) != "keyConf") {
    return broken("its root element is '" + excerpt(root.name(), 60) + "' and not keyConf");
  }
  Keyconf keyconf;
  for (const pugi::xml_node& device : root.children()) {
    if (local_name(device) == "device") add_keys(device, keyconf);
  }
  if (!keyconf.ok()) return broken(std::move(keyconf.trouble));
  return keyconf;
}

std::optional<Keyconf> read_keyconf(const Dir& signer) {
  try {
    const auto file = signer.open_file_if_exists("keyconf.xml", O_RDONLY);
    if (!file) return std::nullopt;
    const FileStat st = stat_fd(*file, signer.subject("keyconf.xml"));
    if (st.size > kKeyconfLimit) {
      return broken("it is larger than " + std::to_string(kKeyconfLimit) + " bytes");
    }
    return parse_keyconf(read_all(file->get(), kKeyconfLimit, signer.subject("keyconf.xml")));
  } catch (const Error& error) {
    throw Error(Fault::Partial, error.text(), error.code());
  }
}

std::vector<std::string> missing_keys(const Dir& signer, const Keyconf& keyconf) {
  const auto tokens = signer.open_dir_if_exists("softtoken");
  std::vector<std::string> missing;
  for (const std::string& id : keyconf.soft_keys) {
    if (!tokens || !tokens->stat_if_exists(key_file(id))) {
      missing.push_back("softtoken/" + key_file(id));
    }
  }
  return missing;
}

}  // namespace xs
