// SPDX-License-Identifier: MIT
// ModelWorld: a tree before, the tree wanted after, and the oracle that tells which of the two a
// model disk holds. The oracle reads the images of the disk and shares nothing with the engine; the
// other half stages and commits the change on a model disk, as a receiver would.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sync/commit.h"
#include "sync/prepare.h"
#include "tests/crash/model_disk.h"

namespace xs::test {

inline constexpr char kIndexFile[] = "i";

struct Thing {  // what stands at a path
  EntryType type = EntryType::File;
  std::uint32_t mode = 0640;
  std::uint32_t uid = 0;
  std::string data;
  std::string link;  // another name of the file at this path, whose other fields are the same
  bool operator==(const Thing&) const = default;
};
using Tree = std::map<std::string, Thing>;

Thing file(std::string data, std::uint32_t mode = 0640);
Thing dir(std::uint32_t mode = 0750);
Thing symlink_to(std::string target);
void erase_tree(Tree& tree, const std::string& path);  // with everything below

struct Edit {
  std::string name;
  std::function<void(Tree&)> change;
};
// Every kind of change, each on names of its own or on shared ones.
const std::vector<Edit>& all_edits();
Tree base_tree();
// Up to `size` names, some of them below "m".
Tree random_tree(Random& random, std::size_t size, bool mount);
Tree random_successor(const Tree& tree, Random& random, bool mount);

enum class Holds { Old, New, Neither };

class World {
 public:
  // With `mount`, the directory "m" is another file system.
  World(Tree before, Tree after, std::string wake, bool mount = false);

  const std::string& wake() const { return wake_; }
  bool has_mount() const { return mount_; }
  bool changes() const { return before_ != after_; }
  ModelDisk disk() const;  // with the tree before, all of it on the platter
  // The way back. A rollback makes files again, not what other names they shared.
  World reversed() const;

  // ---- the engine
  CommitResult run(ModelDisk& disk, std::uint64_t id, const Wake& on_wake,
                   const std::function<void()>& committed) const;

  // ---- the oracle; empty: nothing is wrong
  Holds holds(const ModelDisk& disk) const;
  std::string difference(const ModelDisk& disk, const Tree& tree) const;
  std::string difference_but_links(const ModelDisk& disk, const Tree& tree) const;
  const Tree& before() const { return before_; }
  const Tree& after() const { return after_; }
  // What is in both trees as a file stands there, as the one or the other.
  std::string missing_or_torn(const ModelDisk& disk) const;
  // The index comes after all that it may name, and nothing goes before the rest is new.
  std::string out_of_order(const ModelDisk& disk) const;
  // Local files that no run may touch; and nothing is left in the staging area.
  std::string untouched(const ModelDisk& disk) const;
  static std::string leftovers(const ModelDisk& disk);

 private:
  CommitResult commit_and_note(Staging& staging, int fault, CommitRequest request) const;

  Tree before_;
  Tree after_;
  std::string wake_;
  bool mount_;
  bool links_matter_ = true;
  mutable std::set<std::string> unset_;  // directories whose attributes the last run left out
};

}  // namespace xs::test
