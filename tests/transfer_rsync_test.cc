// SPDX-License-Identifier: MIT
// The rules of a transfer against the real rsync: random trees, random mixes of the options that
// decide what is taken over and how. Both must come to the same tree: types, modes, owners,
// targets, bytes. A second run of ours must change nothing. XS_ROUNDS sets the number of mixes,
// XS_SEED the first seed.
#include <sys/stat.h>
#include <unistd.h>

#include <random>
#include <set>
#include <sstream>

#include "base/text.h"
#include "sync/backup.h"
#include "sync/files_from.h"
#include "sync/id_map.h"
#include "sync/link_dest.h"
#include "sync/receiver.h"
#include "sync/sender.h"
#include "sync/transfer_policy.h"
#include "tests/support/catch.h"
#include "tests/support/converse.h"
#include "tests/support/disk_trees.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"

using namespace xs;
using test::chance;
using test::DiskTree;
using test::Picture;
using test::rsync_is_here;
using test::setting;
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
  return test::rsync(mix.options, source.path(), destination.path()).end;
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
    // Under --ignore-existing rsync leaves a file where the source has a directory, tries to go
    // below it all the same, and gives up its deletions; we leave what is below alone.
    if (said.find("Not a directory (20)") == std::string::npos) {
      expect_same(picture(source), before, picture(ours), picture(theirs));
    }
    if (mix.request.options.compare != Compare::Always) {
      CHECK_FALSE(pull(source, ours.path(), mix.request).changed);
    }
  }
}

TEST_CASE("mode_spec: random specifications change modes as rsync's --chmod does", "[sync]") {
  if (!rsync_is_here()) return;
  const std::uint64_t seed = setting("XS_SEED", std::random_device{}());
  INFO("XS_SEED=" << seed);
  Random random(seed);
  static const std::vector<std::string> kWho = {"",   "u",  "g",  "o", "a",
                                                "ug", "go", "uo", "D", "Fu"};
  static const std::vector<std::string> kWhat = {"",  "r", "w",  "x",  "X",  "s", "t",  "rw", "rX",
                                                 "u", "g", "rt", "xs", "rs", "o", "st", "wX"};
  for (int round = 0; round < 60; ++round) {
    TempTree source, theirs;
    for (int at = 0; at < 12; ++at) {
      const unsigned mode = static_cast<unsigned>(test::below(random, 010000));
      source.file("f" + std::to_string(at), "x", mode);
      source.dir("d" + std::to_string(at), mode);
    }
    std::string spec;
    do {
      spec += (spec.empty() ? "" : ",") + one_of(random, kWho) + "+-="[test::below(random, 3)] +
              one_of(random, kWhat);
    } while (chance(random, 2));
    if (chance(random, 5)) spec += ",F" + std::to_string(test::below(random, 8)) + "40";
    Mix mix = plain();
    mix.options.push_back("--chmod=" + spec);
    const std::string said = rsync(mix, source, theirs);
    ModeSpec ours;
    ours.add(spec, current_umask());
    std::string wrong;
    for (const char* kind : {"f", "d"}) {
      for (int at = 0; at < 12; ++at) {
        const std::string path = kind + std::to_string(at);
        const unsigned before = source.stat(path).st_mode & 07777;
        const unsigned mine = ours.apply(before, *kind == 'd');
        const unsigned rsyncs = theirs.stat(path).st_mode & 07777;
        std::ostringstream line;
        line << std::oct << " " << *kind << before << " became " << mine << ", not " << rsyncs;
        if (mine != rsyncs) wrong += line.str();
      }
    }
    INFO("--chmod=" << spec << " " << said);
    CHECK(wrong.empty());
    if (!wrong.empty()) FAIL(wrong);
  }
}

TEST_CASE("mode_spec: what rsync refuses is refused with its place", "[sync]") {
  for (const char* spec : {"", "8", "ugo", "u+q", "F", "Fu+x,D,", "DFu+x", "u+r+w", "u-w=r", "755x",
                           "075500", ",u+x", "u+x,", "s+x", "g=ur", "g=ru", "7,,7"}) {
    INFO(spec);
    try {
      ModeSpec().add(spec, 022);
      FAIL_CHECK("it was taken");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::Usage);
      CHECK(error.text().find("at byte") != std::string::npos);
    }
  }
}

