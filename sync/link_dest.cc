// SPDX-License-Identifier: MIT
#include "sync/link_dest.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "sync/attributes.h"
#include "sync/hash.h"
#include "sync/plan_compare.h"
#include "sync/transfer_policy.h"

namespace xs {
namespace {

// A file as the only entry of a manifest.
Entries as_entries(const Dir& dir, std::string_view name, const FileStat& st, const Entry& wanted,
                   const Options& options, Names& names) {
  Entries one;
  const bool owners = options.keep.has(Keep::Owner);
  const bool groups = options.keep.has(Keep::Group);
  one.users.push_back(owners ? names.user(st.uid) : Principal{});
  one.groups.push_back(groups ? names.group(st.gid) : Principal{});
  Entry& entry = one.list.emplace_back();
  entry.path = wanted.path;
  entry.size = st.size;
  entry.mode = st.permissions();
  entry.mtime_ns = st.mtime_ns;
  if (options.keep.has(Keep::Acls) || options.keep.has(Keep::Xattrs)) {
    entry.xattrs = read_xattrs(dir, name, options.keep);
  }
  // Hashed only for those that would be the same in everything else.
  if (wanted.digest || wanted.inlined) {
    entry.digest = digest_of_file(dir.open_file(name, O_RDONLY), dir.subject(name));
  }
  return one;
}

class Finder {
 public:
  Finder(const Entries& target, const Options& options, const TransferPolicy& policy)
      : target_(target),
        options_(options),
        policy_(policy),
        names_(options.scan.has(Scan::NumericIds)) {}

  bool is_same(const Dir& dir, std::string_view name, const Entry& wanted) {
    const auto st = dir.stat_if_exists(name);
    if (!st || !st->is_file() || st->size != wanted.size) return false;
    if (options_.keep.has(Keep::Times) && !policy_.same_time(st->mtime_ns, wanted.mtime_ns)) {
      return false;
    }
    const Entries candidate = as_entries(dir, name, *st, wanted, options_, names_);
    Entry with_digest = wanted;
    if (wanted.inlined && !wanted.digest) with_digest.digest = digest_of(wanted.content);
    Change change = Comparer(candidate, target_, options_, &policy_)
                        .differences(candidate.list[0], with_digest);
    if (options_.compare == Compare::Always) change.content = !with_digest.digest || change.content;
    return !(change.content || change.size || change.mode || change.owner || change.group ||
             change.acl || change.xattr);
  }

 private:
  const Entries& target_;
  const Options& options_;
  const TransferPolicy& policy_;
  Names names_;
};

bool stays_out(const Error& error) {
  switch (error.code()) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EACCES:
    case EXDEV:
    case EMLINK:
    case EPERM: return true;
    default: return false;
  }
}

}  // namespace

LinkDest::LinkDest(const std::vector<std::string>& dirs, const std::string& destination)
    : dirs_(dirs), destination_(destination) {
  if (dirs.size() > kMost) {
    throw Error(Fault::Usage, "--link-dest: at most " + std::to_string(kMost) +
                                  " directories are possible, " + std::to_string(dirs.size()) +
                                  " are named");
  }
}

std::vector<Dir> LinkDest::open() const {
  std::vector<Dir> open;
  for (const std::string& dir : dirs_) {
    try {
      open.push_back(Dir::open_root(dir.starts_with('/') ? dir : destination_ + "/" + dir));
    } catch (const Error& error) {
      if (error.code() != ENOENT) throw;
      spdlog::warn("--link-dest={}: is not there; nothing is linked to it", quote(dir));
    }
  }
  return open;
}

std::vector<LinkDest::Found> LinkDest::stage(Staging& staging, const Plan& plan,
                                             const Entries& target, const Options& options,
                                             const TransferPolicy& policy) const {
  std::vector<Found> found;
  if (dirs_.empty() || plan.contents.empty()) return found;
  const std::vector<Dir> dirs = open();
  Finder finder(target, options, policy);
  for (const StagedContent& content : plan.contents) {
    const Entry& wanted = target.list.at(content.entry);
    if (content.basis) continue;
    const SplitPath parts = split_path(wanted.path);
    for (const Dir& root : dirs) {
      try {
        const Dir dir = root.walk(parts.parent);
        if (!finder.is_same(dir, parts.name, wanted)) continue;
        found.push_back({wanted.path, staging.make_link(wanted.path, dir, parts.name)});
        break;
      } catch (const Error& error) {
        if (!stays_out(error)) throw;
      }
    }
  }
  return found;
}

}  // namespace xs
