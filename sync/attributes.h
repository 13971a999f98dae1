// SPDX-License-Identifier: MIT
// Attributes: owners by name, and extended attributes (POSIX ACLs among them, as the kernel keeps
// them). Called by scan (reading) and by staging and commit (writing). Extended attributes of an
// entry are reached through Dir::proc_path(), so no link is followed and no file is opened; /proc
// must be there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "sync/dir.h"

namespace xs {

// The account names of one run; every number and every name is looked up once. A number without a
// name stays a number. A look-up that fails is an Error of class Io: an unknown name never becomes
// somebody else's number.
class Names {
 public:
  explicit Names(bool numeric) : numeric_(numeric) {}
  const Principal& user(std::uint32_t uid);
  const Principal& group(std::uint32_t gid);

 private:
  bool numeric_;
  std::map<std::uint32_t, Principal> users_;
  std::map<std::uint32_t, Principal> groups_;
};

// The number that this machine gives to a principal: by name, or its number where it has no name.
// Nothing when the name is unknown here.
std::optional<std::uint32_t> local_uid(const Principal& user);
std::optional<std::uint32_t> local_gid(const Principal& group);

inline constexpr std::string_view kAclAccess = "system.posix_acl_access";
inline constexpr std::string_view kAclDefault = "system.posix_acl_default";

bool is_acl(std::string_view attribute);
// Whether a run with these options manages the attribute. Without privilege only user.* can be
// written, so only that is managed; the security label is the machine's own and never travels.
bool manages(Flags<Keep> keep, std::string_view attribute, bool privileged);

// What `keep` manages of the entry, sorted by name. A file system without attributes has none. More
// or larger ones than the protocol carries are an Error of class Io.
std::vector<Xattr> read_xattrs(const Dir& dir, std::string_view name_or_self, Flags<Keep> keep);

std::vector<std::string> list_xattrs(const Dir& dir, std::string_view name_or_self);
std::optional<std::string> get_xattr(const Dir& dir, std::string_view name_or_self,
                                     const std::string& attribute);
void set_xattr(const Dir& dir, std::string_view name_or_self, const std::string& attribute,
               std::string_view value);
// It is no error when the attribute is absent already.
void remove_xattr(const Dir& dir, std::string_view name_or_self, const std::string& attribute);

}  // namespace xs
