// SPDX-License-Identifier: MIT
#include "sync/report/mask.h"

#include <algorithm>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/setting.h"

namespace xs {
namespace {

constexpr const char* kSecret = "S3cr3t";

bool hides(const std::string& text) {
  const std::string shown = mask(text);
  CHECK(std::count(shown.begin(), shown.end(), '\n') == std::count(text.begin(), text.end(), '\n'));
  return shown.find(kSecret) == std::string::npos;
}

TEST_CASE("mask: secrets of every format that X-Road uses are hidden", "[report]") {
  for (const char* const text : {
           "password=S3cr3t",
           "password = S3cr3t\n",
           "PASSWORD: S3cr3t",
           "  db.passwd=S3cr3t",
           "serverconf.hibernate.connection.password = S3cr3t",
           "export PGPASSWORD=S3cr3t",
           "PGPASSWORD='S3cr3t with blanks'",
           "password S3cr3t",
           "password\tS3cr3t",
           "spring.datasource.password=S3cr3t",
           "pin=S3cr3t",
           "tokenPin: S3cr3t",
           "pin_1: S3cr3t",
           "userPIN=S3cr3t",
           "client-secret: \"S3cr3t\"",
           "apiKey: S3cr3t",
           "api_key = S3cr3t",
           "{\"user\":\"x\",\"password\":\"S3cr3t\",\"after\":1}",
           "\"password\" : \"S3cr3t\"",
           "<password>S3cr3t</password>",
           "<ns:password a='b'>S3cr3t</ns:password>",
           "<user name=\"x\" password=\"S3cr3t\"/>",
           "<property name=\"password\" value=\"S3cr3t\"/>",
           "<property value=\"S3cr3t\" name=\"password\"/>",
           "<entry key=\"db.password\">S3cr3t</entry>",
           "Authorization: Bearer S3cr3t",
           "url=postgresql://user:S3cr3t@host/db",
           "jdbc:postgresql://h/db?user=u&password=S3cr3t",
           "a=1 password=S3cr3t b=2",
           "# password=S3cr3t",
           "; old pin: S3cr3t",
           "p\\u0061ssword=S3cr3t",
           "<x name=\"p&#97;ssword\">S3cr3t</x>",
           "<x name=\"p&#x61;ssword\" value=\"S3cr3t\"/>",
           "ldap://u:p@S3cr3t@host/",
           "keystore-pass=S3cr3t",
           "pwd=S3cr3t",
       }) {
    INFO(text);
    CHECK(hides(text));
  }
}

TEST_CASE("mask: secrets that go on in the next lines are hidden", "[report]") {
  for (const char* const text : {
           "password=a\\\nS3cr3t\nb=1",
           "password: |\n  first\n  S3cr3t\nb: 1",
           "password: >-\n  S3cr3t",
           "passwords:\n  - S3cr3t\n  - S3cr3t\n",
           "passwords:\n- one\n- S3cr3t\n",
           "password:\n  S3cr3t\n",
           "\"password\":\n\"S3cr3t\"\n",
           "password=\"one\nS3cr3t\ntwo\"\n",
           "password='one\nS3cr3t'\n",
           "<password>\nS3cr3t\n</password>\n",
           "<password>one\n  S3cr3t\ntwo</password>\n",
           "<property name=\"password\"\n value=\"S3cr3t\"/>\n",
           "<property\n value=\"S3cr3t\"\n name=\"password\"/>\n",
           "-----BEGIN RSA PRIVATE KEY-----\nS3cr3t\nS3cr3t\n-----END RSA PRIVATE KEY-----\n",
           "key: |\n  -----BEGIN PRIVATE KEY-----\n  S3cr3t\n",
           "#password: |\n#  S3cr3t\n",
           "password: first\n  S3cr3t\n",
           "secret:\n  deep:\n    value: S3cr3t\nother: 1\n",
       }) {
    INFO(text);
    CHECK(hides(text));
  }
}

TEST_CASE("mask: what is no secret stays", "[report]") {
  for (const char* const text : {
           "host=primary.example\nport=5432\n",
           "mapping: x\n",
           "ping-interval=5\n",
           "<key usage=\"SIGNING\"><keyId>AB12</keyId></key>\n",
           "url=https://host/path\n",
           "[common]\nconf=1\n\n",
           "",
           "\n\n",
           "no newline",
       }) {
    CHECK(mask(text) == text);
  }
  CHECK(mask("a=1\npassword=S3cr3t\nb=2\n") == "a=1\npassword=********\nb=2\n");
  CHECK(mask("# don't lose the password\nb=2\n").find("b=2") != std::string::npos);
  CHECK(mask("password: x\nb: 2\n") == "password: ********\nb: 2\n");
  CHECK(mask("<password>x</password>\n<b>2</b>\n").find("<b>2</b>") != std::string::npos);
  CHECK(mask("url=postgresql://user:S3cr3t@host/db\n") == "url=postgresql://********@host/db\n");
}

TEST_CASE("mask: any text keeps its lines, and masks to the same again", "[report]") {
  const unsigned seed = test::random_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string pieces[] = {
      "password", "=",  ":",  "\n",      "\"",    "'",
      "<",        ">",  "/>", "</",      " ",     "-----BEGIN PRIVATE KEY-----",
      "-----END", "\\", "#",  "\\u0061", "&#97;", "://",
      "@",        "a",  "\t", "\xff"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto left = random() % 30; left > 0; --left) text += pieces[random() % std::size(pieces)];
    const std::string shown = mask(text);
    INFO(text);
    CHECK(std::count(shown.begin(), shown.end(), '\n') ==
          std::count(text.begin(), text.end(), '\n'));
    CHECK((shown.empty() || shown.back() == '\n') == (text.empty() || text.back() == '\n'));
  }
}

TEST_CASE("mask: of files that are secrets nothing is shown", "[report]") {
  for (const char* const path : {"signer/softtoken/ABC.p12", "signer/softtoken/.softtoken.p12",
                                 "a/B.P12", "ssl/internal.key", "autologin", "a.key.bak", "x.p12~",
                                 "backup/autologin.old", ".pgpass", "id_ed25519"}) {
    INFO(path);
    CHECK(masked_diff(path, "S3cr3t\n", true, "S3cr3t2\n", true).find("S3cr3t") ==
          std::string::npos);
    CHECK(masked_diff(path, "S3cr3t\n", true, "x", true).rfind("secret file differs: '", 0) == 0);
  }
  CHECK(masked_diff("a.pem", "x\n", true, "-----BEGIN EC PRIVATE KEY-----\nS3cr3t\n", true) ==
        "secret file differs: 'a.pem'\n");
  CHECK(masked_diff("k.p12", "", false, "x", true) == "secret file is new: 'k.p12'\n");
  CHECK(masked_diff("k.p12", "x", true, "", false) == "secret file is deleted: 'k.p12'\n");
  CHECK(masked_diff("k.p12", "x", true, "x", true) == "");
  CHECK(masked_diff("a.ini", "x=1\n", true, "x=2\n", true).find("+x=2\n") != std::string::npos);
}

TEST_CASE("mask: that a secret changed is seen in a diff, and not how", "[report]") {
  const std::string shown =
      masked_diff("db.ini", "a=1\npassword=S3cr3t\n", true, "a=1\npassword=S3cr3tlonger\n", true);
  CHECK(shown ==
        "--- a/db.ini\n+++ b/db.ini\n@@ -1,2 +1,2 @@\n a=1\n-password=********\n"
        "+password=********\n");
}

}  // namespace
}  // namespace xs
