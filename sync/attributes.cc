// SPDX-License-Identifier: MIT
#include "sync/attributes.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <spdlog/spdlog.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kRecordLimit = std::size_t{1} << 20;  // of one passwd or group record

bool is_failure(int err) { return err == EIO || err == EMFILE || err == ENFILE || err == ENOMEM; }

// Runs a get*_r function with a buffer that grows; what `read` makes of the record, nothing when
// there is none.
template <class Record, class Call, class Read>
auto look_up(std::string_view what, Call call, Read read)
    -> std::optional<decltype(read(Record{}))> {
  std::string buffer(4096, '\0');
  for (;;) {
    Record record{};
    Record* found = nullptr;
    const int err = call(&record, buffer.data(), buffer.size(), &found);
    if (err == EINTR) continue;
    if (err == ERANGE && buffer.size() < kRecordLimit) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (found != nullptr) return read(*found);
    // A name that we failed to look up is not an unknown one: its files would get another owner.
    if (is_failure(err)) throw_errno("look up", what, err);
    // ENOENT, ESRCH, EBADF and EPERM are all ways to say "not found" (getpwnam(3)).
    if (err != 0) spdlog::debug("look-up of {}: {}", escape(what), errno_text(err));
    return std::nullopt;
  }
}

// The C library asks the next source when the first cannot be read, and then says "not found".
// Files would go to another owner, so we look whether the database can be read, and ask again.
template <class Look>
auto look_up_twice(const std::string& database, Look look) -> decltype(look()) {
  if (const auto found = look()) return found;
  open_if_exists(database, O_RDONLY);
  return look();
}

std::string name_or_nothing(const std::optional<std::string>& name) {
  return name && name->size() <= limits::kName ? *name : std::string();
}

bool unsupported(int err) { return err == ENOTSUP || err == EOPNOTSUPP || err == ENOSYS; }

// What call(nullptr, 0) sizes and call(buffer, size) fills; nothing on failure, with errno set. An
// attribute may grow in between, hence the loop.
template <class Call>
std::optional<std::string> sized(Call call) {
  for (;;) {
    const ssize_t size = call(nullptr, 0);
    if (size < 0) return std::nullopt;
    std::string value(static_cast<std::size_t>(size), '\0');
    if (size == 0) return value;
    const ssize_t got = call(value.data(), value.size());
    if (got < 0 && errno == ERANGE) continue;
    if (got < 0) return std::nullopt;
    value.resize(static_cast<std::size_t>(got));
    return value;
  }
}

}  // namespace

const Principal& Names::user(std::uint32_t uid) {
  const auto known = users_.find(uid);
  if (known != users_.end()) return known->second;
  Principal user{{}, uid};
  if (!numeric_) {
    user.name = name_or_nothing(look_up_twice("/etc/passwd", [uid] {
      return look_up<passwd>(
          "a user number", [uid](auto... rest) { return ::getpwuid_r(uid, rest...); },
          [](const passwd& record) { return std::string(record.pw_name); });
    }));
  }
  return users_.emplace(uid, std::move(user)).first->second;
}

const Principal& Names::group(std::uint32_t gid) {
  const auto known = groups_.find(gid);
  if (known != groups_.end()) return known->second;
  Principal group{{}, gid};
  if (!numeric_) {
    group.name = name_or_nothing(look_up_twice("/etc/group", [gid] {
      return look_up<struct group>(
          "a group number", [gid](auto... rest) { return ::getgrgid_r(gid, rest...); },
          [](const struct group& record) { return std::string(record.gr_name); });
    }));
  }
  return groups_.emplace(gid, std::move(group)).first->second;
}

std::optional<std::uint32_t> local_uid(const Principal& user) {
  if (user.name.empty()) return user.id;
  return look_up_twice("/etc/passwd", [&] {
    return look_up<passwd>(
        user.name, [&](auto... rest) { return ::getpwnam_r(user.name.c_str(), rest...); },
        [](const passwd& record) -> std::uint32_t { return record.pw_uid; });
  });
}

std::optional<std::uint32_t> local_gid(const Principal& group) {
  if (group.name.empty()) return group.id;
  return look_up_twice("/etc/group", [&] {
    return look_up<struct group>(
        group.name, [&](auto... rest) { return ::getgrnam_r(group.name.c_str(), rest...); },
        [](const struct group& record) -> std::uint32_t { return record.gr_gid; });
  });
}

bool is_acl(std::string_view attribute) {
  return attribute == kAclAccess || attribute == kAclDefault;
}

bool manages(Flags<Keep> keep, std::string_view attribute, bool privileged) {
  if (is_acl(attribute)) return keep.has(Keep::Acls);
  if (!keep.has(Keep::Xattrs) || attribute == "security.selinux") return false;
  const auto begins = [&](std::string_view prefix) {
    return attribute.substr(0, prefix.size()) == prefix;
  };
  return privileged ? !begins("system.") : begins("user.");
}

std::vector<Xattr> read_xattrs(const Dir& dir, std::string_view name, Flags<Keep> keep) {
  std::vector<Xattr> kept;
  const bool privileged = ::geteuid() == 0;
  for (std::string& attribute : list_xattrs(dir, name)) {
    if (!manages(keep, attribute, privileged)) continue;
    auto value = get_xattr(dir, name, attribute);
    if (!value) continue;
    if (value->size() > limits::kXattrValue || kept.size() == limits::kXattrs) {
      throw Error(
          Fault::Io,
          "getxattr " + quote(dir.subject(name)) + ": more or larger attributes than travel",
          E2BIG);
    }
    kept.push_back({std::move(attribute), std::move(*value)});
  }
  std::sort(kept.begin(), kept.end(),
            [](const Xattr& a, const Xattr& b) { return a.name < b.name; });
  return kept;
}

std::vector<std::string> list_xattrs(const Dir& dir, std::string_view name) {
  const std::string path = dir.proc_path(name);
  const auto block =
      sized([&](char* into, std::size_t size) { return ::llistxattr(path.c_str(), into, size); });
  if (!block && unsupported(errno)) return {};
  if (!block) throw_errno("listxattr", dir.subject(name));
  std::vector<std::string> names;
  for (std::size_t at = 0; at < block->size(); at += names.back().size() + 1) {
    names.emplace_back(block->c_str() + at);
  }
  return names;
}

std::optional<std::string> get_xattr(const Dir& dir, std::string_view name,
                                     const std::string& attribute) {
  const std::string path = dir.proc_path(name);
  auto value = sized([&](char* into, std::size_t size) {
    return ::lgetxattr(path.c_str(), attribute.c_str(), into, size);
  });
  if (!value && errno != ENODATA && !unsupported(errno)) {
    throw_errno("getxattr " + attribute + " of", dir.subject(name));
  }
  return value;
}

void set_xattr(const Dir& dir, std::string_view name, const std::string& attribute,
               std::string_view value) {
  const std::string path = dir.proc_path(name);
  if (::lsetxattr(path.c_str(), attribute.c_str(), value.data(), value.size(), 0) != 0) {
    throw_errno("setxattr " + escape(attribute) + " of", dir.subject(name));
  }
}

void remove_xattr(const Dir& dir, std::string_view name, const std::string& attribute) {
  const std::string path = dir.proc_path(name);
  if (::lremovexattr(path.c_str(), attribute.c_str()) == 0 || errno == ENODATA) return;
  throw_errno("removexattr " + escape(attribute) + " of", dir.subject(name));
}

}  // namespace xs
