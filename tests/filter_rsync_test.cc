// SPDX-License-Identifier: MIT
// Our filter against the real rsync: random small trees, random rule lists, real copies with
// --delete. Which names of the source took part, and which extra names of the destination survived,
// must be what our rules say. XS_ROUNDS sets the number of rule lists (default 200), XS_SEED the
// first seed.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/text.h"
#include "sync/filter_walk.h"
#include "tests/support/catch.h"
#include "tests/support/filter_lists.h"
#include "tests/support/random_rules.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"
#include "tests/support/temp_dir.h"

namespace fs = std::filesystem;
using namespace xs;
using test::child_prefix;
using test::Files;
using test::kMergeNames;
using test::lookup_in;
using test::PathTree;
using test::PathType;
using test::random_options;
using test::rsync_is_here;
using test::RuleGenerator;
using test::RuleOptions;
using test::RuleWorld;
using test::setting;
using test::TempDir;
using test::try_add;

namespace {

using Names = std::set<std::string>;

void make_tree(const std::string& root, const PathTree& tree, const Files& files,
               const std::string& filling) {
  fs::remove_all(root);
  fs::create_directory(root);
  for (const auto& [path, type] : tree) {
    const std::string full = fs::path(root) / path;
    const auto special = files.find(path);
    if (type == PathType::Dir) {
      fs::create_directory(full);
    } else if (type == PathType::Symlink) {
      // rsync's --delete-before reads "link/.rules" through a link to a directory, as if it were
      // one.
      fs::create_symlink(files.empty() ? "foo" : "nowhere", full);
    } else {
      std::ofstream(full, std::ios::binary) << (special != files.end() ? special->second : filling);
    }
  }
}

Names names_below(const std::string& root) {
  Names names;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    names.insert(entry.path().string().substr(root.size() + 1));
  }
  return names;
}

// ---- what our filter says

std::vector<std::string> children(const PathTree& tree, const std::string& dir) {
  std::vector<std::string> result;
  const std::string prefix = child_prefix(dir);
  for (const auto& [path, type] : tree) {
    if (path.size() > prefix.size() && path.compare(0, prefix.size(), prefix) == 0 &&
        path.find('/', prefix.size()) == std::string::npos) {
      result.push_back(path);
    }
  }
  return result;
}

bool is_dir(const PathTree& tree, const std::string& path) {
  return tree.at(path) == PathType::Dir;
}

void send(FilterWalk& walk, const PathTree& source, const Files& files, const std::string& dir,
          Names& visible) {
  walk.enter(dir, lookup_in(files));
  for (const std::string& name : children(source, dir)) {
    if (walk.hidden(name, is_dir(source, name))) continue;
    visible.insert(name);
    if (is_dir(source, name)) send(walk, source, files, name, visible);
  }
  walk.leave();
}

// The destination while the receiver deletes in it. A per-directory file that is gone can no longer
// be read.
struct Receiving {
  FilterWalk walk;
  PathTree tree;
  Files files;
  Names visible;
  Names left;

  FilterLookup lookup() const {
    return [this](const std::string& path) -> std::optional<std::string> {
      if (tree.count(path) != 0 && left.count(path) == 0) return std::nullopt;
      return lookup_in(files)(path);
    };
  }
};

// rsync's order, which it deletes in from the end.
std::vector<std::string> files_first(const PathTree& tree, const std::string& dir) {
  std::vector<std::string> names = children(tree, dir);
  std::stable_partition(names.begin(), names.end(),
                        [&](const std::string& name) { return !is_dir(tree, name); });
  return names;
}

// Deletes what may go, last name first; false when the directory cannot be empty afterwards.
bool erase_below(Receiving& to, const std::string& dir) {
  bool empty = true;
  to.walk.enter(dir, to.lookup());
  const std::vector<std::string> names = files_first(to.tree, dir);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const bool kept = to.walk.is_protected(*name, is_dir(to.tree, *name), true) ||
                      (is_dir(to.tree, *name) && !erase_below(to, *name));
    if (kept) empty = false;
    if (!kept) to.left.erase(*name);
  }
  to.walk.leave();
  return empty;
}

void receive(Receiving& to, const std::string& dir) {
  to.walk.enter(dir, to.lookup());
  const std::vector<std::string> names = files_first(to.tree, dir);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const bool dir_here = is_dir(to.tree, *name);
    if (to.visible.count(*name) == 0 && !to.walk.is_protected(*name, dir_here) &&
        (!dir_here || erase_below(to, *name))) {
      to.left.erase(*name);
    }
  }
  for (const std::string& name : names) {
    if (to.visible.count(name) != 0 && is_dir(to.tree, name)) receive(to, name);
  }
  to.walk.leave();
}

// ---- one comparison

struct Outcome {
  bool failed = false;
  Names visible;
  Names left;
  bool operator==(const Outcome&) const = default;
};

Outcome ours(const RuleOptions& options, const RuleWorld& world, const TempDir& temp, bool after) {
  Outcome outcome;
  outcome.failed = options.malformed;
  if (outcome.failed) return outcome;
  // What the server would get must decide alike.
  const FilterList list = FilterList::from_wire(options.list.to_wire());
  REQUIRE(list == options.list);
  try {
    FilterWalk sender(list, {temp / "src", options.delete_excluded, true, false});
    Files files = world.source_files;
    files[temp / kMergeNames[0]] = world.parent_file;
    send(sender, world.source, files, "", outcome.visible);
    Receiving to{FilterWalk(list, {temp / "dst", options.delete_excluded, false, true}),
                 world.before,
                 world.before_files,
                 outcome.visible,
                 {}};
    to.files[temp / kMergeNames[0]] = world.parent_file;
    for (const auto& [path, type] : world.source) {
      if (!after || outcome.visible.count(path) == 0) continue;
      to.tree[path] = type;
      const auto file = world.source_files.find(path);
      if (file != world.source_files.end()) to.files[path] = file->second;
    }
    for (const auto& [path, type] : to.tree) to.left.insert(path);
    receive(to, "");
    outcome.left = to.left;
    outcome.left.insert(outcome.visible.begin(), outcome.visible.end());
  } catch (const Error& error) {
    REQUIRE((error.fault() == Fault::Usage || error.fault() == Fault::Io));
    outcome = Outcome();
    outcome.failed = true;
  }
  return outcome;
}

