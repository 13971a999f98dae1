// SPDX-License-Identifier: MIT
// oracle OLD NEW LIVE [--excluded PATH]...: is the directory LIVE exactly OLD, exactly NEW, or a
// third thing? Called by the crash harnesses after a restart. It shares no line with the engine and
// links nothing of it, so that no mistake can be made on both sides.
// Compared are names, types, modes, owners, link targets, device numbers, contents and which names
// are one file, of every entry and of the root itself; not times. The staging area is no part of a
// tree, but after a restart it may hold nothing but the lock, the list of areas and complete
// generations for rollback.
// Ends with 0 for OLD (also when OLD equals NEW), 1 for NEW, 2 for a third thing (what differs is
// on standard output), 3 for leftovers in the staging area, 4 when it cannot tell.
// oracle --self-test: judges hand-made trees, good and bad; 0 if it judges all of them right.
// oracle --between INDEX OLD NEW LIVE: may LIVE be what a reader meets in the middle of a commit?
// A file is wholly old or wholly new, nothing that stays is missing, nothing is of neither, and the
// file INDEX is new only when all other files and symlinks of NEW are there. 0 or 2.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr const char* kArea = ".xroad-sync";

enum Verdict { kOld = 0, kNew = 1, kThird = 2, kLeftovers = 3, kCannotTell = 4 };

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw std::runtime_error(what + " " + path + ": " + std::strerror(errno));
}

struct Node {
  struct stat st {};
  std::string target;
  std::string first_name;  // the least name of the same file in this tree
};

struct Tree {
  std::string root;
  std::map<std::string, Node> nodes;  // by path below the root; the root itself is ""
  std::vector<std::string> areas;     // staging areas, which are no part of it
};

std::string join(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + '/' + name;
}

