// SPDX-License-Identifier: MIT
#include "companion/doctor/groups.h"

#include <string_view>

#include "base/text.h"
#include "companion/doctor/systemd.h"

namespace xs {
namespace {

constexpr const char* kRemoved[] = {"xroad-registration-officer", "xroad-service-administrator",
                                    "xroad-system-administrator"};
constexpr std::string_view kPinGroup = "xroad-security-officer";
constexpr std::string_view kReaders = "xroad-securityserver-observer";

std::string list(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) {
    text += (i == 0 ? "" : ", ") + escape(names[i]);
  }
  return names.size() > kShown ? text + ", ..." : text;
}

// Nothing when the point has to be looked at.
std::optional<Finding> passed_over(const DoctorSubject& subject) {
  if (subject.type == NodeType::Primary) return not_here("a primary keeps its groups");
  if (subject.type != NodeType::Secondary) return outside(subject);
  if (find_unit(subject.places, "xroad-proxy-ui-api.service").path.empty()) {
    return not_here("no admin UI is installed");
  }
  return std::nullopt;
}

Finding removed_point(const DoctorSubject& subject) {
  if (auto passed = passed_over(subject)) return *passed;
  std::string found;
  std::string mend;
  for (const char* name : kRemoved) {
    const auto group = subject.accounts.group(name);
    if (!group) continue;
    found += (found.empty() ? "" : "; ") + std::string(name) + " is still there" +
             (group->members.empty() ? "" : " (" + list(group->members) + ")");
    mend += (mend.empty() ? "groupdel " : " && groupdel ") + std::string(name);
  }
  if (found.empty()) return fine("nobody may change the configuration here");
  return wrong(Fault::Mismatch, found + ": changes made here would be lost", mend);
}

bool enters_pin_itself(const DoctorSubject& subject) {
  const std::string script = subject.places.at("/usr/share/xroad/autologin/custom-fetch-pin.sh");
  return file_facts(script, subject.accounts) ||
         file_facts(subject.places.config.xroad + "/autologin", subject.accounts);
}

Finding kept_point(const DoctorSubject& subject, std::string_view name, const std::string& use) {
  if (auto passed = passed_over(subject)) return *passed;
  const std::string word(name);
  const auto group = subject.accounts.group(word);
  if (!group) {
    return wrong(Fault::Mismatch, word + " is gone: nobody can " + use,
                 "groupadd --system " + word + " && usermod -aG " + word + " USER");
  }
  if (group->members.empty() && name == kPinGroup && enters_pin_itself(subject)) {
    return fine(word + ": nobody, xroad-autologin enters the PIN");
  }
  if (group->members.empty()) {
    return wrong(Fault::Mismatch, word + " has no members: nobody can " + use,
                 "usermod -aG " + word + " USER");
  }
  return fine(word + ": " + list(group->members));
}

}  // namespace

Findings look_at_groups(const DoctorSubject& subject) {
  return look_at(
      {{"removed groups", [&] { return removed_point(subject); }},
       {"PIN group", [&] { return kept_point(subject, kPinGroup, "enter the token's PIN"); }},
       {"reading group", [&] { return kept_point(subject, kReaders, "read the admin UI"); }}});
}

}  // namespace xs
