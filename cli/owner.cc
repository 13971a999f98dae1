// SPDX-License-Identifier: MIT
#include "cli/owner.h"

#include <grp.h>
#include <pwd.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "cli/settings.h"

namespace xs::cli {
namespace {

constexpr Verbs kInTheDestination = bit(Verb::Pull) | bit(Verb::Diff) | bit(Verb::Verify) |
                                    bit(Verb::Generations) | bit(Verb::Rollback) |
                                    bit(Verb::Doctor);

struct Account {
  std::string name, home;
  uid_t uid;
  gid_t gid;
};

Account account_of(uid_t uid, const std::string& destination) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int err = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return {found->pw_name, found->pw_dir, found->pw_uid, found->pw_gid};
  throw Error(Fault::Selection,
              quote(destination) + " belongs to user " + std::to_string(uid) +
                  ", who has no account here" + (err != 0 ? " (" + errno_text(err) + ")" : "") +
                  "; root works in it only as its owner: give it to an account, or to root");
}

// Real, effective and saved, and no way back.
bool is_now(const Account& account) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  if (::getresuid(&users[0], &users[1], &users[2]) != 0) return false;
  if (::getresgid(&groups[0], &groups[1], &groups[2]) != 0) return false;
  for (const uid_t user : users)
    if (user != account.uid) return false;
  for (const gid_t group : groups)
    if (group != account.gid) return false;
  return ::seteuid(0) != 0;
}

void become(const Account& account) {
  const bool done = ::initgroups(account.name.c_str(), account.gid) == 0 &&
                    ::setresgid(account.gid, account.gid, account.gid) == 0 &&
                    ::setresuid(account.uid, account.uid, account.uid) == 0;
  if (!done) throw_errno("become user", account.name);
  if (!is_now(account)) {
    throw Error(Fault::Io, "root's rights cannot be laid down for user " + quote(account.name) +
                               "; run as that user: sudo -u " + escape(account.name) +
                               " xroad-sync");
  }
  // For ssh behind -e, hooks and commands.
  ::setenv("HOME", account.home.c_str(), 1);
  ::setenv("USER", account.name.c_str(), 1);
  ::setenv("LOGNAME", account.name.c_str(), 1);
}

}  // namespace

void become_owner(const Config& config) {
  if ((bit(config.verb) & kInTheDestination) == 0 || ::geteuid() != 0) return;
  struct stat st {};
  if (::stat(config.destination.c_str(), &st) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return;  // it will be made, or refused
    throw_errno("stat", config.destination);
  }
  if (st.st_uid == 0) return;
  const Account account = account_of(st.st_uid, config.destination);
  become(account);
  spdlog::info("runs as {}, the owner of {}", quote(account.name), quote(config.destination));
}

}  // namespace xs::cli
