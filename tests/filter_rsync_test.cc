// SPDX-License-Identifier: MIT
// Our filter against the real rsync: random small trees, random rule lists, real copies with
// --delete. Which names of the source took part, and which extra names of the destination survived,
// must be what our rules say. XS_ROUNDS sets the number of rule lists (default 200), XS_SEED the
// first seed.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "base/clock.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "sync/filter_walk.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace xs;

namespace {

enum class Type { File, Dir, Symlink };
using Tree = std::map<std::string, Type>;          // path to type, parents before children
using Files = std::map<std::string, std::string>;  // path of a per-directory file to its contents
using Names = std::set<std::string>;

class TempDir {
 public:
  TempDir() {
    std::string path = (fs::temp_directory_path() / "xs-filter-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw_errno("mkdtemp", path);
    path_ = fs::canonical(path).string();
  }
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Run {
  bool started = false;
  int status = -1;
  std::string output;  // stdout and stderr
};

Run run(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2", "rsync");
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), 2);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::string locale = "LC_ALL=C";
  std::vector<char*> environment = {locale.data(), nullptr};
  pid_t pid = -1;
  Run result;
  result.started =
      ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environment.data()) == 0;
  posix_spawn_file_actions_destroy(&actions);
  if (!result.started) return result;
  writer = Fd();
  SteadyClock clock;
  const Instant deadline = clock.now() + std::chrono::seconds(60);
  pollfd poll{reader.get(), POLLIN, 0};
  std::array<char, 65536> buffer{};
  for (;;) {
    if (clock.poll({&poll, 1}, deadline) == 0) {
      ::kill(pid, SIGKILL);
      break;
    }
    const auto got = read_some(reader.get(), buffer, "rsync");
    if (!got || *got == 0) break;
    result.output.append(buffer.data(), *got);
  }
  ::waitpid(pid, &result.status, 0);
  return result;
}

