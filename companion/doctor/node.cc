// SPDX-License-Identifier: MIT
#include "companion/doctor/node.h"

#include <strings.h>

#include "base/text.h"

namespace xs {
namespace {

constexpr const char* kPooled = "server-support-clients-pooled-connections";

struct TypeWord {
  const char* word;
  NodeType type;
  const char* found;
};
constexpr TypeWord kTypes[] = {
    {"master", NodeType::Primary, "a primary"},
    {"slave", NodeType::Secondary, "a secondary"},
    {"standalone", NodeType::Standalone, "standalone: of no cluster"},
};

const TypeWord* find_type(const IniValue* value) {
  for (const TypeWord& known : kTypes) {
    if (value != nullptr && ::strcasecmp(value->value.c_str(), known.word) == 0) return &known;
  }
  return nullptr;
}

std::string node_ini(const DoctorSubject& subject) {
  return subject.places.config.xroad + "/conf.d/node.ini";
}

Finding type_point(const DoctorSubject& subject) {
  const std::string file = node_ini(subject);
  const std::string mend = "printf '[node]\\ntype=slave\\n' >" + escape(file) +
                           " (on the primary: type=master), and restart X-Road's services";
  if (!subject.xroad_read) return unknown("not looked at: see above");
  const IniValue* value = subject.xroad.find("node", "type");
  if (value == nullptr) {
    return wrong(Fault::Role, "nobody says it: X-Road takes this node for standalone", mend);
  }
  const TypeWord* known = find_type(value);
  const std::string said = "type=" + excerpt(value->value, 40) + ", " + escape(value->where());
  if (known == nullptr) {
    return wrong(Fault::Role,
                 said + ": X-Road knows no such type, takes it for standalone and writes", mend);
  }
  if (value->file != file) {
    return wrong(Fault::Role, said + ": that file is copied from the primary, node.ini is not",
                 mend);
  }
  return fine(std::string(known->found) + " (" + said + ")");
}

Finding owner_point(const DoctorSubject& subject) {
  const std::string file = node_ini(subject);
  const auto facts = file_facts(file, subject.accounts);
  if (!facts) return not_here("there is none: see above");
  constexpr unsigned kTooMuch = 0137;  // beyond 640
  if (facts->owner == "xroad" && facts->group == "xroad" && (facts->mode & kTooMuch) == 0 &&
      (facts->mode & 0400U) != 0) {
    return fine(facts->text());
  }
  return wrong(Fault::Mismatch, facts->text() + "; it is to be xroad:xroad, mode 640",
               "chown xroad:xroad " + escape(file) + " && chmod 640 " + escape(file));
}

Finding pooled_point(const DoctorSubject& subject) {
  if (!subject.in_cluster()) return outside(subject);
  const IniValue* value = subject.xroad.find("proxy", kPooled);
  if (value != nullptr && ::strcasecmp(value->value.c_str(), "false") == 0) {
    return fine("off (" + escape(value->where()) + ")");
  }
  const std::string found =
      value == nullptr ? std::string(kPooled) + " is not set"
                       : escape(value->where()) + ": " + kPooled + "=" + excerpt(value->value, 40);
  return wrong(
      Fault::Usage, found + ": clients would stay with one node",
      std::string(subject.type == NodeType::Secondary ? "on the primary, which is copied: " : "") +
          "write " + kPooled +
          "=false below [proxy] of /etc/xroad/conf.d/local.ini, then "
          "systemctl restart xroad-proxy on every node");
}

// Never opened: whether it is there is all that counts.
Finding pin_point(const DoctorSubject& subject) {
  const std::string file = subject.places.config.xroad + "/autologin";
  const auto facts = file_facts(file, subject.accounts);
  if (!facts) return fine("none in plain text");
  const bool bare = (facts->mode & 0007U) != 0;
  return wrong(Fault::Mismatch,
               escape(file) + " holds it in plain text" +
                   (bare ? ", for every user to read (" + facts->text() + ")" : ""),
               (bare ? "at once: chmod 640 " + escape(file) + "; then: " : "") +
                   "let /usr/share/xroad/autologin/custom-fetch-pin.sh fetch it from a safe place "
                   "and remove the file");
}

}  // namespace

NodeType node_type(const Ini& xroad) {
  const TypeWord* known = find_type(xroad.find("node", "type"));
  return known == nullptr ? NodeType::Unknown : known->type;
}

Findings look_at_node(const DoctorSubject& subject) {
  return look_at({{"node type", [&] { return type_point(subject); }},
                  {"node.ini", [&] { return owner_point(subject); }},
                  {"kept connections", [&] { return pooled_point(subject); }},
                  {"autologin PIN", [&] { return pin_point(subject); }}});
}

}  // namespace xs
