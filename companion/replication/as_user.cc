// SPDX-License-Identifier: MIT
#include "companion/replication/as_user.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"

namespace xs {

AsUser::AsUser(const std::string& account) {
  if (account.empty() || ::geteuid() != 0) return;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> words{};
  if (::getpwnam_r(account.c_str(), &entry, words.data(), words.size(), &found) != 0 ||
      found == nullptr || found->pw_uid == 0) {
    return;
  }
  group_ = ::getegid();
  if (::setegid(found->pw_gid) != 0) throw_errno("become the group of", account);
  if (::seteuid(found->pw_uid) != 0) {
    const int why = errno;
    if (::setegid(group_) != 0) std::abort();
    throw_errno("become", account, why);
  }
  changed_ = true;
}

AsUser::~AsUser() {
  if (!changed_) return;
  if (::seteuid(0) != 0 || ::setegid(group_) != 0) std::abort();
}

}  // namespace xs
