// SPDX-License-Identifier: MIT
#include "companion/doctor/accounts.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/child.h"
#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kFileLimit = 4U << 20;
constexpr const char* kGetent = "/usr/bin/getent";

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

// The line of a name or a number in the format of passwd(5) and group(5).
std::optional<std::vector<std::string>> find_line(std::string_view text, const std::string& key) {
  for (const std::string& line : split(text, '\n')) {
    std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 4 || fields[0].starts_with('#')) continue;
    if (fields[0] == key || fields[2] == key) return fields;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<std::string>> Accounts::look_up(const std::string& database,
                                                          const std::string& key) {
  const auto known = known_.find(database + ":" + key);
  if (known != known_.end()) return known->second;
  if (!trouble_.empty()) throw Error(Fault::Action, trouble_);
  return known_[database + ":" + key] = ask(database, key);
}

std::optional<std::vector<std::string>> Accounts::ask(const std::string& database,
                                                      const std::string& key) {
  if (!root_.empty()) return find_line(read_file(root_ + "/etc/" + database, kFileLimit), key);
  ChildRequest request;
  request.argv = {kGetent, database, key};
  request.environment = plain_environment();
  request.limit = std::chrono::seconds(5);
  const ChildResult result = run_child(request, clock_);
  if (result.ok()) return find_line(result.output, key);
  constexpr int kNoSuchKey = 2;
  if (!result.timed_out && WIFEXITED(result.status) && WEXITSTATUS(result.status) == kNoSuchKey) {
    return std::nullopt;
  }
  trouble_ = "getent " + database + " " + key + " " + result.words();
  throw Error(Fault::Action, trouble_);
}

std::optional<UserEntry> Accounts::user(const std::string& name_or_id) {
  const auto fields = look_up("passwd", name_or_id);
  if (!fields || fields->size() < 7) return std::nullopt;
  return UserEntry{fields->at(0), fields->at(2), fields->at(3), fields->at(5), fields->at(6)};
}

std::optional<GroupEntry> Accounts::group(const std::string& name_or_id) {
  const auto fields = look_up("group", name_or_id);
  if (!fields) return std::nullopt;
  GroupEntry entry{fields->at(0), fields->at(2), {}};
  for (std::string& member : split(fields->at(3), ',')) {
    if (!member.empty()) entry.members.push_back(std::move(member));
  }
  return entry;
}

std::string Accounts::user_name(uid_t uid) {
  const std::string number = std::to_string(uid);
  const auto entry = user(number);
  return entry ? entry->name : number;
}

std::string Accounts::group_name(gid_t gid) {
  const std::string number = std::to_string(gid);
  const auto entry = group(number);
  return entry ? entry->name : number;
}

std::string FileFacts::text() const {
  std::array<char, 16> octal{};
  std::snprintf(octal.data(), octal.size(), "%03o", mode);
  return escape(owner + ":" + group) + ", mode " + octal.data();
}

std::optional<FileFacts> file_facts(const std::string& path, Accounts& accounts) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("stat", path);
  }
  return FileFacts{accounts.user_name(st.st_uid), accounts.group_name(st.st_gid),
                   st.st_mode & 07777U};
}

}  // namespace xs
