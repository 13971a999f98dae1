// SPDX-License-Identifier: MIT
#include "tests/support/filter_lists.h"

#include <algorithm>
#include <optional>

#include "tests/support/catch.h"

namespace xs::test {
namespace {

void walk_below(FilterWalk& walk, const Names& tree, const FilterLookup& lookup, Ask ask,
                const std::string& dir, Names& out) {
  walk.enter(dir.substr(0, dir.empty() ? 0 : dir.size() - 1), lookup);
  for (const std::string& name : tree) {
    if (!directly_below(name, dir)) continue;
    const bool is_dir = name.back() == '/';
    const std::string path = is_dir ? name.substr(0, name.size() - 1) : name;
    const bool gone = ask == Ask::Hidden ? walk.hidden(path, is_dir)
                                         : walk.is_protected(path, is_dir, ask == Ask::Deleting);
    if (gone) out.push_back(name);
    if (!gone && is_dir) walk_below(walk, tree, lookup, ask, name, out);
  }
  walk.leave();
}

}  // namespace

const Names& reference_tree() {
  static const Names kTree = {"foo/",
                              "foo/f.o",
                              "foo/bar/",
                              "foo/bar/f.o",
                              "foo/bar/baz/",
                              "foo/bar/baz/g",
                              "foo/x/",
                              "foo/x/bar/",
                              "foo/x/bar/h",
                              "a/",
                              "a/foo/",
                              "a/foo/bar/",
                              "a/foo/bar/i",
                              "dir/",
                              "dir/f",
                              "dir/d2/",
                              "dir/d2/g",
                              "q/",
                              "q/dir/",
                              "q/dir/z",
                              "conf.d/",
                              "conf.d/node.ini",
                              "sub/",
                              "sub/db.properties",
                              "sub/y.tmp",
                              "sub/conf.d/",
                              "sub/conf.d/node.ini",
                              "db.properties",
                              "conf.d.txt",
                              "x.tmp",
                              ".tmp",
                              "a1",
                              "a[1]",
                              "st*r",
                              "back\\slash",
                              "UP",
                              "]x",
                              "\xc3\xa9",
                              "sp ace/",
                              "linkdir"};
  return kTree;
}

FilterLookup lookup_in(const Files& files) {
  return [files](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
}

bool directly_below(const std::string& name, const std::string& dir) {
  return name.size() > dir.size() && name.compare(0, dir.size(), dir) == 0 &&
         (name.find('/', dir.size()) == std::string::npos ||
          name.find('/', dir.size()) == name.size() - 1);
}

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

Names left_out(const FilterList& list, Ask ask, const Names& tree, const Files& files,
               bool delete_excluded) {
  Names out;
  FilterWalk walk(list, {"/t/ft", delete_excluded});
  walk_below(walk, tree, lookup_in(files), ask, "", out);
  std::sort(out.begin(), out.end());
  return out;
}

FilterList list_of(const Names& options) {
  FilterList list;
  for (const std::string& option : options) {
    const std::string value = option.substr(1);
    if (option[0] == '-') list.exclude(value);
    if (option[0] == '+') list.include(value);
    if (option[0] == 'f') list.filter(value);
  }
  return list;
}

std::string error_of(const std::function<void()>& call, Fault fault) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.fault() == fault);
    return error.text();
  }
  return "no error";
}

}  // namespace xs::test
