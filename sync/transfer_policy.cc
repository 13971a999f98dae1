// SPDX-License-Identifier: MIT
#include "sync/transfer_policy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "sync/attributes.h"
#include "sync/plan_compare.h"

namespace xs {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t whole_seconds(std::int64_t ns) { return ns / kSecond - (ns % kSecond < 0 ? 1 : 0); }

IdMap one_map(std::string_view option, const std::vector<std::string>& specs,
              const IdMap::Resolve& resolve) {
  if (specs.empty()) return {};
  if (specs.size() > 1) {
    throw Error(Fault::Usage, std::string(option) + "=" + quote(specs[1]) +
                                  ": only one map is possible, and " + quote(specs[0]) +
                                  " is there already (--chown is one, too)");
  }
  return {option, specs[0], resolve};
}

// Names as a scan of this machine has them, so that the two compare.
template <class Look>
void map_table(const IdMap& map, std::vector<Principal>& table, Look look) {
  if (map.empty()) return;
  for (Principal& one : table) {
    if (const auto to = map.find(one)) one = look(*to);
  }
}

std::vector<std::uint32_t> our_groups() {
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (!groups.empty() && ::getgroups(count, groups.data()) != count) {
    throw_errno("getgroups", "our own groups");
  }
  groups.push_back(::getegid());
  return {groups.begin(), groups.end()};
}

}  // namespace

TransferPolicy::TransferPolicy(const TransferRules& rules, const Options& options,
                               std::uint32_t mask)
    : rules_(rules),
      numeric_(options.scan.has(Scan::NumericIds)),
      privileged_(::geteuid() == 0),
      own_groups_(our_groups()),
      users_(one_map("--usermap", rules.user_maps, local_uid)),
      groups_(one_map("--groupmap", rules.group_maps, local_gid)) {
  for (const std::string& spec : rules.modes) modes_.add(spec, mask);
}

std::uint32_t TransferPolicy::mode(const Entry& entry) const {
  if (modes_.empty() || entry.type == EntryType::Symlink) return entry.mode;
  return modes_.apply(entry.mode, entry.type == EntryType::Dir);
}

std::vector<Principal> TransferPolicy::users(std::vector<Principal> table) const {
  Names names(numeric_);
  map_table(users_, table, [&names](std::uint32_t id) { return names.user(id); });
  return table;
}

std::vector<Principal> TransferPolicy::groups(std::vector<Principal> table) const {
  Names names(numeric_);
  map_table(groups_, table, [&names](std::uint32_t id) { return names.group(id); });
  return table;
}

std::optional<std::uint32_t> TransferPolicy::user_number(const Principal& user) const {
  if (!privileged_) return std::nullopt;
  return numeric_ ? user.id : local_uid(user);
}

std::optional<std::uint32_t> TransferPolicy::group_number(const Principal& group) const {
  const auto number = numeric_ ? group.id : local_gid(group);
  const auto is_ours = [this](std::uint32_t one) {
    return std::find(own_groups_.begin(), own_groups_.end(), one) != own_groups_.end();
  };
  return number && (privileged_ || is_ours(*number)) ? number : std::nullopt;
}

bool TransferPolicy::leaves(const Entry& entry, const Entry& file, const Entry* ours) const {
  const bool is_dir = entry.type == EntryType::Dir;
  if (rules_.existing_only && ours == nullptr) return !entry.path.empty();
  if (rules_.ignore_existing && ours != nullptr && !(is_dir && ours->type == EntryType::Dir)) {
    return true;
  }
  if (rules_.safe_links && entry.type == EntryType::Symlink) {
    return is_unsafe_link(entry.path, entry.content);
  }
  if (!is_regular(entry.type)) return false;
  if (out_of_size(file.size)) return true;
  return rules_.update && ours != nullptr && is_regular(ours->type) &&
         is_up_to_date(ours->mtime_ns, file.mtime_ns);
}

bool TransferPolicy::out_of_size(std::uint64_t size) const {
  return (rules_.max_size && size > *rules_.max_size) ||
         (rules_.min_size && size < *rules_.min_size);
}

bool TransferPolicy::same_time(std::int64_t a_ns, std::int64_t b_ns) const {
  if (rules_.modify_window_ns <= 0) return a_ns == b_ns;
  // As rsync, which knows whole seconds here.
  const std::int64_t apart = whole_seconds(a_ns) - whole_seconds(b_ns);
  return (apart < 0 ? -apart : apart) <= rules_.modify_window_ns / kSecond;
}

// With a window also what may be as old.
bool TransferPolicy::is_up_to_date(std::int64_t ours_ns, std::int64_t theirs_ns) const {
  if (rules_.modify_window_ns <= 0) return ours_ns > theirs_ns;
  return whole_seconds(theirs_ns) - whole_seconds(ours_ns) < rules_.modify_window_ns / kSecond;
}

Options options_under(const TransferRules& rules, Options options) {
  if (!rules.user_maps.empty()) options.keep = options.keep | Flags<Keep>{Keep::Owner};
  if (!rules.group_maps.empty()) options.keep = options.keep | Flags<Keep>{Keep::Group};
  if (::geteuid() != 0) options.keep = options.keep.without({Keep::Owner});
  return options;
}

bool is_unsafe_link(std::string_view path, std::string_view target) {
  if (target.empty() || target.front() == '/') return true;
  long depth = 0;
  for (const char c : path) depth += c == '/' ? 1 : 0;
  if (target.ends_with("/..")) return true;
  bool only_up = true;
  while (!target.empty()) {
    const std::size_t slash = target.find('/');
    const std::string_view part = target.substr(0, slash);
    target = slash == std::string_view::npos ? std::string_view() : target.substr(slash + 1);
    if (part == "..") {
      if (!only_up || --depth < 0) return true;
      continue;
    }
    only_up = false;
    if (!part.empty() && part != ".") ++depth;
  }
  return false;
}

std::uint32_t current_umask() {
  const mode_t mask = ::umask(077);
  ::umask(mask);
  return mask;
}

}  // namespace xs
