// SPDX-License-Identifier: MIT
#include "tests/crash/oracle_judge.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/crash/oracle_tree.h"

namespace oracle {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> leftovers(const Tree& live) {
  std::vector<std::string> found;
  for (const std::string& area : live.areas) {
    const std::string full = live.root + '/' + area;
    for (const std::string& name : names_in(full)) {
      if (name != "lock" && name != "areas" && name != "previous")
        found.push_back(join(area, name));
    }
    const std::string previous = full + "/previous";
    if (!fs::is_directory(previous)) continue;
    for (const std::string& generation : names_in(previous)) {
      if (fs::exists(previous + '/' + generation + "/pending"))
        found.push_back(join(area, "previous/" + generation + "/pending"));
    }
  }
  return found;
}

// Of a path in `live`: equal to what `tree` has there. Links are made one by one, so not they.
bool same_here(const Tree& tree, const Tree& live, const std::string& path) {
  if (tree.nodes.count(path) == 0 || live.nodes.count(path) == 0) return false;
  const std::string what = difference(tree, live, path);
  return what.empty() || what == "hard links";
}

// Only attributes change, and that is several calls.
bool same_but_attributes(const Tree& a, const Tree& b, const std::string& path) {
  if (a.nodes.count(path) == 0 || b.nodes.count(path) == 0) return false;
  const mode_t type = a.nodes.at(path).st.st_mode & S_IFMT;
  if (type != (b.nodes.at(path).st.st_mode & S_IFMT)) return false;
  return S_ISDIR(type) || (S_ISREG(type) && same_bytes(a.root + '/' + path, b.root + '/' + path));
}

std::vector<std::string> not_between(const Tree& before, const Tree& after, const Tree& live,
                                     const std::string& index) {
  std::vector<std::string> found;
  for (const auto& [path, node] : live.nodes) {
    if (same_here(before, live, path) || same_here(after, live, path)) continue;
    const bool like_old = same_but_attributes(before, live, path);
    const bool dir = is_dir(live, path) && (like_old || same_but_attributes(after, live, path));
    if (!dir && !(like_old && same_but_attributes(before, after, path)))
      found.push_back("neither old nor new: " + path);
  }
  for (const auto& [path, node] : before.nodes) {
    const bool stays = after.nodes.count(path) != 0 && is_dir(before, path) == is_dir(after, path);
    if (stays && live.nodes.count(path) == 0) found.push_back("missing meanwhile: " + path);
  }
  if (same_here(before, live, index) || !same_here(after, live, index)) return found;
  for (const auto& [path, node] : after.nodes) {
    const bool there = live.nodes.count(path) != 0 &&
                       (same_here(after, live, path) || same_but_attributes(after, live, path));
    if (!is_dir(after, path) && !there) found.push_back("not there before its index: " + path);
  }
  return found;
}

}  // namespace

Judgement judge(const std::string& old_root, const std::string& new_root,
                const std::string& live_root, const std::set<std::string>& excluded) {
  const Tree live = read_tree(live_root, excluded);
  Judgement result;
  result.words = leftovers(live);
  if (!result.words.empty()) {
    result.verdict = kLeftovers;
    return result;
  }
  const auto from_old = differences(read_tree(old_root, excluded), live);
  if (from_old.empty()) return {kOld, {}};
  const auto from_new = differences(read_tree(new_root, excluded), live);
  if (from_new.empty()) return {kNew, {}};
  result.verdict = kThird;
  for (const std::string& what : from_old) result.words.push_back("not old: " + what);
  for (const std::string& what : from_new) result.words.push_back("not new: " + what);
  return result;
}

Judgement judge_between(const std::string& index, const std::string& old_root,
                        const std::string& new_root, const std::string& live_root) {
  const std::set<std::string> none;
  Judgement result;
  result.words = not_between(read_tree(old_root, none), read_tree(new_root, none),
                             read_tree(live_root, none), index);
  result.verdict = result.words.empty() ? kOld : kThird;
  return result;
}

}  // namespace oracle