void write_file(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

void make_tree(const std::string& root, const Tree& tree, const Files& files,
               const std::string& filling) {
  fs::remove_all(root);
  fs::create_directory(root);
  for (const auto& [path, type] : tree) {
    const std::string full = fs::path(root) / path;
    const auto special = files.find(path);
    if (type == Type::Dir) {
      fs::create_directory(full);
    } else if (type == Type::Symlink) {
      // rsync's --delete-before reads "link/.rules" through a link to a directory, as if it were
      // one.
      fs::create_symlink(files.empty() ? "foo" : "nowhere", full);
    } else {
      write_file(full, special != files.end() ? special->second : filling);
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
// -------------------------------------------------------------------------------

std::string child_prefix(const std::string& dir) { return dir.empty() ? "" : dir + "/"; }

std::vector<std::string> children(const Tree& tree, const std::string& dir) {
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

FilterLookup lookup_in(const Files& files) {
  return [&files](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
}

bool is_dir(const Tree& tree, const std::string& path) { return tree.at(path) == Type::Dir; }

void send(FilterWalk& walk, const Tree& source, const Files& files, const std::string& dir,
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
  Tree tree;
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
std::vector<std::string> files_first(const Tree& tree, const std::string& dir) {
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

// ---- random trees and rules
// -----------------------------------------------------------------------------

const std::vector<std::string> kPlain = {"foo",   "bar",    "a",        "b.o", "f.o",
                                         "x.tmp", "conf.d", "node.ini", "UP"};
const std::vector<std::string> kOdd = {
    "foo",         "bar", "a",        "ab",     ".tmp",  ".hid",     "a[1]", "a1",    "st*r",
    "back\\slash", "]x",  "\xc3\xa9", "sp ace", "-dash", "- x",      "#c",   " lead", "tail ",
    "q?",          "~",   "...",      "\xff",   "a_b",   "!",        "[",    "\\",    "x.tmp~",
    "*",           "**",  "a-b",      "^",      "Z",     "new\nline"};

class Dice {
 public:
  explicit Dice(unsigned long long seed) : engine_(seed) {}
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : engine_() % limit; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <typename T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  std::mt19937_64 engine_;
};

struct World {
  Tree source;
  Tree before;  // the destination
  Files source_files;
  Files before_files;
  std::string parent_file;  // kMergeNames[0] in the directory that holds both roots
  bool merges = false;      // has per-directory files
  bool nested = false;  // and they may merge others, where rsync forgets sides: see filter_walk.h
  std::vector<std::string> paths;
};

const std::vector<std::string> kMergeNames = {".m1", ".m2", "m3"};

class Generator {
 public:
  explicit Generator(unsigned long long seed) : dice_(seed) {}

  World world() {
    world_ = World();
    world_.merges = dice_.one_in(2);
    world_.nested = world_.merges && dice_.one_in(3);
    // rsync reads wildcards in the name of a directory that holds an anchored rule; see
    // filter_walk.h.
    const auto& all = world_.merges ? kPlain : kOdd;
    names_.clear();
    for (std::size_t i = 0; i < 4 + dice_.below(4); ++i) names_.push_back(dice_.pick(all));
    Tree tree;
    grow(tree, "", 0);
    world_.source = part_of(tree, world_.source_files);
    world_.before = part_of(tree, world_.before_files);
    return world_;
  }

  std::string pattern(const std::vector<std::string>& roots) {
    std::string text;
    if (dice_.one_in(3)) {
      static const std::vector<std::string> pieces = {"foo",      "*",
                                                      "**",       "/",
                                                      "?",        "[a-z]",
                                                      "[!a]",     "\\",
                                                      "***",      "bar",
                                                      ".o",       "[[:upper:]]",
                                                      "\xc3\xa9", "a",
                                                      "[",        "]",
                                                      "[]x]",     " ",
                                                      "_",        "-",
                                                      ".",        "\\*",
                                                      "**/",      "/**",
                                                      "[^/]",     "[[:alpha:]_-]",
                                                      "[a-",      "*/",
                                                      "[b-a]",    "\\\\",
                                                      "[*]",      "[\\]]",
                                                      "+ ",       "[**]",
                                                      "[[:x:]]",  "!",
                                                      "#"};
      for (std::size_t i = 1 + dice_.below(5); i > 0; --i) text += dice_.pick(pieces);
    } else {
      text = from_path(roots);
    }
    if (dice_.one_in(4)) text = "/" + text;
    if (dice_.one_in(5)) text += "/";
    if (dice_.one_in(12))
      text += dice_.pick(std::vector<std::string>{"***", "**", "/***", "/**", "/*", "*"});
    return text;
  }

  // A rule for a file or for --filter; the modifiers are nearly always valid.
  std::string rule(const std::vector<std::string>& roots, bool sides) {
    static const std::vector<std::string> verbs = {"-", "-", "-", "+", "+", "exclude", "include"};
    static const std::vector<std::string> sided = {"H",    "S",    "P",       "R",
                                                   "hide", "show", "protect", "risk"};
    const bool fixed = sides && dice_.one_in(4);
    std::string text = fixed ? dice_.pick(sided) : dice_.pick(verbs);
    std::string modifiers;
    if (dice_.one_in(6)) modifiers += "/";
    if (dice_.one_in(8)) modifiers += "!";
    if (dice_.one_in(6)) modifiers += "p";
    if (sides && !fixed && dice_.one_in(5)) modifiers += dice_.one_in(2) ? "s" : "r";
    if (dice_.one_in(60))
      modifiers += dice_.pick(std::vector<std::string>{"x", "z", "sr", "w", "-", "e"});
    if (!modifiers.empty() && (text.size() > 1 || dice_.one_in(3))) text += ",";
    return text + modifiers + (dice_.one_in(5) ? "_" : " ") + pattern(roots);
  }

  // A merge rule of either kind, and the contents that a file of its style may have.
  std::string merge_modifiers(bool& bare, bool& words) {
    std::string text;
    bare = dice_.one_in(3);
    words = dice_.one_in(6);
    if (bare) text += dice_.one_in(2) ? "-" : "+";
    if (words) text += "w";
    if (dice_.one_in(5)) text += "e";
    if (dice_.one_in(4)) text += "n";
    if (dice_.one_in(8)) text += "p";
    if (dice_.one_in(10)) text += "/";
    if (!world_.nested && dice_.one_in(6)) text += dice_.one_in(2) ? "s" : "r";
    return text;
  }

  std::string contents(const std::vector<std::string>& roots, bool bare, bool words, bool sides) {
    static const std::vector<std::string> ends = {"\n", "\n", "\r\n", "\r", "\n\n"};
    std::string text;
    for (std::size_t i = dice_.below(5); i > 0; --i) {
      std::string line = bare ? pattern(roots) : rule(roots, sides);
      if (words) {
        for (char& c : line) c = c == ' ' ? '_' : c;
      }
      if (dice_.one_in(15)) line = "!";
      if (dice_.one_in(15) && !words) line = "# comment";
      text += line + dice_.pick(ends);
    }
    return text;
  }

  // A whole world's per-directory files must suit the merge rules of every list that is tried on
  // it.
  void fill_files(const std::vector<std::string>& roots, bool bare, bool words, bool sides) {
    sides = sides && !world_.nested;
    for (Files* files : {&world_.source_files, &world_.before_files}) {
      for (auto& [path, text] : *files) {
        text = contents(roots, bare, words, sides);
        if (bare || words) continue;
        if (dice_.one_in(6)) text += ": " + dice_.pick(kMergeNames) + "\n";
        if (world_.nested && dice_.one_in(4))
          text += std::string(". ") + (dice_.one_in(2) ? "./" : "") + dice_.pick(kMergeNames);
      }
    }
    world_.parent_file = dice_.one_in(2) ? contents(roots, bare, words, sides) : "";
  }

  Dice& dice() { return dice_; }
  World& current() { return world_; }

 private:
  void grow(Tree& tree, const std::string& dir, std::size_t depth) {
    for (std::size_t i = 0; i < 2 + dice_.below(3) && tree.size() < 24; ++i) {
      const std::string path = child_prefix(dir) + dice_.pick(names_);
      if (tree.count(path) != 0) continue;
      const bool make_dir = depth < 3 && !dice_.one_in(3);
      tree[path] = make_dir ? Type::Dir : dice_.one_in(8) ? Type::Symlink : Type::File;
      world_.paths.push_back(path);
      if (make_dir) grow(tree, path, depth + 1);
    }
    if (world_.merges) {
      for (const std::string& name : kMergeNames) {
        if (dice_.one_in(3)) tree[child_prefix(dir) + name] = Type::File;
      }
    }
  }

  Tree part_of(const Tree& tree, Files& files) {
    Tree part;
    for (const auto& [path, type] : tree) {
      const std::size_t slash = path.rfind('/');
      if (slash != std::string::npos && part.count(path.substr(0, slash)) == 0) continue;
      if (dice_.one_in(4)) continue;
      part[path] = type;
      const std::string name = path.substr(slash + 1);
      if (world_.merges &&
          std::find(kMergeNames.begin(), kMergeNames.end(), name) != kMergeNames.end()) {
        files[path] = "";
      }
    }
    return part;
  }

  std::string from_path(const std::vector<std::string>& roots) {
    std::string path = world_.paths.empty() ? "foo" : dice_.pick(world_.paths);
    if (dice_.one_in(10)) path = dice_.pick(roots) + "/" + path;
    for (std::size_t cut = dice_.below(3); cut > 0; --cut) {
      const std::size_t slash = path.find('/', 1);
      if (slash == std::string::npos) break;
      path = path.substr(slash + 1);
    }
    if (dice_.one_in(3)) path = path.substr(path.rfind('/') + 1);
    std::string text;
    const bool exact = dice_.one_in(2);
    for (const char c : path) {
      const std::size_t roll = exact ? 99 : dice_.below(20);
      if (roll == 0) text += "?";
      if (roll == 1) text += "*";
      if (roll == 2) text += "**";
      if (roll == 3) text += std::string("[") + c + "]";
      if (roll == 4) text += std::string("\\") + c;
      if (roll > 4 || roll == 1) text += c;
    }
    if (dice_.one_in(12))
      text = dice_.pick(std::vector<std::string>{"**/", "**", "*/", "*", "?"}) + text;
    if (text.find('\n') != std::string::npos) text = "new?line";
    return text;
  }

  Dice dice_;
  World world_;
  std::vector<std::string> names_;
};

// ---- one comparison
// -------------------------------------------------------------------------------------

struct Options {
  std::vector<std::string> arguments;  // as given to rsync
  FilterList list;
  bool malformed = false;
  bool delete_excluded = false;
};

void try_add(Options& options, const std::string& argument, const std::function<void()>& ours) {
  options.arguments.push_back(argument);
  if (options.malformed) return;
  try {
    ours();
  } catch (const Error& error) {
    REQUIRE(error.fault() == Fault::Usage);
    options.malformed = true;
  }
}

Options make_options(Generator& random, const TempDir& temp) {
  Options options;
  Dice& dice = random.dice();
  const std::vector<std::string> roots = {temp / "src", temp / "dst", "src", "dst"};
  const auto reader = [](const std::string& path) { return read_file(path, 1U << 20); };
  const auto filter = [&](const std::string& rule) {
    try_add(options, "--filter=" + rule, [&] { options.list.filter(rule, reader); });
  };
  bool bare = false;
  bool words = false;
  const std::string modifiers = random.merge_modifiers(bare, words);
  const bool sided = modifiers.find_first_of("sr") != std::string::npos;
  if (random.current().merges) random.fill_files(roots, bare, words, !sided);
  const std::size_t merge_at = random.current().merges ? dice.below(2) : 99;
  const std::size_t rules = 2 + dice.below(4);
  for (std::size_t i = 0; i < rules; ++i) {
    const std::size_t kind = i == merge_at ? 13 : dice.below(13);
    const std::string pattern = random.pattern(roots);
    if (kind < 3) {
      try_add(options, "--exclude=" + pattern, [&] { options.list.exclude(pattern); });
    } else if (kind == 3) {
      try_add(options, "--include=" + pattern, [&] { options.list.include(pattern); });
    } else if (kind == 4) {
      const bool exclude = dice.one_in(2);
      const std::string text = random.contents(roots, true, false, false);
      const std::string file = temp / ("from" + std::to_string(i));
      write_file(file, text);
      try_add(options, (exclude ? "--exclude-from=" : "--include-from=") + file, [&] {
        if (exclude) options.list.exclude_from(text, file);
        if (!exclude) options.list.include_from(text, file);
      });
    } else if (kind == 5) {
      bool bare_file = false;
      bool words_file = false;
      const std::string style = random.merge_modifiers(bare_file, words_file);
      const bool sides = style.find_first_of("sr") == std::string::npos;
      const std::string file = temp / ("merge" + std::to_string(i));
      write_file(file, random.contents(roots, bare_file, words_file, sides));
      filter(std::string(".").append(style).append(" ").append(file));
    } else if (kind == 6 && dice.one_in(3)) {
      filter(dice.one_in(2) ? "!" : "clear");
    } else if (kind >= 10 && random.current().merges) {
      static const std::vector<std::string> forms = {"", "", "/", "../", "sub/"};
      filter(std::string(":").append(modifiers) + " " + dice.pick(forms) + dice.pick(kMergeNames));
    } else {
      filter(random.rule(roots, true));
    }
  }
  options.delete_excluded = !random.current().nested && dice.one_in(6);
  return options;
}

struct Outcome {
  bool failed = false;
  Names visible;
  Names left;
  bool operator==(const Outcome&) const = default;
};

Outcome ours(const Options& options, const World& world, const TempDir& temp, bool after) {
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

Outcome theirs(const Options& options, const World& world, const TempDir& temp,
               const std::string& when, std::string& output) {
  make_tree(temp / "src", world.source, world.source_files, "s");
  make_tree(temp / "dst", world.before, world.before_files, "dd");
  write_file(temp / kMergeNames[0], world.parent_file);
  std::vector<std::string> arguments = {"rsync", "-rlI", "-ii", "--out-format=%i|%n", when};
  if (options.delete_excluded) arguments.push_back("--delete-excluded");
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  arguments.push_back(temp / "src/");
  arguments.push_back(temp / "dst/");
  const Run result = run(arguments);
  output = result.output;
  REQUIRE(WIFEXITED(result.status));
  Outcome outcome;
  outcome.failed = WEXITSTATUS(result.status) == 1 || WEXITSTATUS(result.status) == 11;
  if (outcome.failed) return outcome;
  REQUIRE(WEXITSTATUS(result.status) == 0);
  for (std::size_t begin = 0; begin < output.size();) {
    const std::size_t end = std::min(output.find('\n', begin), output.size());
    const std::string line = output.substr(begin, end - begin);
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

bool have_rsync() {
  const Run version = run({"rsync", "--version"});
  if (version.started && version.status == 0) return true;
  WARN("skipped: rsync is not installed, so our filter was not compared with it");
  return false;
}

unsigned long long from_environment(const char* name, unsigned long long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : parse_number(text).value_or(otherwise);
}

}  // namespace

TEST_CASE("filter: random rules on random trees decide as the real rsync does", "[sync]") {
  if (!have_rsync()) return;
  const auto rounds = from_environment("XS_ROUNDS", 200);
  const auto first = from_environment("XS_SEED", std::random_device{}());
  const TempDir temp;
  unsigned long long failures = 0;
  for (unsigned long long seed = first; seed < first + rounds; ++seed) {
    Generator random(seed);
    random.world();
    const Options options = make_options(random, temp);
    const World& world = random.current();
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
  if (!have_rsync()) return;
  const TempDir temp;
  World world;
  world.source = {{"d[1]", Type::Dir}, {"d[1]/.m1", Type::File}, {"d[1]/x", Type::File}};
  world.source_files = {{"d[1]/.m1", "- /x\n"}};
  Options options;
  try_add(options, "--filter=: .m1", [&] { options.list.filter(": .m1"); });
  std::string output;
  CHECK(ours(options, world, temp, false).visible == Names{"d[1]", "d[1]/.m1"});
  CHECK(theirs(options, world, temp, "--delete-before", output).visible ==
        Names{"d[1]", "d[1]/.m1", "d[1]/x"});
}

TEST_CASE("filter: rsync forgets a side in a merged per-directory file and ours does not",
          "[sync]") {
  if (!have_rsync()) return;
  const TempDir temp;
  World world;
  world.source = {{".m1", Type::File}, {"more", Type::File}, {"x", Type::File}};
  world.source_files = {{".m1", ". more\n"}, {"more", "P x\n"}};
  Options options;
  try_add(options, "--filter=: .m1", [&] { options.list.filter(": .m1"); });
  std::string output;
  CHECK(ours(options, world, temp, false).visible == Names{".m1", "more", "x"});
  CHECK(theirs(options, world, temp, "--delete-before", output).visible == Names{".m1", "more"});
}