TEST_CASE("is_unsafe_link: links are safe here when they are safe to rsync", "[sync]") {
  if (!rsync_is_here()) return;
  const std::vector<std::string> targets = {
      "/",          "..",       "../..",   "a",         "a/..",  "a/../..", "../a",   "./..",
      "../../a",    "a/./../b", "../a/..", ".././../b", "a/b/c", "./a/..",  "..a",    "a..",
      "../b/../..", ".//a",     "a//..",   "..//a",     "../.",  "./",      "../..//"};
  TempTree source, theirs;
  for (const std::string dir : {"", "d/", "d/e/"}) {
    for (std::size_t at = 0; at < targets.size(); ++at) {
      source.symlink(dir + std::to_string(at), targets[at]);
    }
  }
  Mix mix = plain();
  mix.options.emplace_back("--safe-links");
  rsync(mix, source, theirs);
  for (const std::string dir : {"", "d/", "d/e/"}) {
    for (std::size_t at = 0; at < targets.size(); ++at) {
      const std::string path = dir + std::to_string(at);
      INFO(path << " -> " << targets[at]);
      CHECK(is_unsafe_link(path, targets[at]) == !theirs.exists(path));
    }
  }
}

namespace {

// Both from the same start; the trees must come out alike, and a second run must change nothing.
struct Twin {
  TempTree source, theirs, ours;
  Mix mix = plain();

  Twin() { mix.options.emplace_back("-c"); }

