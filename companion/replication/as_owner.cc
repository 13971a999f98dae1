// SPDX-License-Identifier: MIT
#include "companion/replication/as_owner.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"

namespace xs {

AsOwner::AsOwner(const ChildUser& user) {
  if (::geteuid() != 0 || user.uid == 0) return;
  const int count = ::getgroups(0, nullptr);
  if (count > 0) {
    groups_.resize(static_cast<std::size_t>(count));
    if (::getgroups(count, groups_.data()) < 0) throw_errno("getgroups", "our own");
  }
  if (::setgroups(user.groups.size(), user.groups.data()) != 0) throw_errno("setgroups", "his");
  lent_ = true;
  if (::setegid(user.gid) != 0 || ::seteuid(user.uid) != 0) {
    const int err = errno;
    give_back();
    throw_errno("seteuid", std::to_string(user.uid), err);
  }
}

AsOwner::~AsOwner() { give_back(); }

void AsOwner::give_back() noexcept {
  if (!lent_) return;
  lent_ = false;
  // Whoever cannot be himself again must not go on.
  if (::seteuid(0) != 0 || ::setegid(0) != 0 || ::setgroups(groups_.size(), groups_.data()) != 0) {
    std::abort();
  }
}

ChildUser user_of_process() {
  // Real user and group stay as they are; root needs no groups.
  return {::getuid(), ::getgid(), {}};
}

std::optional<ChildUser> find_user(const std::string& account) {
  const passwd* entry = ::getpwnam(account.c_str());
  if (entry == nullptr) return std::nullopt;
  ChildUser user{entry->pw_uid, entry->pw_gid, {}};
  int count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(account.c_str(), user.gid, user.groups.data(), &count) < 0) count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

}  // namespace xs
