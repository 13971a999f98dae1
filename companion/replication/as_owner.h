// SPDX-License-Identifier: MIT
// AsOwner: while it lives, this process has the file rights of another account, so that a link that
// lies in his directories leads root nowhere, and PostgreSQL's peer login knows us. Used by the
// verbs of `xroad-companion replication`, which have one thread: the effective user is the
// process's. Changes nothing for who is not root. One at a time; programs are started with a user
// of their own. What cannot be changed back ends the process.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/child.h"

namespace xs {

class AsOwner {
 public:
  // Throws Io when we may not become him.
  explicit AsOwner(const ChildUser& user);
  ~AsOwner();
  AsOwner(const AsOwner&) = delete;
  AsOwner& operator=(const AsOwner&) = delete;

 private:
  void give_back() noexcept;

  bool lent_ = false;
  std::vector<gid_t> groups_;
};

// Whom we really are, also while an AsOwner lives.
ChildUser user_of_process();
// Whom this account is, with its groups; nothing when there is none.
std::optional<ChildUser> find_user(const std::string& account);

}  // namespace xs
