// SPDX-License-Identifier: MIT
#include "tests/companion/replication/pair.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/io.h"
#include "tests/support/postgres.h"

namespace xs::test {

namespace fs = std::filesystem;

Pair::Pair(Profile profile, Node::Layout primary_layout, Node::Layout standby_layout)
    : primary(primary_layout), standby(standby_layout) {
  primary_setup.cluster = primary.choice();
  primary_setup.roots = primary.roots();
  primary_setup.name = "ss1";
  primary_setup.hosts = {"localhost", "127.0.0.1"};
  primary_setup.standbys = {{"ss2", {"localhost"}}};
  primary_setup.plan.profile = profile;
  primary_setup.plan.login = profile_row(profile).login;
  primary_setup.plan.listen = "127.0.0.1";
  primary_setup.pki = primary.dir() / "pki";
  primary_setup.again = "setup primary";
  if (primary_setup.plan.login == Login::Password) {
    primary_setup.password_file = primary.dir().write("password", "s3cret word\n");
  }
  standby_setup.cluster = standby.choice();
  standby_setup.roots = standby.roots();
  standby_setup.pki = standby.dir() / "pki";
  standby_setup.again = "setup standby";
  standby_setup.replace_data = true;  // initdb has made a database that is no copy
  standby_setup.stream_limit = std::chrono::seconds(60);
}

bool Pair::setup_primary() { return plan_primary(primary_setup, clock, wall()).run(say()); }

void Pair::load_bundle() { standby_setup.bundle = read_bundle(primary.dir() / "pki/bundles/ss2"); }

bool Pair::setup_standby() {
  load_bundle();
  return plan_standby(standby_setup, clock, wall()).run(say());
}

std::string Pair::dry_primary() {
  std::string text;
  plan_primary(primary_setup, clock, wall()).describe([&](std::string_view one) { text += one; });
  return text;
}

std::string Pair::dry_standby() {
  std::string text;
  plan_standby(standby_setup, clock, wall()).describe([&](std::string_view one) { text += one; });
  return text;
}

bool Pair::row_arrives(const std::string& row) {
  primary.sql("create table if not exists rows (word text); insert into rows values ('" + row +
              "')");
  return standby.says("select count(*) from rows where word = '" + row + "'", "1");
}

std::map<std::string, std::string> snapshot(const std::string& directory,
                                            const std::vector<std::string>& except) {
  std::map<std::string, std::string> found;
  for (auto it = fs::recursive_directory_iterator(directory);
       it != fs::recursive_directory_iterator(); ++it) {
    const std::string path = it->path().string();
    bool skip = false;
    for (const std::string& name : except) skip = skip || path.find(name) != std::string::npos;
    if (skip) {
      it.disable_recursion_pending();
      continue;
    }
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) continue;
    std::string about = std::to_string(st.st_mode) + " " + std::to_string(st.st_uid) + " " +
                        std::to_string(st.st_ino);
    if (S_ISREG(st.st_mode)) {
      about += " " + std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec) +
               "\n" + read_file(path, 64U << 20);
    }
    found[path] = about;
  }
  return found;
}

}  // namespace xs::test
