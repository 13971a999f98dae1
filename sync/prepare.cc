// SPDX-License-Identifier: MIT
#include "sync/prepare.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <set>

#include "base/text.h"
#include "sync/attributes.h"
#include "sync/transfer_policy.h"

namespace xs {
namespace {

std::uint32_t type_bits(EntryType type) {
  switch (type) {
    case EntryType::Fifo: return S_IFIFO;
    case EntryType::Socket: return S_IFSOCK;
    case EntryType::CharDevice: return S_IFCHR;
    case EntryType::BlockDevice: return S_IFBLK;
    default: throw Error(Fault::Protocol, "an entry that is no device is to be made as one");
  }
}

class Preparer {
 public:
  Preparer(Staging& staging, const Entries& target, const StagedFiles& files,
           FinalAttributes& attributes)
      : staging_(staging), target_(target), files_(files), attributes_(attributes) {}

  void add(const Action& action) {
    Staged staged = stage(action);
    const std::string* nest = staging_.nest_of(split_path(action.path).parent);
    const bool inside = nest != nullptr && whole_.count(*nest) != 0 &&
                        staged.path == join_path(*nest, split_path(action.path).name);
    if (inside && action.kind == ActionKind::InstallIndex) {
      staged = staging_.take_out(action.path, staged);
    }
    if (action.kind == ActionKind::MakeDir) whole_.insert(staged.path);
    if (!staged.path.empty()) placed_[action.path] = staged.path;
    if (inside && action.kind != ActionKind::InstallIndex) {
      made_.inside.push_back(action.path);
      return;
    }
    Step step;
    step.kind = action.kind;
    step.path = action.path;
    step.staged = std::move(staged.path);
    step.staged_inode = staged.inode;
    if (action.kind == ActionKind::DirAttributes) step.attributes = attributes_.of(entry(action));
    made_.steps.push_back(std::move(step));
  }

  Prepared take() {
    staging_.close_nests(whole_);
    return std::move(made_);
  }

 private:
  const Entry& entry(const Action& action) const { return target_.list.at(action.entry); }

  Staged stage(const Action& action) {
    switch (action.kind) {
      case ActionKind::MakeDir: return staging_.make_dir(action.path);
      case ActionKind::Install:
      case ActionKind::Link:
      case ActionKind::Symlink:
      case ActionKind::Special:
      case ActionKind::InstallIndex: return stage_entry(action);
      default: return {};
    }
  }

  Staged stage_entry(const Action& action) {
    const Entry& one = entry(action);
    if (one.type == EntryType::Hardlink) {
      const auto placed = placed_.find(one.content);
      return staging_.make_link(one.path, placed == placed_.end() ? one.content : placed->second);
    }
    if (one.type == EntryType::Symlink) {
      return staging_.make_symlink(one.path, one.content, attributes_.of(one));
    }
    if (one.type == EntryType::File) return file(action);
    Attributes final = attributes_.of(one);
    return staging_.make_special(one.path, type_bits(one.type) | 0600U, one.size, final);
  }

  Staged file(const Action& action) const {
    const auto found = files_.find(action.entry);
    if (found != files_.end()) return found->second;
    throw Error(Fault::Io, quote(action.path) + " has not been staged; nothing was touched");
  }

  Staging& staging_;
  const Entries& target_;
  const StagedFiles& files_;
  FinalAttributes& attributes_;
  std::map<std::string, std::string> placed_;  // what will stand at a path, where it is now
  std::set<std::string> whole_;                // staged directories that are new ones of the plan
  Prepared made_;
};

}  // namespace

FinalAttributes::FinalAttributes(Disk& disk, const Entries& target, const Options& options,
                                 std::uint32_t mask, const TransferPolicy* policy)
    : disk_(disk),
      target_(target),
      options_(options),
      mask_(mask),
      policy_(policy),
      privileged_(::geteuid() == 0),
      labels_(disk.label("").has_value()) {}

std::optional<std::uint32_t> FinalAttributes::uid(std::uint32_t index) {
  const auto [at, is_new] = uids_.try_emplace(index);
  if (is_new) {
    const Principal user = policy_ != nullptr ? policy_->users({target_.users.at(index)}).front()
                                              : target_.users.at(index);
    at->second = options_.scan.has(Scan::NumericIds) ? user.id : local_uid(user);
    if (!at->second) {
      spdlog::warn("user {} is unknown here; its files keep theirs, and new ones are ours",
                   quote(user.name));
    }
  }
  return at->second;
}

std::optional<std::uint32_t> FinalAttributes::gid(std::uint32_t index) {
  const auto [at, is_new] = gids_.try_emplace(index);
  if (is_new) {
    const Principal group = policy_ != nullptr ? policy_->groups({target_.groups.at(index)}).front()
                                               : target_.groups.at(index);
    at->second = options_.scan.has(Scan::NumericIds) ? group.id : local_gid(group);
    const bool known = at->second.has_value();
    if (known && !may_give_group(*at->second)) at->second.reset();
    if (!at->second) {
      spdlog::warn("group {} is {} here; its files keep theirs, and new ones have ours",
                   group.name.empty() ? std::to_string(group.id) : quote(group.name),
                   known ? "none of ours" : "unknown");
    }
  }
  return at->second;
}

bool FinalAttributes::may_give_group(std::uint32_t number) const {
  return privileged_ || policy_ == nullptr || policy_->group_number({{}, number}).has_value();
}

Attributes FinalAttributes::of(const Entry& entry) {
  Attributes final;
  const bool modes = options_.keep.has(Keep::Permissions);
  if (privileged_ && options_.keep.has(Keep::Owner)) final.uid = uid(entry.owner);
  if (options_.keep.has(Keep::Group)) final.gid = gid(entry.group);
  const bool whose = (final.uid || !privileged_) && final.gid;
  std::optional<FileStat> now;
  if (!modes || !whose || labels_) now = disk_.stat(entry.path);
  const bool same_type = now && now->type() == entry.type;
  const std::uint32_t wanted = policy_ != nullptr ? policy_->mode(entry) : entry.mode;
  final.mode = modes ? wanted : same_type ? std::uint32_t{now->permissions()} : wanted & ~mask_;
  if (now && privileged_ && !final.uid) final.uid = now->uid;
  if (now && !final.gid && may_give_group(now->gid)) final.gid = now->gid;
  if (entry.type != EntryType::Dir || options_.keep.has(Keep::Times)) {
    final.mtime_ns = entry.mtime_ns;
  }
  if (labels_ && same_type) final.label = disk_.label(entry.path);
  if (options_.keep.has(Keep::Xattrs)) final.keep = final.keep | Flags<Keep>{Keep::Xattrs};
  if (options_.keep.has(Keep::Acls)) final.keep = final.keep | Flags<Keep>{Keep::Acls};
  if (final.keep.bits() != 0) final.xattrs = entry.xattrs;
  return final;
}

Prepared prepare(Staging& staging, const Plan& plan, const Entries& target,
                 const StagedFiles& files, FinalAttributes& attributes) {
  Preparer preparer(staging, target, files, attributes);
  for (const Action& action : plan.actions) preparer.add(action);
  return preparer.take();
}

}  // namespace xs
