// SPDX-License-Identifier: MIT
#include "tests/support/random_rules.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/io.h"
#include "tests/support/catch.h"

namespace xs::test {
namespace {

const std::vector<std::string> kPlain = {"foo",   "bar",    "a",        "b.o", "f.o",
                                         "x.tmp", "conf.d", "node.ini", "UP"};
const std::vector<std::string> kOdd = {
    "foo",         "bar", "a",        "ab",     ".tmp",  ".hid",     "a[1]", "a1",    "st*r",
    "back\\slash", "]x",  "\xc3\xa9", "sp ace", "-dash", "- x",      "#c",   " lead", "tail ",
    "q?",          "~",   "...",      "\xff",   "a_b",   "!",        "[",    "\\",    "x.tmp~",
    "*",           "**",  "a-b",      "^",      "Z",     "new\nline"};

}  // namespace

std::string child_prefix(const std::string& dir) { return dir.empty() ? "" : dir + "/"; }

RuleWorld RuleGenerator::world() {
  world_ = RuleWorld();
  world_.merges = dice_.one_in(2);
  world_.nested = world_.merges && dice_.one_in(3);
  // rsync reads wildcards in the name of a directory that holds an anchored rule; see
  // filter_walk.h.
  const auto& all = world_.merges ? kPlain : kOdd;
  names_.clear();
  for (std::size_t i = 0; i < 4 + dice_.below(4); ++i) names_.push_back(dice_.pick(all));
  PathTree tree;
  grow(tree, "", 0);
  world_.source = part_of(tree, world_.source_files);
  world_.before = part_of(tree, world_.before_files);
  return world_;
}

std::string RuleGenerator::pattern(const std::vector<std::string>& roots) {
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

std::string RuleGenerator::rule(const std::vector<std::string>& roots, bool sides) {
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

std::string RuleGenerator::merge_modifiers(bool& bare, bool& words) {
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

std::string RuleGenerator::contents(const std::vector<std::string>& roots, bool bare, bool words,
                                    bool sides) {
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

void RuleGenerator::fill_files(const std::vector<std::string>& roots, bool bare, bool words,
                               bool sides) {
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

void RuleGenerator::grow(PathTree& tree, const std::string& dir, std::size_t depth) {
  for (std::size_t i = 0; i < 2 + dice_.below(3) && tree.size() < 24; ++i) {
    const std::string path = child_prefix(dir) + dice_.pick(names_);
    if (tree.count(path) != 0) continue;
    const bool make_dir = depth < 3 && !dice_.one_in(3);
    tree[path] = make_dir ? PathType::Dir : dice_.one_in(8) ? PathType::Symlink : PathType::File;
    world_.paths.push_back(path);
    if (make_dir) grow(tree, path, depth + 1);
  }
  if (world_.merges) {
    for (const std::string& name : kMergeNames) {
      if (dice_.one_in(3)) tree[child_prefix(dir) + name] = PathType::File;
    }
  }
}

PathTree RuleGenerator::part_of(const PathTree& tree, Files& files) {
  PathTree part;
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

std::string RuleGenerator::from_path(const std::vector<std::string>& roots) {
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

void try_add(RuleOptions& options, const std::string& argument, const std::function<void()>& ours) {
  options.arguments.push_back(argument);
  if (options.malformed) return;
  try {
    ours();
  } catch (const Error& error) {
    REQUIRE(error.fault() == Fault::Usage);
    options.malformed = true;
  }
}

RuleOptions random_options(RuleGenerator& random, const TempDir& temp) {
  RuleOptions options;
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
      const std::string file = temp.write("from" + std::to_string(i), text);
      try_add(options, (exclude ? "--exclude-from=" : "--include-from=") + file, [&] {
        if (exclude) options.list.exclude_from(text, file);
        if (!exclude) options.list.include_from(text, file);
      });
    } else if (kind == 5) {
      bool bare_file = false;
      bool words_file = false;
      const std::string style = random.merge_modifiers(bare_file, words_file);
      const bool sides = style.find_first_of("sr") == std::string::npos;
      const std::string file = temp.write("merge" + std::to_string(i),
                                          random.contents(roots, bare_file, words_file, sides));
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

}  // namespace xs::test
