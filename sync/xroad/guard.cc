// SPDX-License-Identifier: MIT
#include "sync/xroad/guard.h"

#include <algorithm>

#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kShown = 5;
constexpr std::string_view kPin = "signer/softtoken/.softtoken.p12";

bool is_at_or_below(std::string_view path, std::string_view top) {
  return path == top ||
         (path.size() > top.size() && path.substr(0, top.size()) == top && path[top.size()] == '/');
}

std::uint64_t count_files(const Entries& entries) {
  return static_cast<std::uint64_t>(
      std::count_if(entries.list.begin(), entries.list.end(),
                    [](const Entry& entry) { return entry.type != EntryType::Dir; }));
}

// Files, links and the like that this plan takes away. Names that only change their type come back.
std::vector<std::string_view> files_gone(const Plan& plan) {
  std::vector<std::string_view> gone;
  for (const Change& change : plan.changes) {
    if (change.deleted && change.type != EntryType::Dir) gone.push_back(change.path);
  }
  return gone;
}

std::string first_of(const std::vector<std::string_view>& paths) {
  std::string out;
  for (std::size_t i = 0; i < std::min(paths.size(), kShown); ++i) {
    out += (i == 0 ? "" : ", ") + quote(paths[i]);
  }
  if (paths.size() > kShown) out += " and " + std::to_string(paths.size() - kShown) + " more";
  return out;
}

[[noreturn]] void refuse(const std::string& why, const std::string& how) {
  throw Error(Fault::Refused, why + "; nothing was changed; " + how);
}

std::string once(const GuardRules& rules) {
  return "if that is really wanted, run it once with " + rules.allow;
}

bool too_many(std::uint64_t gone, std::uint64_t of, const GuardRules& rules) {
  // Divided, because a product could overflow.
  return gone > rules.count && of != 0 &&
         static_cast<long double>(gone) * 100 > static_cast<long double>(of) * rules.percent;
}

bool is_file_in(const Entries& entries, std::string_view path) {
  return std::any_of(entries.list.begin(), entries.list.end(), [path](const Entry& entry) {
    return entry.path == path && entry.type != EntryType::Dir;
  });
}

// By this plan: deleted, or a directory in its place.
bool loses(const Plan& plan, const Entries& local, std::string_view path) {
  return std::any_of(plan.changes.begin(), plan.changes.end(), [&](const Change& change) {
    const bool displaced = change.created && change.type == EntryType::Dir;
    return change.path == path && (change.deleted || displaced) && is_file_in(local, path);
  });
}

void check_precious(const Plan& plan, const Entries& local, const GuardRules& rules) {
  for (const std::string& path : rules.precious) {
    if (!loses(plan, local, path)) continue;
    refuse("the source has no " + quote(path) +
               " and we have one: is it the right host, and is its "
               "file system mounted?",
           once(rules));
  }
}

}  // namespace

void check_required(const std::vector<Problem>& problems, const GuardRules& rules) {
  for (const Problem& problem : problems) {
    for (const std::string& top : rules.required) {
      // An unreadable directory above one hides it, too.
      if (!is_at_or_below(problem.path, top) && !is_at_or_below(top, problem.path) &&
          !problem.path.empty()) {
        continue;
      }
      throw Error(Fault::Partial,
                  quote(problem.path) + ": " + problem.what + ": without it no state of " +
                      quote(top) + " is whole; nothing was changed; is it readable for the user " +
                      "of the sync, on both nodes?");
    }
  }
}

void check_deletions(const Plan& plan, const Entries& local, const Entries& target,
                     const GuardRules& rules) {
  const std::vector<std::string_view> gone = files_gone(plan);
  if (rules.max_delete && plan.deletes > *rules.max_delete) {
    refuse(std::to_string(plan.deletes) + " names would be deleted, and --max-delete allows " +
               std::to_string(*rules.max_delete) +
               (gone.empty() ? std::string() : ": " + first_of(gone)),
           "raise --max-delete if that is really wanted");
  }
  if (!rules.deletions) return;
  const std::uint64_t ours = count_files(local);
  if (count_files(target) == 0 && !gone.empty()) {
    refuse("the source has no file at all and we have " + std::to_string(ours) +
               ": is its file system mounted?",
           once(rules));
  }
  check_precious(plan, local, rules);
  if (!too_many(gone.size(), ours, rules)) return;
  refuse(std::to_string(gone.size()) + " of our " + std::to_string(ours) +
             " files are gone at the source (more than " + std::to_string(rules.percent) +
             " % and more than " + std::to_string(rules.count) + "): " + first_of(gone),
         once(rules));
}

void approve_plan(const Plan& plan, const Entries& local, const Entries& target,
                  const std::vector<Problem>& problems, const GuardRules& rules) {
  check_required(problems, rules);
  check_deletions(plan, local, target, rules);
}

std::string token_notice(const std::vector<Change>& changes) {
  const auto pin = std::find_if(changes.begin(), changes.end(),
                                [](const Change& change) { return change.path == kPin; });
  if (pin == changes.end()) return {};
  if (pin->deleted) {
    return "the software token is gone at the primary, and now here: its keys cannot be used until "
           "it is set up there again";
  }
  if (pin->created) {
    return "a software token has come from the primary: log in to it on THIS node with its PIN, or "
           "its keys stay unusable here";
  }
  if (!pin->content && !pin->size) return {};
  return "the PIN of the software token was changed at the primary: log in to the token on THIS "
         "node with the new PIN, or its keys become unusable here within minutes";
}

}  // namespace xs
