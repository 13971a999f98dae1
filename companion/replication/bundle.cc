// SPDX-License-Identifier: MIT
#include "companion/replication/bundle.h"

#include "base/error.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/scram.h"

namespace xs {
namespace {

constexpr const char* kSection = "standby";
constexpr std::size_t kPemLimit = 64U << 10;

PkiPaths in_directory(const std::string& directory) {
  return {directory + "/ca.crt", directory + "/server.crt", directory + "/server.key"};
}

std::string word(const Ini& ini, const std::string& file, const char* key) {
  const IniValue* value = ini.find(kSection, key);
  if (value != nullptr && !value->value.empty()) return value->value;
  throw Error(Fault::Usage, quote(file) + " has no [standby] " + key +
                                ": is it a bundle of `setup "
                                "primary`?");
}

}  // namespace

std::string bundle_ini(const Bundle& bundle) {
  const StandbyPlan& plan = bundle.standby;
  return std::string("; For `xroad-companion replication setup standby --bundle` on ") + plan.name +
         ".\n[" + kSection + "]\nname = " + plan.name + "\nslot = " + plan.slot +
         "\nprofile = " + profile_row(plan.profile).name +
         "\nlogin = " + (plan.login == Login::Certificate ? "certificate" : "password") +
         "\nprimary = " + plan.host + "\nport = " + std::to_string(plan.port) +
         "\nsystem = " + bundle.system_id + "\n";
}

Bundle read_bundle(const std::string& directory) {
  const std::string file = directory + "/standby.ini";
  const Ini ini = Ini::load(file);
  Bundle bundle;
  StandbyPlan& plan = bundle.standby;
  plan.name = word(ini, file, "name");
  check_node_name(plan.name);
  plan.slot = word(ini, file, "slot");
  plan.host = word(ini, file, "primary");
  const ProfileRow* row = find_profile(word(ini, file, "profile"));
  const auto port = parse_number(word(ini, file, "port"));
  const std::string login = word(ini, file, "login");
  if (row == nullptr || !port || *port == 0 || *port > 65'535 ||
      (login != "certificate" && login != "password")) {
    throw Error(Fault::Usage, quote(file) + ": profile, port or login is none that we know");
  }
  plan.profile = row->profile;
  plan.port = static_cast<std::uint16_t>(*port);
  plan.login = login == "password" ? Login::Password : Login::Certificate;
  bundle.system_id = word(ini, file, "system");
  bundle.source = in_directory(directory);
  const std::string password = directory + "/password";
  read_sources(bundle, plan.login == Login::Password ? password : "");
  return bundle;
}

void read_sources(Bundle& bundle, const std::string& password_file) {
  bundle.ca = read_file(bundle.source.ca, kPemLimit);
  bundle.certificate = read_file(bundle.source.certificate, kPemLimit);
  bundle.key = read_file(bundle.source.key, kPemLimit);
  if (!password_file.empty()) bundle.password = read_password(password_file);
}

PkiPaths PkiPlace::paths() const { return in_directory(directory); }

CertFiles PkiPlace::load(const PkiPaths& paths) const {
  CertFiles files;
  files.ca = read_owned(paths.ca, cluster).value_or("");
  files.certificate = read_owned(paths.certificate, cluster).value_or("");
  files.key = read_owned(paths.key, cluster).value_or("");
  files.file = paths.certificate;
  return files;
}

WorkStep ca_step(const PkiPlace& place, const std::string& name, int days) {
  const std::string file = place.paths().ca;
  WorkStep step;
  step.what = "make a certificate authority in " + escape(place.directory);
  step.detail = [=] {
    return "new: " + escape(file) + ", mode 0644, and " + escape(place.ca_key()) +
           ", mode 0600: EC P-256, CN=" + name + ", " + std::to_string(days) + " days\n";
  };
  step.done = [=] { return read_owned(file, place.cluster).has_value(); };
  // The key first: a certificate is the sign that both are there.
  step.act = [=] {
    const KeyPair ca = make_ca(name, place.wall(), days);
    write_owned(place.ca_key(), ca.key, 0600, place.cluster);
    write_owned(file, ca.certificate, 0644, place.cluster);
  };
  return step;
}

WorkStep certificate_step(const PkiPlace& place, const std::string& directory,
                          const NodePlan& plan) {
  const PkiPaths paths = in_directory(directory);
  WorkStep step;
  step.what = "make the certificate of " + plan.common_name;
  step.detail = [=] {
    std::string names;
    for (const std::string& name : plan.names) names += (names.empty() ? "" : ", ") + name;
    return "new: " + escape(paths.certificate) + ", mode 0644, and " + escape(paths.key) +
           ", mode 0600: EC P-256, CN=" + plan.common_name + ", for " + escape(names) + ", " +
           std::to_string(plan.days) + " days\n";
  };
  step.done = [=] { return read_owned(paths.certificate, place.cluster).has_value(); };
  step.act = [=] {
    const KeyPair ca{read_owned(place.paths().ca, place.cluster).value_or(""),
                     read_owned(place.ca_key(), place.cluster).value_or("")};
    const KeyPair made = issue_certificate(ca, plan, place.wall());
    write_owned(paths.key, made.key, 0600, place.cluster);
    write_owned(paths.certificate, made.certificate, 0644, place.cluster);
  };
  return step;
}

void check_pki(const PkiPlace& place, const std::string& directory, const NodePlan& plan) {
  const PkiPaths paths = in_directory(directory);
  CertFiles files = place.load(paths);
  files.ca = read_owned(place.paths().ca, place.cluster).value_or("");
  if (files.certificate.empty()) {
    if (files.ca.empty() || read_owned(place.ca_key(), place.cluster)) return;
    throw Error(Fault::Usage, quote(paths.certificate) + " is missing and cannot be made: " +
                                  place.ca_key() + " is not here; give --ca, --cert and --key");
  }
  const auto check = [&](CertUse use, const std::string& name) {
    try {
      check_certificate(files, use, name, place.wall());
    } catch (const Error& error) {
      const std::string mend =
          read_owned(place.ca_key(), place.cluster)
              ? "; move it and its key away to have new ones made"
              : "; " + escape(place.ca_key()) +
                    " is not here, so no other one can be made: say --name and --host as it has "
                    "them, or give --ca, --cert and --key";
      throw Error(error.fault(), error.text() + mend, error.code());
    }
  };
  check(CertUse::Client, plan.common_name);
  for (const std::string& name : plan.names) check(CertUse::Server, name);
}

}  // namespace xs
