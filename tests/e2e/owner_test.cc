// SPDX-License-Identifier: MIT
// Root in a tree that belongs to somebody else: it works as that account, so that neither what
// stands in the tree nor the order of the runs gives the account anything of root's.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "sync/areas.h"
#include "sync/journal.h"
#include "sync/real_disk.h"
#include "tests/support/catch.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using xs::test::Primary;
using xs::test::Ran;
using xs::test::Secondary;

namespace {

constexpr unsigned kNobody = 65534;

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

unsigned owner_of(const std::string& path) {
  struct stat st {};
  INFO(path);
  REQUIRE(::lstat(path.c_str(), &st) == 0);
  return st.st_uid;
}

// A secondary whose tree, key and state are nobody's.
struct Foreign {
  Primary primary{XS_SERVER};
  xs::test::TempDir home;
  Secondary second{primary, XS_CLIENT, home.write("key", slurp(primary.let_in()))};

  Foreign() {
    for (const std::string& path :
         {home.path(), home / "key", second.dir.path(), second.file("known_hosts")})
      if (::chown(path.c_str(), kNobody, kNobody) != 0) throw std::runtime_error("chown " + path);
    for (const char* name : {"", "conf.d", "conf.d/node.ini", "db.properties"}) give(name);
  }

  void give(const std::string& name) {
    if (::lchown(second.etc.path_of(name).c_str(), kNobody, kNobody) != 0)
      throw std::runtime_error("chown " + name);
  }

  Ran as_nobody() const {
    std::vector<std::string> words = second.command();
    words.insert(words.begin(),
                 {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
    return xs::test::run_apart(words);
  }
};

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("only root can become somebody else: nothing was tested");
  return false;
}

// What the owner of the tree can leave for root to find.
void forge(const Secondary& second) {
  const int done = xs::test::as_nobody([&] {
    const xs::Dir root = xs::Dir::open_root(second.etc.path());
    xs::RealDisk disk(root);
    xs::ensure_area(disk, "");
    disk.mkdir("evil", 0700);
    xs::Journal journal;
    journal.id = 7;
    journal.steps.resize(1);
    journal.steps[0].kind = xs::ActionKind::DirAttributes;
    journal.steps[0].path = "evil";
    journal.steps[0].attributes.mode = 0755;
    journal.steps[0].attributes.uid = 0;
    disk.mkdir(xs::run_dir("", journal.id), 0700);
    xs::write_journal(disk, journal);
    return 0;
  });
  REQUIRE(done == 0);
}

}  // namespace

TEST_CASE("owner: no verb carries out with root's rights what the tree's owner left", "[e2e]") {
  if (!is_root()) return;
  for (const char* verb : {"pull", "diff", "verify", "generations", "rollback", "doctor"}) {
    Foreign nodes;
    nodes.primary.etc.dir("evil");
    forge(nodes.second);
    const Ran ran = nodes.second.run({verb});
    INFO(verb << "\n" << ran.out << ran.err);
    CHECK(owner_of(nodes.second.etc.path_of("evil")) == kNobody);
    CHECK_THAT(ran.err, Contains("runs as 'nobody'"));
  }
}

TEST_CASE("owner: root and the owner take turns, and all of it stays the owner's", "[e2e]") {
  if (!is_root()) return;
  Foreign nodes;
  REQUIRE(::chmod(nodes.second.file("sync.ini").c_str(), 0644) == 0);
  const Ran first = nodes.second.run();
  INFO(first.out << first.err);
  REQUIRE(first.code == 0);
  for (const char* name : {"sync.log", "status.json"})
    CHECK(owner_of(nodes.second.file(name)) == kNobody);
  for (const char* name : {".xroad-sync", ".xroad-sync/lock", "signer", "signer/keyconf.xml"})
    CHECK(owner_of(nodes.second.etc.path_of(name)) == kNobody);
  if (xs::test::as_nobody([] { return ::access(XS_CLIENT, X_OK); }) != 0) {
    WARN("nobody cannot reach the program: its own turn was not tested");
    return;
  }
  nodes.primary.etc.file("signer/keyconf.xml", "<keyConf>2</keyConf>\n", 0640);
  const Ran second = nodes.as_nobody();
  INFO(second.out << second.err);
  CHECK(second.code == 0);
  CHECK_THAT(second.err, !Contains("the log") && !Contains("the status"));
  nodes.primary.etc.file("signer/keyconf.xml", "<keyConf>3</keyConf>\n", 0640);
  const Ran third = nodes.second.run();
  INFO(third.out << third.err);
  CHECK(third.code == 0);
  CHECK_THAT(third.err, !Contains("the log") && !Contains("the status"));
  CHECK(nodes.second.etc.read("signer/keyconf.xml") == "<keyConf>3</keyConf>\n");
}

TEST_CASE("owner: a tree of nobody known is refused before anything is touched", "[e2e]") {
  if (!is_root()) return;
  Foreign nodes;
  nodes.second.etc.owner("conf.d/node.ini", 0, 0);
  REQUIRE(::chown(nodes.second.etc.path().c_str(), 3999999999U, 0) == 0);
  const Ran ran = nodes.second.run();
  INFO(ran.err);
  CHECK(ran.code == 3);
  CHECK_THAT(ran.err, Contains("3999999999") && Contains("no account"));
  CHECK_FALSE(nodes.second.etc.exists(".xroad-sync"));
}
