// SPDX-License-Identifier: MIT
// The rules of a transfer against the real rsync: random trees, random mixes of the options that
// decide what is taken over and how. Both must come to the same tree: types, modes, owners,
// targets, bytes. A second run of ours must change nothing. XS_ROUNDS sets the number of mixes,
// XS_SEED the first seed.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <set>

#include "base/text.h"
#include "sync/files_from.h"
#include "sync/id_map.h"
#include "sync/receiver.h"
#include "sync/sender.h"
#include "tests/support/catch.h"
#include "tests/support/converse.h"
#include "tests/support/disk_trees.h"
#include "tests/support/program.h"

using namespace xs;
using test::chance;
using test::DiskTree;
using test::Picture;
using test::TempTree;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct Mix {
  std::vector<std::string> options;  // rsync's
  PullRequest request;               // ours
};

using Random = std::mt19937_64;
template <class T>
const T& one_of(Random& random, const std::vector<T>& list) {
  return list[test::below(random, list.size())];
}

Mix plain() {
  Mix mix;
  mix.options = {"rsync", "-a"};
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

void which(Random& random, Mix& mix) {
  TransferRules& rules = mix.request.transfer;
  const auto flag = [&](bool& field, const char* option) {
    if (!chance(random, 4)) return;
    field = true;
    mix.options.emplace_back(option);
  };
  flag(rules.existing_only, "--existing");
  flag(rules.ignore_existing, "--ignore-existing");
  flag(rules.update, "-u");
  flag(rules.safe_links, "--safe-links");
  flag(rules.force, "--force");
  flag(mix.request.remove, "--delete");
  if (chance(random, 4)) {
    rules.max_size = test::below(random, 40);
    mix.options.push_back("--max-size=" + std::to_string(*rules.max_size) + "b");
  }
  if (chance(random, 4)) {
    rules.min_size = test::below(random, 20);
    mix.options.push_back("--min-size=" + std::to_string(*rules.min_size) + "b");
  }
  if (chance(random, 4)) {
    rules.modify_window_ns = kSecond;
    mix.options.emplace_back("--modify-window=1");
  }
  if (chance(random, 4)) {
    mix.request.options.scan = mix.request.options.scan | Flags<Scan>{Scan::PruneEmptyDirs};
    mix.options.emplace_back("-m");
  }
}

void how(Random& random, Mix& mix) {
  TransferRules& rules = mix.request.transfer;
  static const std::vector<std::string> kModes = {
      "D755,F644", "u+X",  "go=", "a+rX,u+w", "Fg=u", "o=g",       "+x",
      "=rw",       "Dg+w", "700", "g=r,o-r",  "F-x",  "Du+rwx,o=", "a-w,+t"};
  while (chance(random, 3)) {
    rules.modes.push_back(one_of(random, kModes));
    mix.options.push_back("--chmod=" + rules.modes.back());
  }
  static const std::vector<std::string> kMaps = {
      "0:1", "root:daemon", "*:2", "d*:bin,0-3:sys", "1-9:0", "bin:nobody", "99:1,r*:3", ":5"};
  if (::geteuid() == 0 && chance(random, 4)) {
    rules.user_maps.push_back(one_of(random, kMaps));
    mix.options.push_back("--usermap=" + rules.user_maps.back());
  } else if (::geteuid() == 0 && chance(random, 4)) {
    add_chown(rules, "daemon:bin");
    mix.options.emplace_back("--chown=daemon:bin");
  }
  static const std::vector<Compare> kCompare = {Compare::Content, Compare::Quick, Compare::SizeOnly,
                                                Compare::Always};
  mix.request.options.compare = one_of(random, kCompare);
  switch (mix.request.options.compare) {
    case Compare::Content: mix.options.emplace_back("-c"); break;
    case Compare::SizeOnly: mix.options.emplace_back("--size-only"); break;
    case Compare::Always: mix.options.emplace_back("-I"); break;
    default: break;
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
  test::converse([&](Channel& channel) { result = Receiver(request, clock).run(channel); },
                 [&](Channel& channel) { serve(channel, config, clock); });
  return result;
}

// What it said, when it did not end well.
std::string rsync(const Mix& mix, const TempTree& source, const TempTree& destination) {
  std::vector<std::string> argv = mix.options;
  argv.push_back(source.path() + "/");
  argv.push_back(destination.path() + "/");
  return test::run_program(argv).end;
}

bool rsync_is_here() {
  try {
    return test::run_program({"rsync", "--version"}).end == "it ended with status 0";
  } catch (const Error&) {
  }
  WARN("no rsync here: nothing was compared");
  return false;
}

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Whole seconds, a few apart, so that newer, older and within the window all happen. No setuid
// files: those end a run.
void tame(Random& random, DiskTree& tree) {
  for (auto& [path, object] : tree) {
    object->mtime = (1'600'000'000 + static_cast<std::int64_t>(test::below(random, 4))) * kSecond;
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

std::string text_of(const Mix& mix) {
  std::string text;
  for (const std::string& option : mix.options) text += option + " ";
  return text;
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

}  // namespace

TEST_CASE("transfer: random mixes of rules come out as rsync's do", "[sync]") {
  if (!rsync_is_here()) return;
  const std::uint64_t first_seed = setting("XS_SEED", std::random_device{}());
  const std::uint64_t rounds = setting("XS_ROUNDS", 120);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Random random(first_seed + round);
    DiskTree source_tree = test::random_tree(random, {});
    DiskTree before_tree = test::earlier(random, {}, source_tree);
    tame(random, source_tree);
    tame(random, before_tree);
    Mix mix = plain();
    which(random, mix);
    how(random, mix);
    TempTree source, theirs, ours;
    make(source, source_tree);
    make(theirs, before_tree);
    make(ours, before_tree);
    const Picture before = picture(ours);
    const std::string said = rsync(mix, source, theirs);
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1 " << text_of(mix) << "\n" << said);
    pull(source, ours.path(), mix.request);
    expect_same(picture(source), before, picture(ours), picture(theirs));
    if (mix.request.options.compare != Compare::Always) {
      CHECK_FALSE(pull(source, ours.path(), mix.request).changed);
    }
  }
}
