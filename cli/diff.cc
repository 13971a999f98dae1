// SPDX-License-Identifier: MIT
// `xroad-sync diff`: what a pull would change, text files as a unified diff, secrets masked.
// `xroad-sync verify`: whether both sides hold the same, by contents. Neither changes anything but
// the lock; where a commit is unfinished both say so and end with Io.
#include <cstdio>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "sync/hash.h"
#include "sync/report/itemize.h"
#include "sync/report/mask.h"
#include "sync/xroad/keyconf.h"

namespace xs::cli {
namespace {

constexpr std::size_t kShown = std::size_t{1} << 20;  // of a file; larger ones are told to differ

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

std::string read_up_to(Disk& disk, const std::string& path) {
  const auto reader = disk.open(path);
  std::string bytes;
  std::array<char, 65536> piece;
  while (const std::size_t got = reader->read(piece)) {
    bytes.append(piece.data(), got);
    if (bytes.size() > kShown) break;
  }
  return bytes;
}

// The staged file for each path of the plan.
std::map<std::string, std::string> staged_paths(const Preview& preview) {
  std::map<std::string, std::string> paths;
  for (const auto& [entry, staged] : preview.files) {
    paths[preview.target.list.at(entry).path] = staged.path;
  }
  return paths;
}

bool is_file_now(const Preview& preview, const std::string& path) {
  const auto st = preview.disk.stat(path);
  return st && st->is_file();
}

std::string contents_diff(const Preview& preview, const Change& change, const std::string* staged) {
  const bool existed = is_file_now(preview, change.path);
  const std::string before = existed ? read_up_to(preview.disk, change.path) : "";
  const std::string after = staged != nullptr ? read_up_to(preview.disk, *staged) : "";
  return masked_diff(change.path, before, existed, after, staged != nullptr);
}

void show(const Preview& preview, const ItemStyle& style) {
  const auto staged = staged_paths(preview);
  const ItemFormat format(ItemFormat::kItemized, style);
  for (const ChangeDetail& detail :
       details_of(preview.plan.changes, preview.local, preview.target)) {
    print(format.line(detail, {}) + "\n");
    const Change& change = detail.change;
    const auto found = staged.find(change.path);
    const bool goes = change.deleted && change.type == EntryType::File;
    if (found == staged.end() && !goes) continue;
    if (found != staged.end() && !change.content && !change.created) continue;
    print(contents_diff(preview, change, found == staged.end() ? nullptr : &found->second));
  }
}

int changed_code(const Config& config, bool changed) {
  return changed && config.output.detailed_exitcode ? 100 : 0;
}

void check_problems(const PullResult& result) {
  if (result.problems.empty()) return;
  throw Error(Fault::Partial, quote(result.problems.front().path) +
                                  " cannot be compared: " + result.problems.front().what);
}

}  // namespace

int run_diff(const Config& config, Clock& clock) {
  const Interrupt interrupt;
  Session session(config, clock);
  session.request().preview = true;
  const ItemStyle style{false, config.options.keep.has(Keep::Times)};
  session.request().examine = [&](const Preview& preview) { show(preview, style); };
  const Outcome outcome = session.run();
  if (!outcome.result.changed) print("no difference\n");
  check_problems(outcome.result);
  return changed_code(config, outcome.result.changed);
}

int run_verify(const Config& config, Clock& clock) {
  const Interrupt interrupt;
  Session session(config, clock);
  PullRequest& request = session.request();
  request.preview = true;
  request.choose_compare = false;
  request.options.compare = Compare::Content;
  const Outcome outcome = session.run();
  for (const ChangeDetail& detail : outcome.details) {
    print(ItemFormat(ItemFormat::kItemized).line(detail, {}) + "\n");
  }
  check_problems(outcome.result);
  if (!outcome.details.empty()) {
    throw Error(Fault::Mismatch, std::to_string(outcome.details.size()) +
                                     " paths differ from the primary's; xroad-sync would make them "
                                     "equal, xroad-sync diff shows how they differ");
  }
  std::printf("verified: %llu entries, %llu bytes, generation %s at both sides\n",
              static_cast<unsigned long long>(outcome.result.entries),
              static_cast<unsigned long long>(outcome.result.total_size),
              to_hex(outcome.result.generation).c_str());
  return 0;
}

}  // namespace xs::cli
