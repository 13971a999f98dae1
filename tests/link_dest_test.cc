// SPDX-License-Identifier: MIT
// Files that are the same elsewhere, against the real rsync.
#include "sync/link_dest.h"

#include <sys/stat.h>

#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/mixes.h"
#include "tests/support/rsync.h"

using namespace xs;
using test::kSecond;
using test::Mix;
using test::plain;
using test::pull;
using test::rsync_is_here;
using test::TempTree;
using test::text_of;

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