Outcome theirs(const RuleOptions& options, const RuleWorld& world, const TempDir& temp,
               const std::string& when, std::string& output) {
  make_tree(temp / "src", world.source, world.source_files, "s");
  make_tree(temp / "dst", world.before, world.before_files, "dd");
  temp.write(kMergeNames[0], world.parent_file);
  std::vector<std::string> arguments = {"env", "LC_ALL=C",           "rsync", "-rlI",
                                        "-ii", "--out-format=%i|%n", when};
  if (options.delete_excluded) arguments.push_back("--delete-excluded");
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  arguments.push_back(temp / "src/");
  arguments.push_back(temp / "dst/");
  const test::Outcome said = test::run_program(arguments);
  output = said.out + said.end;
  Outcome outcome;
  outcome.failed = said.end.ends_with(" status 1") || said.end.ends_with(" status 11");
  if (outcome.failed) return outcome;
  REQUIRE_THAT(said.end, Catch::Matchers::EndsWith(test::kCleanEnd));
  for (std::size_t begin = 0; begin < said.out.size();) {
    const std::size_t end = std::min(said.out.find('\n', begin), said.out.size());
    const std::string line = said.out.substr(begin, end - begin);
    begin = end + 1;
    if (line.size() < 13 || line[11] != '|' || line[0] == '*') continue;
    std::string name = unescape(line.substr(12));
    if (name.back() == '/') name.pop_back();
    if (name != ".") outcome.visible.insert(name);
  }
  outcome.left = names_below(temp / "dst");
  return outcome;
}

std::string show(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += " " + quote(name);
  return text;
}

std::string show(const Files& files) {
  std::string text;
  for (const auto& [path, contents] : files) text += " " + quote(path) + "=" + quote(contents);
  return text;
}

}  // namespace

TEST_CASE("filter: random rules on random trees decide as the real rsync does", "[sync]") {
  if (!rsync_is_here()) return;
  const auto rounds = setting("XS_ROUNDS", 200);
  const auto first = test::random_seed();
  const TempDir temp;
  unsigned long long failures = 0;
  for (unsigned long long seed = first; seed < first + rounds; ++seed) {
    RuleGenerator random(seed);
    random.world();
    const RuleOptions options = random_options(random, temp);
    const RuleWorld& world = random.current();
    // With delete-after the receiver reads the per-directory files that have just arrived.
    static const std::vector<std::string> kWhen = {"--delete-before", "--delete-during",
                                                   "--delete-delay", "--delete-after"};
    const std::string when =
        world.merges ? kWhen[random.dice().one_in(2) ? 0 : 3] : random.dice().pick(kWhen);
    const Outcome mine = ours(options, world, temp, when == "--delete-after");
    std::string output;
    const Outcome real = theirs(options, world, temp, when, output);
    std::string shown = when + (options.delete_excluded ? " --delete-excluded" : "");
    for (const std::string& argument : options.arguments) shown += " " + quote(argument);
    INFO("seed " << seed << "\nrules " << shown << "\nsource files" << show(world.source_files)
                 << "\ndestination files" << show(world.before_files) << "\nrsync said " << output);
    CHECK(mine.failed == real.failed);
    if (mine.failed || real.failed) {
      ++failures;
      continue;
    }
    CHECK(show(mine.visible) == show(real.visible));
    CHECK(show(mine.left) == show(real.left));
  }
  if (rounds >= 100)
    CHECK(failures < rounds / 2);  // the generator must mostly write rules that both accept
}

TEST_CASE("filter: rsync reads wildcards in a directory's name where ours reads bytes", "[sync]") {
  if (!rsync_is_here()) return;
  const TempDir temp;
  RuleWorld world;
  world.source = {
      {"d[1]", PathType::Dir}, {"d[1]/.m1", PathType::File}, {"d[1]/x", PathType::File}};
  world.source_files = {{"d[1]/.m1", "- /x\n"}};
  RuleOptions options;
  try_add(options, "--filter=: .m1", [&] { options.list.filter(": .m1"); });
  std::string output;
  CHECK(ours(options, world, temp, false).visible == Names{"d[1]", "d[1]/.m1"});
  CHECK(theirs(options, world, temp, "--delete-before", output).visible ==
        Names{"d[1]", "d[1]/.m1", "d[1]/x"});
}

TEST_CASE("filter: rsync forgets a side in a merged per-directory file and ours does not",
          "[sync]") {
  if (!rsync_is_here()) return;
  const TempDir temp;
  RuleWorld world;
  world.source = {{".m1", PathType::File}, {"more", PathType::File}, {"x", PathType::File}};
  world.source_files = {{".m1", ". more\n"}, {"more", "P x\n"}};
  RuleOptions options;
  try_add(options, "--filter=: .m1", [&] { options.list.filter(": .m1"); });
  std::string output;
  CHECK(ours(options, world, temp, false).visible == Names{".m1", "more", "x"});
  CHECK(theirs(options, world, temp, "--delete-before", output).visible == Names{".m1", "more"});
}
