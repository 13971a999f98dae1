// SPDX-License-Identifier: MIT
// Random rules: small random trees, and lists of filter rules that have to do with their names, of
// every kind that rsync has too; some are malformed. For the tests of filter against the real
// rsync. The same seed makes the same.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sync/filter.h"
#include "tests/support/filter_lists.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

enum class PathType { File, Dir, Symlink };
using PathTree = std::map<std::string, PathType>;  // parents before children

// What the paths directly below begin with.
std::string child_prefix(const std::string& dir);

// Of per-directory files.
inline const std::vector<std::string> kMergeNames = {".m1", ".m2", "m3"};

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

struct RuleWorld {
  PathTree source;
  PathTree before;  // the destination
  Files source_files;
  Files before_files;
  std::string parent_file;  // kMergeNames[0] in the directory that holds both roots
  bool merges = false;      // has per-directory files
  bool nested = false;  // and they may merge others, where rsync forgets sides: see filter_walk.h
  std::vector<std::string> paths;
};

class RuleGenerator {
 public:
  explicit RuleGenerator(unsigned long long seed) : dice_(seed) {}

  RuleWorld world();  // a new one, which is the current one then
  std::string pattern(const std::vector<std::string>& roots);
  // A rule for a file or for --filter; the modifiers are nearly always valid.
  std::string rule(const std::vector<std::string>& roots, bool sides);
  // A merge rule of either kind, and the contents that a file of its style may have.
  std::string merge_modifiers(bool& bare, bool& words);
  std::string contents(const std::vector<std::string>& roots, bool bare, bool words, bool sides);
  // A whole world's per-directory files must suit the merge rules of every list that is tried on
  // it.
  void fill_files(const std::vector<std::string>& roots, bool bare, bool words, bool sides);
  Dice& dice() { return dice_; }
  RuleWorld& current() { return world_; }

 private:
  void grow(PathTree& tree, const std::string& dir, std::size_t depth);
  PathTree part_of(const PathTree& tree, Files& files);
  std::string from_path(const std::vector<std::string>& roots);

  Dice dice_;
  RuleWorld world_;
  std::vector<std::string> names_;
};

struct RuleOptions {
  std::vector<std::string> arguments;  // as given to rsync
  FilterList list;
  bool malformed = false;
  bool delete_excluded = false;
};

// Gives rsync the argument and does `ours`; what only we refuse, with Usage, makes it malformed.
void try_add(RuleOptions& options, const std::string& argument, const std::function<void()>& ours);

// Options that are tried on the generator's world, whose roots are src and dst in `temp`; the files
// that they name are made there, and the world's per-directory files are filled to suit them.
RuleOptions random_options(RuleGenerator& random, const TempDir& temp);

}  // namespace xs::test
