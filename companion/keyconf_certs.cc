// SPDX-License-Identifier: MIT
#include "companion/keyconf_certs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "companion/xml.h"

namespace xs {
namespace {

constexpr std::string_view kNamespace = "http://x-road.eu/xsd/xroad.xsd";
constexpr std::string_view kIdentifiers = "http://x-road.eu/xsd/identifiers";
constexpr std::string_view kSoftToken = "softToken";

bool names_a_file(std::string_view id) {
  return !id.empty() && id.size() <= 200 && id.front() != '.' &&
         id.find_first_of(std::string_view("/\0", 2)) == id.npos;
}

KeyUsage usage_of(std::string_view word) {
  if (word == "AUTHENTICATION") return KeyUsage::Authentication;
  return word == "SIGNING" ? KeyUsage::Signing : KeyUsage::None;
}

std::string member_of(const pugi::xml_node& id) {
  std::string member;
  for (const char* part : {"xRoadInstance", "memberClass", "memberCode", "subsystemCode"}) {
    const std::string_view text = xml_text(xml_child(id, part, kIdentifiers));
    if (!text.empty()) member += (member.empty() ? "" : "/") + std::string(text);
  }
  return member;
}

KeyconfCert read_cert(const pugi::xml_node& node) {
  KeyconfCert cert;
  const std::string_view active = node.attribute("active").value();
  cert.active = active.empty() || active == "true" || active == "1";
  cert.id = node.attribute("id").value();
  cert.status = xml_text(xml_child(node, "status", ""));
  cert.der = decode_base64(xml_text(xml_child(node, "contents", "")));
  cert.member = member_of(xml_child(node, "memberId", ""));
  return cert;
}

void read_device(const pugi::xml_node& device, KeyconfCerts& to) {
  const std::string type(xml_text(xml_child(device, "deviceType", "")));
  const std::string_view label = xml_text(xml_child(device, "slotId", ""));
  if (type != kSoftToken) {
    to.devices.push_back(type + (label.empty() ? "" : ": " + std::string(label)));
  }
  for (const pugi::xml_node& node : device.children()) {
    if (!xml_is(node, "key", "")) continue;
    KeyconfKey key;
    key.id = xml_text(xml_child(node, "keyId", ""));
    key.device = type;
    key.soft = type == kSoftToken;
    key.usage = usage_of(node.attribute("usage").value());
    if (key.soft && !names_a_file(key.id)) {
      to.trouble = "the key id '" + excerpt(key.id, 60) + "' cannot name a file";
      return;
    }
    for (const pugi::xml_node& cert : node.children()) {
      if (xml_is(cert, "cert", "")) key.certs.push_back(read_cert(cert));
    }
    to.keys.push_back(std::move(key));
  }
}

}  // namespace

KeyconfCerts parse_keyconf_certs(std::string_view xml) {
  KeyconfCerts found;
  pugi::xml_document document;
  found.trouble = xml_load(document, xml);
  if (!found.trouble.empty()) return found;
  const pugi::xml_node root = document.document_element();
  if (!xml_is(root, "keyConf", kNamespace)) {
    found.trouble =
        "its root element is '" + excerpt(root.name(), 60) + "' and not X-Road's keyConf";
    return found;
  }
  for (const pugi::xml_node& device : root.children()) {
    if (xml_is(device, "device", "")) read_device(device, found);
    if (!found.trouble.empty()) return {{}, {}, found.trouble};
  }
  return found;
}

std::string decode_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned value = 0;
  std::size_t digits = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    const std::size_t digit = c == '=' ? 0 : kDigits.find(c);
    if (digit == kDigits.npos || (padding > 0 && c != '=')) return {};
    if (c == '=') ++padding;
    value = value << 6 | static_cast<unsigned>(digit);
    if (++digits % 4 != 0) continue;
    for (const int shift : {16, 8, 0}) out += static_cast<char>(value >> shift & 0xFFU);
    value = 0;
  }
  if (digits % 4 != 0 || padding > 2) return {};
  out.resize(out.size() - std::min(padding, out.size()));
  return out;
}

}  // namespace xs