std::vector<std::string> names_in(const std::string& dir) {
  DIR* stream = ::opendir(dir.c_str());
  if (stream == nullptr) fail("opendir", dir);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  const int failed = errno;
  ::closedir(stream);
  if (failed != 0) {
    errno = failed;
    fail("readdir", dir);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string target_of(const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) fail("readlink", path);
  target.resize(static_cast<std::size_t>(length));
  return target;
}

class Reader {
 public:
  Reader(const std::string& root, const std::set<std::string>& excluded) : excluded_(excluded) {
    tree_.root = root;
  }

  Tree read() {
    visit("");
    name_groups();
    return std::move(tree_);
  }

 private:
  void visit(const std::string& path) {
    const std::string full = tree_.root + '/' + path;
    Node node;
    if (::lstat(full.c_str(), &node.st) != 0) fail("lstat", full);
    if (S_ISLNK(node.st.st_mode)) node.target = target_of(full);
    tree_.nodes[path] = node;
    if (!S_ISDIR(node.st.st_mode)) return;
    for (const std::string& name : names_in(full)) {
      const std::string below = join(path, name);
      if (excluded_.count(below) != 0) continue;
      if (name == kArea)
        tree_.areas.push_back(below);
      else
        visit(below);
    }
  }

  // The map is sorted, so the first name that is met is the least.
  void name_groups() {
    std::map<std::pair<dev_t, ino_t>, std::string> first;
    for (auto& [path, node] : tree_.nodes) {
      const auto key = std::make_pair(node.st.st_dev, node.st.st_ino);
      node.first_name = first.emplace(key, path).first->second;
    }
  }

  const std::set<std::string>& excluded_;
  Tree tree_;
};

bool same_bytes(const std::string& a, const std::string& b) {
  std::ifstream left(a, std::ios::binary);
  std::ifstream right(b, std::ios::binary);
  if (!left || !right) fail("open", left ? b : a);
  std::vector<char> of_left(1 << 16);
  std::vector<char> of_right(1 << 16);
  for (;;) {
    left.read(of_left.data(), static_cast<std::streamsize>(of_left.size()));
    right.read(of_right.data(), static_cast<std::streamsize>(of_right.size()));
    if (left.bad() || right.bad()) fail("read", left.bad() ? a : b);
    if (left.gcount() != right.gcount()) return false;
    if (!std::equal(of_left.begin(), of_left.begin() + left.gcount(), of_right.begin()))
      return false;
    if (left.gcount() < static_cast<std::streamsize>(of_left.size())) return true;
  }
}

// In what `live` differs from `wanted`, in words; empty when it does not.
std::string difference(const Tree& wanted_tree, const Tree& live_tree, const std::string& path) {
  const Node& wanted = wanted_tree.nodes.at(path);
  const Node& live = live_tree.nodes.at(path);
  if ((wanted.st.st_mode & S_IFMT) != (live.st.st_mode & S_IFMT)) return "type";
  if (wanted.st.st_uid != live.st.st_uid || wanted.st.st_gid != live.st.st_gid) return "owner";
  if (S_ISLNK(wanted.st.st_mode)) return wanted.target == live.target ? "" : "target";
  if ((wanted.st.st_mode & 07777) != (live.st.st_mode & 07777)) return "mode";
  if (wanted.first_name != live.first_name) return "hard links";
  if (wanted.st.st_rdev != live.st.st_rdev) return "device number";
  if (!S_ISREG(wanted.st.st_mode)) return "";
  if (wanted.st.st_size != live.st.st_size) return "size";
  const bool same = same_bytes(wanted_tree.root + '/' + path, live_tree.root + '/' + path);
  return same ? "" : "contents";
}

std::vector<std::string> differences(const Tree& wanted, const Tree& live) {
  std::vector<std::string> found;
  for (const auto& [path, node] : wanted.nodes) {
    if (live.nodes.count(path) == 0) {
      found.push_back("missing: " + path);
      continue;
    }
    const std::string what = difference(wanted, live, path);
    if (!what.empty()) found.push_back(what + ": " + (path.empty() ? "." : path));
  }
  for (const auto& [path, node] : live.nodes) {
    if (wanted.nodes.count(path) == 0) found.push_back("extra: " + path);
  }
  return found;
}

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

bool is_dir(const Tree& tree, const std::string& path) {
  const auto found = tree.nodes.find(path);
  return found != tree.nodes.end() && S_ISDIR(found->second.st.st_mode);
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

struct Judgement {
  Verdict verdict = kCannotTell;
  std::vector<std::string> words;
};

Judgement judge(const std::string& old_root, const std::string& new_root,
                const std::string& live_root, const std::set<std::string>& excluded) {
  const Tree live = Reader(live_root, excluded).read();
  Judgement result;
  result.words = leftovers(live);
  if (!result.words.empty()) {
    result.verdict = kLeftovers;
    return result;
  }
  const auto from_old = differences(Reader(old_root, excluded).read(), live);
  if (from_old.empty()) return {kOld, {}};
  const auto from_new = differences(Reader(new_root, excluded).read(), live);
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
  result.words = not_between(Reader(old_root, none).read(), Reader(new_root, none).read(),
                             Reader(live_root, none).read(), index);
  result.verdict = result.words.empty() ? kOld : kThird;
  return result;
}

// The self-test: three small trees in a place of their own, and one change to the live one.
class Bench {
 public:
  Bench() {
    std::string pattern = (fs::temp_directory_path() / "xs-oracle-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("mkdtemp", pattern);
    home_ = pattern;
  }
  ~Bench() {
    std::error_code ignored;
    fs::remove_all(home_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Verdict ask(bool start_new, const std::function<void(const fs::path&)>& change,
              const std::set<std::string>& excluded, bool between) {
    for (const char* name : {"old", "new", "live"}) fs::remove_all(home_ / name);
    plant(home_ / "old", false);
    plant(home_ / "new", true);
    plant(home_ / "live", start_new);
    change(home_ / "live");
    if (between) return judge_between("d/b", home_ / "old", home_ / "new", home_ / "live").verdict;
    return judge(home_ / "old", home_ / "new", home_ / "live", excluded).verdict;
  }

 private:
  static void put(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
    fs::permissions(path, fs::perms(0640));
  }

  static void plant(const fs::path& root, bool is_new) {
    fs::create_directories(root / "d/empty");
    put(root / "a", "same");
    put(root / "d/b", is_new ? "after" : "befor");
    if (is_new) put(root / "d/c", "only new");
    put(root / "h1", "linked");
    fs::create_hard_link(root / "h1", root / "h2");
    put(root / "h3", "linked");
    fs::create_symlink("a", root / "l");
  }

  fs::path home_;
};

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Case {
  const char* name;
  Verdict expected;
  bool start_new;
  std::function<void(const fs::path&)> change;
  std::set<std::string> excluded = {};
  bool between = false;
};

std::vector<Case> good_cases() {
  return {
      {"old", kOld, false, [](auto&) {}},
      {"new", kNew, true, [](auto&) {}},
      {"new by hand", kNew, false,
       [](auto& live) {
         write(live / "d/b", "after");
         write(live / "d/c", "only new");
         fs::permissions(live / "d/c", fs::perms(0640));
       }},
      {"an excluded path",
       kOld,
       false,
       [](auto& live) {
         write(live / "a", "other");
         fs::create_directory(live / "d/x");
         write(live / "d/x/y", "extra");
       },
       {"a", "d/x"}},
      {"an excluded staging area",
       kOld,
       false,
       [](auto& live) { fs::create_directories(live / ".xroad-sync/run-1"); },
       {".xroad-sync"}},
      {"a clean staging area", kOld, false,
       [](auto& live) {
         fs::create_directories(live / ".xroad-sync/previous/1");
         write(live / ".xroad-sync/lock", "");
         write(live / ".xroad-sync/areas", "x");
         write(live / ".xroad-sync/previous/1/manifest", "x");
       }},
  };
}

std::vector<Case> bad_trees() {
  return {
      {"a byte", kThird, false, [](auto& live) { write(live / "a", "sbme"); }},
      {"a torn file", kThird, false, [](auto& live) { write(live / "d/b", "aftor"); }},
      {"a short file", kThird, true, [](auto& live) { write(live / "d/c", "only"); }},
      {"half new", kThird, false, [](auto& live) { write(live / "d/b", "after"); }},
      {"half old", kThird, true, [](auto& live) { fs::remove(live / "d/c"); }},
      {"missing", kThird, false, [](auto& live) { fs::remove(live / "a"); }},
      {"a missing directory", kThird, false, [](auto& live) { fs::remove(live / "d/empty"); }},
      {"extra", kThird, false, [](auto& live) { write(live / "z", ""); }},
      {"mode", kThird, false, [](auto& live) { fs::permissions(live / "a", fs::perms(0600)); }},
      {"mode of a directory", kThird, false,
       [](auto& live) { fs::permissions(live / "d", fs::perms(0700)); }},
      {"mode of the root", kThird, false,
       [](auto& live) { fs::permissions(live, fs::perms(0700)); }},
      {"target", kThird, false,
       [](auto& live) {
         fs::remove(live / "l");
         fs::create_symlink("b", live / "l");
       }},
      {"a symlink became its file", kThird, false,
       [](auto& live) {
         fs::remove(live / "l");
         fs::copy_file(live / "a", live / "l");
       }},
      {"a directory became a file", kThird, false,
       [](auto& live) {
         fs::remove(live / "d/empty");
         write(live / "d/empty", "");
       }},
      {"a broken hard link", kThird, false,
       [](auto& live) {
         fs::remove(live / "h2");
         fs::copy_file(live / "h1", live / "h2");
       }},
      {"a hard link too many", kThird, false,
       [](auto& live) {
         fs::remove(live / "h3");
         fs::create_hard_link(live / "h1", live / "h3");
       }},
  };
}

std::vector<Case> leftover_cases() {
  return {
      {"a journal", kLeftovers, false,
       [](auto& live) {
         fs::create_directory(live / ".xroad-sync");
         write(live / ".xroad-sync/journal", "");
       }},
      {"a run", kLeftovers, true,
       [](auto& live) { fs::create_directories(live / ".xroad-sync/run-0000000000000001"); }},
      {"a generation that never was", kLeftovers, true,
       [](auto& live) {
         fs::create_directories(live / ".xroad-sync/previous/1");
         write(live / ".xroad-sync/previous/1/pending", "");
       }},
      {"a run in a second area", kLeftovers, false,
       [](auto& live) { fs::create_directories(live / "d/.xroad-sync/run-1"); }},
  };
}

std::vector<Case> between_cases() {
  std::vector<Case> cases = {
      {"old, between", kOld, false, [](auto&) {}},
      {"new, between", kOld, true, [](auto&) {}},
      {"all but the index", kOld, true, [](auto& live) { write(live / "d/b", "befor"); }},
      {"an index ahead", kThird, false, [](auto& live) { write(live / "d/b", "after"); }},
      {"torn", kThird, false, [](auto& live) { write(live / "d/b", "aftor"); }},
      {"missing meanwhile", kThird, false, [](auto& live) { fs::remove(live / "a"); }},
      {"of neither", kThird, true, [](auto& live) { write(live / "z", ""); }},
  };
  for (Case& each : cases) each.between = true;
  return cases;
}

int self_test() {
  Bench bench;
  std::vector<Case> cases = good_cases();
  for (auto& more : bad_trees()) cases.push_back(more);
  for (auto& more : leftover_cases()) cases.push_back(more);
  for (auto& more : between_cases()) cases.push_back(more);
  if (::geteuid() == 0) {
    cases.push_back({"owner", kThird, false, [](auto& live) {
                       if (::lchown((live / "l").c_str(), 1, 1) != 0) fail("lchown", live);
                     }});
  }
  int wrong = 0;
  for (const Case& each : cases) {
    const Verdict got = bench.ask(each.start_new, each.change, each.excluded, each.between);
    if (got == each.expected) continue;
    std::printf("'%s' was judged %d, not %d\n", each.name, got, each.expected);
    ++wrong;
  }
  std::printf("%zu trees, %d judged wrongly\n", cases.size(), wrong);
  return wrong == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0] == "--self-test") return self_test();
  std::vector<std::string> roots;
  std::set<std::string> excluded;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "--excluded" && at + 1 < words.size())
      excluded.insert(words[++at]);
    else
      roots.push_back(words[at]);
  }
  const bool between = roots.size() == 5 && roots[0] == "--between";
  if (roots.size() != 3 && !between) {
    std::fprintf(stderr, "usage: oracle OLD NEW LIVE [--excluded PATH]... | oracle --self-test\n");
    return kCannotTell;
  }
  const Judgement result = between ? judge_between(roots[1], roots[2], roots[3], roots[4])
                                   : judge(roots[0], roots[1], roots[2], excluded);
  for (const std::string& line : result.words) std::printf("%s\n", line.c_str());
  return result.verdict;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "oracle: %s\n", error.what());
    return kCannotTell;
  }
}
