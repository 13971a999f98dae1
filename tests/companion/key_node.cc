// SPDX-License-Identifier: MIT
#include "tests/companion/key_node.h"

#include <openssl/evp.h>

#include "companion/certificate.h"
#include "companion/global_params.h"

namespace xs::test {
namespace {

std::string element(const std::string& name, const std::string& text) {
  return "<" + name + ">" + text + "</" + name + ">";
}

std::string key_text(const KeyPlan& key) {
  std::string cert = "<cert active=\"" + key.active + "\" id=\"c1\">";
  if (!key.member.empty()) {
    cert += "<memberId xmlns:id=\"http://x-road.eu/xsd/identifiers\" id:objectType=\"MEMBER\">" +
            element("id:xRoadInstance", "DEV") + element("id:memberClass", "COM") +
            element("id:memberCode", key.member) + "</memberId>";
  }
  cert += element("contents", key.contents) + element("status", key.status) + "</cert>";
  return "<device>" + element("deviceType", key.device) + element("id", "0") + "<key usage=\"" +
         key.usage + "\">" + element("keyId", key.id) + cert + "</key></device>";
}

std::string cert_text(const Identity& identity) { return element("cert", base64(identity.der())); }

std::string sha256(const std::string& bytes) {
  std::string out(32, '\0');
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
             EVP_sha256(), nullptr);
  return out;
}

}  // namespace

std::string keyconf_text(const std::vector<KeyPlan>& keys) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
      "<ns3:keyConf xmlns:ns3=\"http://x-road.eu/xsd/xroad.xsd\">\n";
  for (const KeyPlan& key : keys) text += key_text(key) + "\n";
  return text + "</ns3:keyConf>\n";
}

KeyNode::KeyNode() {
  ca = make_identity({"Test CA", kNow - 86'400, kNow + 864'000, true, false});
  auth = make_identity(valid("ss1"), &ca);
  sign = make_identity(valid("member 1234"), &ca);
  tree.dir("cache").file("globalconf/instance-identifier", "DEV");
  tree.file("signer/softtoken/AA01.p12", "\x30\x82key").file("signer/softtoken/BB02.p12", "\x30k");
  write_global({{&ca}, {}, {&auth}});
  write_keyconf(healthy_keys());
  store(auth, make_ocsp(auth, ca, fresh()));
  store(sign, make_ocsp(sign, ca, fresh()));
}

std::vector<KeyPlan> KeyNode::healthy_keys() const {
  KeyPlan authentication;
  authentication.contents = base64(auth.der());
  KeyPlan signing = authentication;
  signing.usage = "SIGNING";
  signing.id = "BB02";
  signing.contents = base64(sign.der());
  signing.member = "1234";
  return {authentication, signing};
}

KeySettings KeyNode::settings() const {
  return {tree.path_of("signer/keyconf.xml"), tree.path_of("cache"), tree.path_of("globalconf")};
}

void KeyNode::write_keyconf(const std::vector<KeyPlan>& keys) { write_keyconf(keyconf_text(keys)); }

void KeyNode::write_keyconf(const std::string& xml) { tree.file("signer/keyconf.xml", xml); }

std::string KeyNode::stored_path(const Identity& subject) const {
  return "cache/" + digest_hex(subject.der(), EVP_sha1()) + ".ocsp";
}

void KeyNode::store(const Identity& subject, const std::string& response) {
  tree.file(stored_path(subject), response);
}

void KeyNode::write_global(const Global& global) {
  std::string text =
      "<ns3:conf xmlns:ns3=\"http://x-road.eu/xsd/xroad.xsd\">"
      "<instanceIdentifier>DEV</instanceIdentifier>";
  for (const Identity* one : global.cas) {
    std::string responders;
    if (one == global.cas.front()) {
      for (const Identity* responder : global.responders) {
        responders += element("ocsp", element("url", "http://ocsp") + cert_text(*responder));
      }
    }
    text += element("approvedCA",
                    element("name", "CA") + element("topCA", cert_text(*one) + responders));
  }
  for (const Identity* server : global.servers) {
    text += element("securityServer", element("serverCode", "ss1") +
                                          element("authCertHash", base64(sha256(server->der()))));
  }
  text +=
      element("globalSettings", element("ocspFreshnessSeconds", global.freshness)) + "</ns3:conf>";
  tree.file("globalconf/DEV/shared-params.xml", text);
}

void KeyNode::write_next_update(const std::string& word) {
  tree.file("globalconf/DEV/nextupdate-params.xml",
            "<xro:conf xmlns:xro=\"http://x-road.eu/xsd/xroad.xsd\">" +
                element("verifyNextUpdate", word) + "</xro:conf>");
}

}  // namespace xs::test
