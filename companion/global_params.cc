// SPDX-License-Identifier: MIT
#include "companion/global_params.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/keyconf_certs.h"
#include "companion/wall.h"
#include "companion/xml.h"

namespace xs {
namespace {

constexpr std::string_view kNamespace = "http://x-road.eu/xsd/xroad.xsd";
constexpr std::size_t kInstanceLimit = 255;

[[noreturn]] void not_as_written(const std::string& why) { throw Error(Fault::Mismatch, why); }

// java.net.URLEncoder, which X-Road names directories with.
std::string url_encode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-*_";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != kPlain.npos) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return out;
}

pugi::xml_node conf_of(pugi::xml_document& document, std::string_view xml, const char* what) {
  const std::string trouble = xml_load(document, xml);
  if (!trouble.empty()) not_as_written(std::string(what) + ": " + trouble);
  const pugi::xml_node root = document.document_element();
  if (!xml_is(root, "conf", kNamespace)) {
    not_as_written(std::string(what) + ": its root element is '" + excerpt(root.name(), 60) +
                   "' and not X-Road's conf");
  }
  return root;
}

Certificate certificate_in(const pugi::xml_node& node, const char* what) {
  Certificate certificate = parse_certificate(decode_base64(xml_text(node)));
  if (!certificate) {
    const std::string reason = openssl_reason();
    not_as_written(std::string("shared-params.xml: a certificate of ") + what + " does not parse" +
                   (reason.empty() ? "" : ": " + reason));
  }
  return certificate;
}

ApprovedCa read_ca(const pugi::xml_node& node) {
  ApprovedCa ca;
  ca.certificate = certificate_in(xml_child(node, "cert", ""), "a CA");
  for (const pugi::xml_node& ocsp : node.children()) {
    if (!xml_is(ocsp, "ocsp", "")) continue;
    const pugi::xml_node cert = xml_child(ocsp, "cert", "");
    if (!xml_text(cert).empty()) ca.responders.push_back(certificate_in(cert, "a responder"));
  }
  return ca;
}

}  // namespace

std::string main_instance(const std::string& root) {
  const std::string path = root + "/instance-identifier";
  const std::string text = read_file(path, kInstanceLimit + 2);
  const std::string instance(trim(text));
  if (instance.empty() || !is_utf8(instance)) {
    not_as_written(quote(path) + " names no instance; has xroad-confclient run yet?");
  }
  return instance;
}

std::string instance_directory(const std::string& root, std::string_view instance) {
  std::string name = url_encode(instance);
  // The two names that the encoding leaves alone and that are no directory of an instance.
  if (name == "." || name == "..") not_as_written(quote(name) + " is no name of an instance");
  return root + "/" + name;
}

std::int64_t expiry_of(std::string_view metadata, std::string_view instance) {
  const auto json = nlohmann::json::parse(metadata, nullptr, false);
  if (!json.is_object()) not_as_written("it is no JSON object");
  const auto named = json.find("instanceIdentifier");
  if (named != json.end() && named->is_string() && named->get<std::string>() != instance) {
    not_as_written("it belongs to the instance " + quote(named->get<std::string>()));
  }
  const auto date = json.find("expirationDate");
  if (date == json.end() || !date->is_string()) not_as_written("it has no expirationDate");
  const auto text = date->get<std::string>();
  const auto expires = parse_utc(text);
  if (!expires) not_as_written("its expirationDate is " + quote(text));
  return *expires;
}

GlobalTrust parse_shared_params(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node root = conf_of(document, xml, "shared-params.xml");
  GlobalTrust trust;
  for (const pugi::xml_node& node : root.children()) {
    if (xml_is(node, "approvedCA", "")) {
      for (const pugi::xml_node& ca : node.children()) {
        if (xml_is(ca, "topCA", "") || xml_is(ca, "intermediateCA", "")) {
          trust.cas.push_back(read_ca(ca));
        }
      }
    } else if (xml_is(node, "securityServer", "")) {
      for (const pugi::xml_node& hash : node.children()) {
        if (!xml_is(hash, "authCertHash", "")) continue;
        trust.auth_cert_hashes.insert(hex(decode_base64(xml_text(hash))));
      }
    }
  }
  const pugi::xml_node settings = xml_child(root, "globalSettings", "");
  const auto freshness = parse_number(xml_text(xml_child(settings, "ocspFreshnessSeconds", "")));
  if (!freshness || *freshness > 100'000'000) {
    not_as_written("shared-params.xml: it has no sensible ocspFreshnessSeconds");
  }
  trust.ocsp_freshness = static_cast<std::int64_t>(*freshness);
  return trust;
}

bool parse_next_update_params(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node root = conf_of(document, xml, "nextupdate-params.xml");
  const std::string_view word = xml_text(xml_child(root, "verifyNextUpdate", ""));
  return word != "false" && word != "0";
}

}  // namespace xs
