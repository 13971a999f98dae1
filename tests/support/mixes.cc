// SPDX-License-Identifier: MIT
#include "tests/support/mixes.h"

#include <sys/stat.h>

#include <set>
#include <utility>

#include "base/text.h"
#include "sync/sender.h"
#include "tests/support/catch.h"
#include "tests/support/converse.h"
#include "tests/support/rsync.h"

namespace xs::test {

Mix plain() {
  Mix mix;
  mix.options = {"-a"};
  PullRequest& request = mix.request;
  request.options.keep = {Keep::Permissions, Keep::Times,    Keep::Owner,  Keep::Group,
                          Keep::Symlinks,    Keep::Specials, Keep::Devices};
  request.options.scan = {Scan::Recursive};
  request.options.inline_limit = 4096;
  request.choose_compare = false;
  request.allow_empty = true;
  request.keep.count = 0;
  request.run_id = 1;
  request.remove = false;
  return mix;
}

std::string text_of(const Mix& mix) {
  std::string text;
  for (const std::string& option : mix.options) text += option + " ";
  return text;
}

void tame(std::mt19937_64& random, DiskTree& tree) {
  for (auto& [path, object] : tree) {
    object->mtime = (1'600'000'000 + static_cast<std::int64_t>(below(random, 4))) * kSecond;
    object->mode &= path.empty() ? 0777U : 01777U;
    if (path.empty()) object->uid = object->gid = 0, object->mode = 0755;
    if (S_ISDIR(object->type)) object->mode |= 0700;
    if (S_ISLNK(object->type) && chance(random, 2)) {
      static const std::vector<std::string> kTargets = {"../x", "a/../b", "../../x", "a/b",
                                                        "/etc", "x/..",   "./a",     ".."};
      object->content = one_of(random, kTargets);
    }
  }
}

PullResult pull(const TempTree& source, const std::string& destination, PullRequest request) {
  SenderConfig config;
  config.root = source.path();
  config.version = "test";
  request.destination = destination;
  request.root = source.path();
  SteadyClock clock;
  PullResult result;
  converse([&](Channel& channel) { result = Receiver(request, clock).run(channel); },
           [&](Channel& channel) { serve(channel, config, clock); });
  return result;
}

std::string rsync(const Mix& mix, const TempTree& source, const TempTree& destination) {
  return rsync(mix.options, source.path(), destination.path()).end;
}

void expect_same(const Picture& source, const Picture& before, const Picture& ours,
                 const Picture& theirs) {
  std::set<std::string> paths;
  for (const Picture* one : {&ours, &theirs}) {
    for (const auto& [path, seen] : *one) paths.insert(path);
  }
  for (const std::string& path : paths) {
    const auto mine = ours.find(path);
    const auto other = theirs.find(path);
    if (mine != ours.end() && other != theirs.end() &&
        mine->second.same_but_for_time(other->second)) {
      continue;
    }
    FAIL_CHECK("'" << escape(path) << "'\n  source " << describe(source, path) << "\n  before "
                   << describe(before, path) << "\n  ours   " << describe(ours, path)
                   << "\n  rsync  " << describe(theirs, path));
  }
}

void Twin::run(bool twice) {
  const Picture before = picture(ours);
  const std::string said = rsync(mix, source, theirs);
  INFO(text_of(mix) << "\n" << said);
  last = pull(source, ours.path(), mix.request);
  // Where a backup cannot be made rsync stops half-way through a directory; we decide before.
  const bool gave_up = said.find("name too long") != std::string::npos ||
                       said.find("could not make way") != std::string::npos;
  Picture mine = picture(ours);
  Picture other = picture(theirs);
  for (const std::string& path : not_compared) {
    mine.erase(path);
    other.erase(path);
  }
  if (!gave_up) expect_same(picture(source), before, mine, other);
  if (twice) CHECK_FALSE(pull(source, ours.path(), mix.request).changed);
}

}  // namespace xs::test
