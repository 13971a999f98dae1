// SPDX-License-Identifier: MIT
#include "tests/crash/kill_workloads.h"

#include <unistd.h>

#include <fstream>

#include "base/error.h"

namespace xs::test {
namespace {

namespace fs = std::filesystem;

class Tree {
 public:
  explicit Tree(fs::path root) : root_(std::move(root)) {}

  Tree& file(const std::string& path, const std::string& text, unsigned mode = 0640) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary | std::ios::trunc) << text;
    return mode_of(path, mode);
  }
  Tree& dir(const std::string& path, unsigned mode = 0750) {
    fs::create_directories(root_ / path);
    return mode_of(path, mode);
  }
  Tree& symlink(const std::string& path, const std::string& target) {
    fs::create_symlink(target, root_ / path);
    return *this;
  }
  Tree& link(const std::string& path, const std::string& from) {
    fs::create_hard_link(root_ / from, root_ / path);
    return *this;
  }
  Tree& gone(const std::string& path) {
    if (fs::remove_all(root_ / path) == 0)
      throw Error(Fault::Usage, "nothing to remove at " + path);
    return *this;
  }
  Tree& move(const std::string& from, const std::string& to) {
    fs::rename(root_ / from, root_ / to);
    return *this;
  }
  Tree& mode_of(const std::string& path, unsigned mode) {
    fs::permissions(root_ / path, fs::perms(mode));
    return *this;
  }
  Tree& owner_of(const std::string& path, unsigned id) {
    if (::geteuid() == 0 && ::lchown((root_ / path).c_str(), id, id) != 0)
      throw_errno("lchown", path);
    return *this;
  }

 private:
  fs::path root_;
};

// Bytes that do not compress away; the same for the same seed.
std::string noise(std::size_t size, std::uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<char>(seed >> 24U);
  }
  return bytes;
}

constexpr std::size_t kBig = 100'000;  // above the size from which deltas are made

void replace_files(const fs::path& root) {
  Tree tree(root);
  std::string big = noise(kBig, 5);
  big.replace(50'000, 20, "twenty changed bytes");
  tree.file("big.bin", big).file("signer/keyconf.xml", "<keys>1 2 3</keys>");
  tree.file("signer/softtoken/key3.p12", noise(9000, 8), 0600);
}

void delete_several(const fs::path& root) {
  Tree tree(root);
  tree.gone("backup.d").gone("empty").gone("current").gone("ssl/internal.key").gone("links/two");
  tree.gone("signer/softtoken/key2.p12").file("signer/keyconf.xml", "<keys>1</keys>");
}

void change_types(const fs::path& root) {
  Tree tree(root);
  tree.gone("backup.d").file("backup.d", "now a file").gone("empty").file("empty", "not empty");
  tree.gone("conf.d/local.ini").file("conf.d/local.ini/inside", "below what was a file");
  tree.gone("current").file("current/new", "below what was a symlink");
  tree.gone("ssl").symlink("ssl", "conf.d").gone("big.bin").symlink("big.bin", "nowhere");
  tree.gone("conf.d/default").file("conf.d/default", noise(6000, 9));
}

void retarget_and_chmod(const fs::path& root) {
  Tree tree(root);
  tree.gone("current").symlink("current", "conf.d/devices.ini");
  tree.gone("conf.d/default").symlink("conf.d/default", "../signer");
  tree.mode_of("ssl/internal.crt", 0600).mode_of("watched", 0700).mode_of("backup.d/deep", 0711);
  tree.mode_of("signer/keyconf.xml", 0600).owner_of("signer/softtoken/key1.p12", 1);
  tree.owner_of("watched", 1).owner_of("current", 1);
}

void many_new(const fs::path& root) {
  Tree tree(root);
  for (unsigned i = 0; i < 30; ++i) {
    const std::size_t size = i % 10 == 0 ? 20'000 : 100 + i;
    tree.file("new" + std::to_string(i % 3) + "/sub/f" + std::to_string(i), noise(size, 100 + i));
  }
}

void links_and_moves(const fs::path& root) {
  Tree tree(root);
  tree.move("backup.d", "backup.new").gone("links/two").link("links/two", "links/three");
  tree.link("links/four", "links/three").link("signer/softtoken/key4.p12", "links/one");
  tree.file("fresh/1", noise(6000, 10)).link("fresh/2", "fresh/1");
  tree.file("signer/keyconf.xml", "<keys>1 2 4</keys>");
}

}  // namespace

void plant_old(const std::filesystem::path& root) {
  Tree tree(root);
  tree.file("signer/keyconf.xml", "<keys>1 2</keys>");
  tree.file("signer/softtoken/key1.p12", noise(2000, 1), 0600);
  tree.file("signer/softtoken/key2.p12", noise(2100, 2), 0600);
  tree.file("conf.d/local.ini", "[local]\na = 1\n").file("conf.d/devices.ini", "[devices]\n");
  tree.file("ssl/internal.crt", noise(1500, 3), 0644)
      .file("ssl/internal.key", noise(1700, 4), 0600);
  tree.file("backup.d/deep/deeper/a", "a").file("backup.d/deep/b", "b").file("backup.d/c", "c");
  tree.file("big.bin", noise(kBig, 5)).dir("empty").dir("watched", 0770);
  tree.file("links/one", noise(5000, 6)).link("links/two", "links/one");
  tree.file("links/three", noise(5000, 7)).symlink("current", "conf.d/local.ini");
  tree.symlink("conf.d/default", "../ssl").file("watched/x", "x");
}

const std::array<Workload, 6>& workloads() {
  static const std::array<Workload, 6> all{{{"replace", replace_files},
                                            {"delete", delete_several},
                                            {"types", change_types},
                                            {"links", retarget_and_chmod},
                                            {"many", many_new},
                                            {"hardlinks", links_and_moves}}};
  return all;
}

}  // namespace xs::test
