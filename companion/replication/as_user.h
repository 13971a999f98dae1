// SPDX-License-Identifier: MIT
// AsUser: for the time of a connect over a local socket, this process is the account that
// PostgreSQL's peer authentication asks for. Used by the verbs of `xroad-companion replication`,
// which have one thread: the effective user is the process's. Where we are not root, or where there
// is no such account, nothing changes. What cannot be changed back ends the process.
#pragma once

#include <sys/types.h>

#include <string>

namespace xs {

class AsUser {
 public:
  // Empty: nobody else. Throws Io when the account is there and we may not become it.
  explicit AsUser(const std::string& account);
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  bool changed_ = false;
  gid_t group_ = 0;  // before
};

}  // namespace xs
