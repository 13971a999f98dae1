// SPDX-License-Identifier: MIT
#include "tests/support/random_trees.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "tests/support/trees.h"

namespace xs::test {
namespace {

class Maker {
 public:
  explicit Maker(std::mt19937_64& random) : random_(random) {}

  PlanCase make() {
    PlanCase made;
    choose_options(made.rules);
    options_ = made.rules.options;
    fill("", local_, nullptr);
    made.local = tree(local_);
    known_.clear();
    fill("", target_, &made.local);
    made.target = tree(target_);
    if (options_.keep.has(Keep::Hardlinks) && one_in(3)) cross_link(made);
    made.rules.remove = !one_in(6);
    for (int i = one_in(3) ? 2 : 0; i > 0; --i) made.rules.untouchable.push_back(any_path());
    for (int i = one_in(3) ? 3 : 0; i > 0; --i) made.protected_paths.insert(any_path());
    for (int i = 2; i > 0; --i) made.rules.index_files.push_back(any_path());
    made.rules.is_protected = [paths = made.protected_paths](std::string_view path, bool) {
      return paths.count(std::string(path)) != 0;
    };
    return made;
  }

 private:
  bool one_in(unsigned n) { return random_() % n == 0; }

  void choose_options(PlanRules& rules) {
    rules.options.compare = static_cast<Compare>(random_() % 4);
    rules.options.keep =
        Flags<Keep>::from_bits(one_in(2) ? kKnown<Keep> : random_() & kKnown<Keep>);
    if (one_in(4)) rules.options.scan = {Scan::NumericIds};
  }

  std::string any_path() {
    std::string path;
    const auto depth = 1 + random_() % 3;
    for (unsigned i = 0; i < depth; ++i) path += (i == 0 ? "" : "/") + std::string(name());
    return path;
  }
  const char* name() { return kNames[random_() % std::size(kNames)]; }

  void fill(const std::string& parent, std::vector<Item>& into, const Entries* like) {
    for (const char* const name : kNames) {
      if (!one_in(2)) continue;
      const std::string path = parent.empty() ? name : parent + "/" + name;
      Item item = like != nullptr && !one_in(3) ? copy(path, *like) : fresh(path);
      if (item.entry.type == EntryType::File) known_.push_back(path);
      const bool enter = item.entry.type == EntryType::Dir && path.size() < 6;
      into.push_back(std::move(item));
      if (enter) fill(path, into, like);
    }
  }

  Item copy(const std::string& path, const Entries& like) {
    const Entry* entry = find(like, path);
    if (entry == nullptr) return fresh(path);
    const bool lost = entry->type == EntryType::Hardlink &&
                      std::find(known_.begin(), known_.end(), entry->content) == known_.end();
    if (lost) return fresh(path);
    Item item = item_of(like, *entry);
    item.entry.path = path;
    if (one_in(4)) vary(item);
    return item;
  }

  Item fresh(const std::string& path) {
    Item item = fresh_type(path);
    vary(item);
    return item;
  }

  Item fresh_type(const std::string& path) {
    const auto roll = random_() % 16;
    if (roll < 6) return dir(path);
    if (roll < 12) {
      static const char* const kContents[] = {"one", "two", "three"};
      Item made = file(path, kContents[random_() % 3]);
      const bool trusted =
          options_.compare == Compare::Quick || options_.compare == Compare::SizeOnly;
      if (trusted && one_in(2)) made.no_digest();
      if (one_in(3)) made.inlined();
      return made;
    }
    if (roll == 12) return symlink(path, one_in(2) ? "a" : "b");
    if (roll == 13) return fifo(path);
    if (roll == 14) return char_device(path, 1 + random_() % 2);
    if (known_.empty() || !options_.keep.has(Keep::Hardlinks)) return file(path);
    return hardlink(path, known_[random_() % known_.size()]);
  }

  void vary(Item& item) {
    if (one_in(4)) item.mode(one_in(2) ? 0600 : 0700);
    if (one_in(6)) item.owner(one_in(2) ? "other" : "", one_in(2) ? 7 : 8);
    if (one_in(6)) item.group("other", one_in(2) ? 7 : 8);
    if (one_in(4)) item.mtime(kTreeTime + static_cast<int>(random_() % 2), 5);
    if (one_in(8) && item.entry.type == EntryType::File && item.entry.xattrs.empty()) {
      item.xattr(one_in(2) ? "user.a" : "system.posix_acl_access", one_in(2) ? "1" : "2");
    }
  }

  // The same files in both trees, under the same names, grouped in another way.
  void cross_link(PlanCase& made) {
    std::vector<Item> before;
    std::vector<Item> after;
    for (std::vector<Item>* side : {&before, &after}) {
      std::string first;
      for (const char* const path : {"h1", "h2", "h3", "h4", "h5"}) {
        if (one_in(6)) continue;
        const bool link = !first.empty() && !one_in(3);
        side->push_back(link ? hardlink(path, first) : file(path, "one"));
        if (!link) first = path;
      }
    }
    local_.insert(local_.end(), before.begin(), before.end());
    target_.insert(target_.end(), after.begin(), after.end());
    made.local = tree(local_);
    made.target = tree(target_);
  }

  static constexpr const char* kNames[] = {"a", "b", "c", "d!"};
  std::mt19937_64& random_;
  Options options_;
  std::vector<Item> local_;
  std::vector<Item> target_;
  std::vector<std::string> known_;  // files of the tree being made, for links
};

std::string show(const Entries& entries) {
  std::string all;
  for (const Entry& one : entries.list) {
    all += "  " + std::to_string(static_cast<int>(one.type)) + " " + one.path +
           (one.content.empty() ? "" : " -> " + escape(one.content)) + " " +
           std::to_string(one.mode) + " " + std::to_string(one.mtime_ns % 1'000'000'000'000) + " " +
           std::to_string(one.owner) + "/" + std::to_string(one.group) +
           (one.digest ? " digest" : "") + "\n";
  }
  return all;
}

}  // namespace

PlanCase random_case(std::mt19937_64& random) { return Maker(random).make(); }

std::string show(const PlanCase& c) {
  std::string all = "local\n" + show(c.local) + "target\n" + show(c.target) + "rules\n  compare " +
                    std::to_string(static_cast<int>(c.rules.options.compare)) + " keep " +
                    std::to_string(c.rules.options.keep.bits()) +
                    (c.rules.remove ? " remove" : " no remove") + "\n  index";
  for (const std::string& path : c.rules.index_files) all += " " + path;
  all += "\n  untouchable";
  for (const std::string& path : c.rules.untouchable) all += " " + path;
  all += "\n  protected";
  for (const std::string& path : c.protected_paths) all += " " + path;
  return all + "\n";
}

}  // namespace xs::test
