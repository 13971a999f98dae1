// SPDX-License-Identifier: MIT
// Accounts: users and groups of this node, through getent(1), so that a directory service that does
// not answer costs a few seconds and not the run; or those of a system below another root, from its
// files. Called by the doctor. Throws Action when nobody can be asked; absence is no error.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace xs {

struct UserEntry {
  std::string name;
  std::string uid, gid;
  std::string home, shell;
};
struct GroupEntry {
  std::string name;
  std::string gid;
  std::vector<std::string> members;  // without those whose first group it is
};

class Accounts {
 public:
  // `root`: empty for this system, or where another one is mounted.
  Accounts(std::string root, Clock& clock) : root_(std::move(root)), clock_(clock) {}

  std::optional<UserEntry> user(const std::string& name_or_id);
  std::optional<GroupEntry> group(const std::string& name_or_id);

  // The name, or the number where there is none.
  std::string user_name(uid_t uid);
  std::string group_name(gid_t gid);

 private:
  std::optional<std::vector<std::string>> look_up(const std::string& database,
                                                  const std::string& key);
  std::optional<std::vector<std::string>> ask(const std::string& database, const std::string& key);
  std::string root_;
  Clock& clock_;
  std::map<std::string, std::optional<std::vector<std::string>>> known_;
  std::string trouble_;  // asked in vain once is enough
};

// Who owns a path and who may use it. Follows symbolic links. Nothing when it is not there; throws
// Io when it cannot be looked at.
struct FileFacts {
  std::string owner, group;
  unsigned mode = 0;         // permission bits
  std::string text() const;  // "xroad:xroad, mode 640"
};
std::optional<FileFacts> file_facts(const std::string& path, Accounts& accounts);

}  // namespace xs