  template <class Fill>
  void both(Fill fill) {
    for (TempTree* tree : {&theirs, &ours}) fill(*tree);
  }
  void run(bool twice = true) {
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
  PullResult last;
  std::vector<std::string> not_compared;
};

}  // namespace

TEST_CASE("backup: random trees keep their old versions where rsync keeps them", "[sync]") {
  if (!rsync_is_here()) return;
  const std::uint64_t first_seed = setting("XS_SEED", std::random_device{}());
  for (std::uint64_t round = 0; round < setting("XS_ROUNDS", 60); ++round) {
    Random random(first_seed + round);
    DiskTree source_tree = test::random_tree(random, {});
    DiskTree before_tree = test::earlier(random, {}, source_tree);
    tame(random, source_tree);
    tame(random, before_tree);
    Twin twin;
    make(twin.source, source_tree);
    twin.both([&](TempTree& tree) { make(tree, before_tree); });
    twin.mix.request.transfer.backup = true;
    twin.mix.options.emplace_back("-b");
    if (chance(random, 2)) {
      twin.mix.request.remove = true;
      twin.mix.options.emplace_back("--delete");
    }
    if (chance(random, 2)) {
      twin.mix.request.transfer.suffix = ".o[l]d";
      twin.mix.options.emplace_back("--suffix=.o[l]d");
    }
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1");
    twin.run(false);
  }
}

TEST_CASE("backup: a backup directory holds what was replaced and deleted", "[sync]") {
  if (!rsync_is_here()) return;
  Twin twin;
  twin.source.file("a/f", "new").file("same", "same").symlink("l", "new").file("t", "was a dir");
  twin.both([](TempTree& tree) {
    tree.file("a/f", "old").file("same", "same").symlink("l", "old").file("gone/deep/g", "gone");
    tree.file("t/inner", "inner");
  });
  twin.mix.request.transfer.backup = true;
  twin.mix.request.transfer.backup_dir = "old/er";
  twin.mix.request.remove = true;
  pull(twin.source, twin.ours.path(), twin.mix.request);
  CHECK(twin.ours.read("a/f") == "new");
  CHECK(twin.ours.read("t") == "was a dir");
  CHECK(twin.ours.read("old/er/a/f") == "old");
  CHECK(twin.ours.read("old/er/gone/deep/g") == "gone");
  CHECK(twin.ours.read("old/er/t/inner") == "inner");
  CHECK_FALSE(twin.ours.exists("gone"));
  CHECK_FALSE(twin.ours.exists("old/er/same"));
  CHECK((twin.ours.stat("old").st_mode & 0777) == 0700);
  CHECK_FALSE(pull(twin.source, twin.ours.path(), twin.mix.request).changed);
  twin.source.file("a/f", "newer");
  pull(twin.source, twin.ours.path(), twin.mix.request);
  CHECK(twin.ours.read("old/er/a/f") == "new");
  CHECK(twin.ours.read("old/er/gone/deep/g") == "gone");
}

TEST_CASE("backup: places that cannot hold a backup are refused by name", "[sync]") {
  for (const char* dir : {"../old", "/elsewhere", ".", "a/../..", "/", ".xroad-sync/x", "/dest",
                          "/dest/", "/destination/x"}) {
    INFO(dir);
    TransferRules rules;
    rules.backup = true;
    rules.backup_dir = dir;
    CHECK_THROWS_AS(backup_rules(rules, "/dest"), Error);
  }
  TransferRules rules;
  rules.backup = true;
  rules.backup_dir = "/dest/./a//b";
  CHECK(backup_rules(rules, "/dest/").dir == "a/b");
  rules.suffix = "a/b";
  CHECK_THROWS_AS(backup_rules(rules, "/dest/"), Error);
}

TEST_CASE("files_from: lists take what rsync takes, and delete nothing else", "[sync]") {
  if (!rsync_is_here()) return;
  const std::vector<std::string> names = {
      "a", "d/",     "d/e", "d/e/",    "d//e//f", "/a", "w*ld", "b[1]",  "back\\sl",
      ".", "nosuch", "d/x", "./d/e/f", "link",    "q",  "d",    "w*/x?", "tmp.tmp"};
  const std::uint64_t first_seed = setting("XS_SEED", std::random_device{}());
  for (std::uint64_t round = 0; round < setting("XS_ROUNDS", 60); ++round) {
    Random random(first_seed + round);
    Twin twin;
    twin.source.file("a", "a").file("d/e/f", "f").file("d/e/g", "g").file("d/h", "h");
    twin.source.file("w*ld", "w").file("wild", "no").file("b[1]", "b").file("b1", "no");
    twin.source.file("back\\sl", "b").symlink("link", "d").file("q/r", "r").file("w*/x?", "?");
    twin.source.file("w*/xy", "no").file("tmp.tmp", "t").file("d/e/y.tmp", "t").mode("d", 0711);
    twin.both([&](TempTree& tree) {
      tree.file("stays", "s").file("d/extra", "x").file("d/e/extra", "x").file("nosuch", "n");
      if (chance(random, 1)) tree.file("w*/other", "o");
    });
    std::vector<std::string> list;
    for (std::size_t left = 1 + test::below(random, 4); left > 0; --left) {
      list.push_back(one_of(random, names));
    }
    TempTree scratch;
    std::string text;
    for (const std::string& name : list) text += name + "\n";
    scratch.file("list", text);
    twin.mix.options.push_back("--files-from=" + scratch.path_of("list"));
    twin.mix.request.transfer.files = parse_file_list(text, false);
    if (chance(random, 2)) {
      twin.mix.options.emplace_back("-r");
      twin.mix.request.transfer.files_recursive = true;
    }
    if (chance(random, 3)) {
      twin.mix.options.emplace_back("--exclude=*.tmp");
      twin.mix.request.filters.exclude("*.tmp");
    }
    const bool deletes = chance(random, 2);
    if (deletes) {
      twin.mix.options.emplace_back("--delete");
      twin.mix.request.remove = true;
    }
    if (deletes && chance(random, 2)) {
      twin.mix.options.emplace_back("--delete-excluded");
      twin.mix.request.options.scan =
          twin.mix.request.options.scan | Flags<Scan>{Scan::DeleteExcluded};
    }
    // A name that the source lacks is a problem here, and left alone; what leads to it is taken.
    for (const std::string& name : list) {
      if (name == "nosuch") twin.not_compared.emplace_back("nosuch");
      if (name == "d/x") twin.not_compared.insert(twin.not_compared.end(), {"d", "d/x"});
    }
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1\n" << text);
    twin.run();
  }
}

TEST_CASE("files_from: what is not at the source is a problem, what cannot go with it a refusal",
          "[sync]") {
  CHECK(parse_file_list("a\n\n# c\n;d\r\nb", false) == std::vector<std::string>{"a", "b"});
  CHECK(parse_file_list(std::string_view("#a\0b\nc\0", 7), true) ==
        std::vector<std::string>{"#a", "b\nc"});
  CHECK_THROWS_AS(FilesFrom({"../a"}, false), Error);
  CHECK_THROWS_AS(FilesFrom({"a/./b"}, false), Error);
  FilterList filters;
  filters.include("*.foo");
  CHECK_THROWS_AS(FilesFrom({"a"}, false).behind(filters), Error);
  TempTree source, ours;
  source.file("a", "a");
  ours.file("b", "mine");
  Mix mix = plain();
  mix.request.remove = true;
  mix.request.transfer.files = {"a", "b"};
  const PullResult result = pull(source, ours.path(), mix.request);
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "b");
  CHECK(ours.read("a") == "a");
  CHECK(ours.read("b") == "mine");
}

