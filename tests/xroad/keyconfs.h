// SPDX-License-Identifier: MIT
// Key configurations as a signer writes them.
#pragma once

#include <string>
#include <vector>

namespace xs::test {

inline std::string key_xml(const std::string& id) {
  return "    <key usage=\"SIGNING\">\n      <friendlyName>a &amp; b</friendlyName>\n"
         "      <keyId>" +
         id +
         "</keyId>\n      <cert active=\"true\" id=\"c\">\n"
         "        <contents>MIIB</contents>\n        <status>registered</status>\n"
         "      </cert>\n    </key>\n";
}

inline std::string device_xml(const std::string& type, const std::vector<std::string>& keys) {
  std::string xml = "  <device>\n    <deviceType>" + type + "</deviceType>\n    <id>0</id>\n";
  for (const std::string& id : keys) xml += key_xml(id);
  return xml + "  </device>\n";
}

inline std::string keyconf_xml(const std::string& devices) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
         "<ns3:keyConf xmlns:ns3=\"http://x-road.eu/xsd/xroad.xsd\">\n" +
         devices + "</ns3:keyConf>\n";
}

inline std::string soft_keyconf(const std::vector<std::string>& keys) {
  return keyconf_xml(device_xml("softToken", keys));
}

}  // namespace xs::test