TEST_CASE("link_dest: files that are the same elsewhere become links, as rsync's do", "[sync]") {
  if (!rsync_is_here()) return;
  for (const Compare compare : {Compare::Content, Compare::Quick}) {
    TempTree source, theirs, ours;
    const auto fill = [](TempTree& tree, const std::string& at) {
      tree.file(at + "same", "same")
          .file(at + "d/same", "same too", 0600)
          .file(at + "bytes", "old");
      tree.file(at + "mode", "mode", at.empty() ? 0644 : 0600).file(at + "time", "time");
      for (const char* name : {"same", "d/same", "bytes", "mode", "time"}) {
        tree.mtime(at + name, 1'500'000'000 * kSecond);
      }
    };
    fill(source, "");
    source.file("bytes", "new").mtime("bytes", 1'500'000'000 * kSecond);
    source.mtime("time", 1'500'000'100 * kSecond);
    Mix mix = plain();
    mix.request.options.compare = compare;
    if (compare == Compare::Content) mix.options.emplace_back("-c");
    mix.options.emplace_back("--link-dest=../missing");
    mix.options.emplace_back("--link-dest=../before");
    mix.request.transfer.link_dest = {"../missing", "../before"};
    for (TempTree* tree : {&theirs, &ours}) {
      fill(*tree, "before/");
      tree->dir("now");
    }
    source.dir("keep");
    INFO(text_of(mix) << test::rsync(mix.options, source.path(), theirs.path_of("now")).end);
    pull(source, ours.path_of("now"), mix.request);
    for (const char* name : {"same", "d/same", "bytes", "mode", "time"}) {
      const std::string path = std::string("now/") + name;
      INFO(name);
      // rsync does not look into a file of the same size and time unless -c is given.
      if (compare == Compare::Quick && std::string(name) == "bytes") continue;
      CHECK(ours.stat(path).st_nlink == theirs.stat(path).st_nlink);
      CHECK(ours.read(path) == theirs.read(path));
      CHECK(ours.stat(path).st_mode == theirs.stat(path).st_mode);
      CHECK(ours.stat(path).st_mtim.tv_sec == theirs.stat(path).st_mtim.tv_sec);
    }
    CHECK_FALSE(pull(source, ours.path_of("now"), mix.request).changed);
  }
  CHECK_THROWS_AS(LinkDest(std::vector<std::string>(21, "."), "/"), Error);
}

TEST_CASE("transfer: more deletions than --max-delete are refused before anything", "[sync]") {
  TempTree source, ours;
  source.file("new", "n");
  ours.file("a", "1").file("d/b", "2");
  Mix mix = plain();
  mix.request.remove = true;
  mix.request.transfer.max_delete = 2;
  try {
    pull(source, ours.path(), mix.request);
    FAIL("it was done");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Refused);
  }
  CHECK_FALSE(ours.exists("new"));
  CHECK(ours.exists("d/b"));
  mix.request.transfer.max_delete = 3;
  CHECK(pull(source, ours.path(), mix.request).changed);
  CHECK_FALSE(ours.exists("d"));
}

TEST_CASE("transfer: a destination is made, one level or with --mkpath all", "[sync]") {
  TempTree source, ours;
  source.file("f", "x");
  Mix mix = plain();
  CHECK_THROWS_AS(pull(source, ours.path_of("one"), mix.request), Error);
  mix.request.make_destination = MakeDestination::Last;
  pull(source, ours.path_of("one/"), mix.request);
  CHECK(ours.read("one/f") == "x");
  try {
    pull(source, ours.path_of("two/three/four"), mix.request);
    FAIL("it was made");
  } catch (const Error& error) {
    CHECK(exit_code(error.fault()) == 11);
  }
  CHECK_FALSE(ours.exists("two"));
  mix.request.make_destination = MakeDestination::Path;
  pull(source, ours.path_of("two/three/four"), mix.request);
  CHECK(ours.read("two/three/four/f") == "x");
}

TEST_CASE("id_map: a map that cannot be is refused with its place", "[sync]") {
  const auto known = [](const Principal& one) -> std::optional<std::uint32_t> {
    if (one.name == "xroad") return 990;
    return std::nullopt;
  };
  for (const char* spec : {"", "x", "x:", "0-:3", "1-2-3:3", "0x:3", "a:nobody?", "5-1:2", ",",
                           "a:1,", "a:1,,b:2", "a:4294967295", "1:99999999999"}) {
    INFO(spec);
    CHECK_THROWS_AS(IdMap("--usermap", spec, known), Error);
  }
  const IdMap map("--usermap", "10-20:1,r?ot:2,:3,*x:xroad", known);
  CHECK(map.find({"root", 15}) == 1U);
  CHECK(map.find({"root", 0}) == 2U);
  CHECK(map.find({"", 7}) == 3U);
  CHECK(map.find({"max", 7}) == 990U);
  CHECK_FALSE(map.find({"other", 7}));
  TransferRules rules;
  add_chown(rules, ":g");
  CHECK(rules.user_maps.empty());
  CHECK(rules.group_maps == std::vector<std::string>{"*:g"});
  CHECK_THROWS_AS(add_chown(rules, "a,b"), Error);
  rules.group_maps.emplace_back("*:h");
  CHECK_THROWS_AS(TransferPolicy(rules, {}, 022), Error);
}
