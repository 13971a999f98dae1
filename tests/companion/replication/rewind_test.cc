// SPDX-License-Identifier: MIT
#include "companion/replication/rewind.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/io.h"
#include "companion/replication/rejoin_copy.h"
#include "tests/companion/replication/deaths.h"
#include "tests/companion/replication/node.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

// A data directory, as far as these pieces look at one.
struct Data {
  TempDir dir;
  Cluster cluster;

  Data() {
    give_to_postgres(dir.path());
    cluster.data = cluster.config = dir / "data";
    cluster.owner = postgres_account();
    cluster.user = find_user(cluster.owner).value();
    add("PG_VERSION", "15");
    add("base/1/1259", "a table");
    add("postgresql.conf", "ours");
    add("conf.d/tls.conf", "ours");
    add("server.key", "our secret");
    add("log/monday", "our log");
  }
  void add(const std::string& name, const std::string& text) const { put("data/" + name, text); }
  void put(const std::string& name, const std::string& text) const {
    for (std::size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1)) {
      const std::string path = dir / name.substr(0, slash);
      if (fs::create_directory(path)) give_to_postgres(path);
    }
    std::ofstream(dir / name) << text;
    give_to_postgres(dir / name);
  }
  std::string text(const std::string& name) const {
    return read_file_if_exists(cluster.data + "/" + name, 100).value_or("(none)");
  }
  // What a pg_rewind brings from a source and takes away.
  void rewind(const RewindPlace& place) const {
    fs::remove(place.parked_data() + "/standby.signal");
    put("data.xroad-rejoin/data/postgresql.conf", "theirs");
    put("data.xroad-rejoin/data/conf.d/theirs.conf", "theirs");
    put("data.xroad-rejoin/data/their.key", "their secret");
    put("data.xroad-rejoin/data/base/1/1259", "their table");
  }
  void check_ours(const std::string& table) const {
    CHECK(text("standby.signal").empty());
    CHECK(text("base/1/1259") == table);
    CHECK(text("postgresql.conf") == "ours");
    CHECK(text("conf.d/tls.conf") == "ours");
    CHECK(text("server.key") == "our secret");
    CHECK(text("log/monday") == "our log");
    CHECK(text("conf.d/theirs.conf") == "(none)");
    CHECK(text("their.key") == "(none)");
  }
};

}  // namespace

TEST_CASE("rewind: this node's own files survive what comes from the source", "[replication]") {
  const Data data;
  RewindPlace place(data.cluster);
  place.hold();
  CHECK_FALSE(place.parked());
  place.park();
  CHECK(place.parked());
  CHECK_FALSE(fs::exists(data.cluster.data));  // nobody can start it
  CHECK_FALSE(fs::exists(place.parked_data() + "/postgresql.conf"));
  data.rewind(place);
  place.put_back();
  data.check_ours("their table");
  CHECK_FALSE(place.parked());
  place.clear();
  CHECK_FALSE(place.exists());
}

TEST_CASE("rewind: taking out and putting back go on where they were killed", "[replication]") {
  // Killed after any number of this node's entries was taken out, and of them was put back.
  const int out = GENERATE(0, 1, 2, 3, 4);
  const bool rewound = out == 4;
  const int back = GENERATE(0, 1, 2, 3, 4);
  CAPTURE(out, back);
  const Data data;
  RewindPlace place(data.cluster);
  place.hold();
  const std::vector<std::string> own{"postgresql.conf", "conf.d", "server.key", "log"};
  if (rewound) {
    place.park();
    data.rewind(place);
    // Up to here put_back() has removed the source's and noted it.
    if (back > 0) {
      for (const char* name : {"postgresql.conf", "conf.d", "their.key"}) {
        fs::remove_all(place.parked_data() + "/" + name);
      }
      data.put("data.xroad-rejoin/source-removed", "");
    }
    for (int i = 0; i < back; ++i) {
      fs::rename(place.directory() + "/own/" + own[static_cast<std::size_t>(i)],
                 place.parked_data() + "/" + own[static_cast<std::size_t>(i)]);
    }
  } else {
    fs::rename(data.cluster.data, place.parked_data());
    if (out > 0) fs::create_directory(place.directory() + "/own");
    if (out > 0) give_to_postgres(place.directory() + "/own");
    for (int i = 0; i < out; ++i) {
      fs::rename(place.parked_data() + "/" + own[static_cast<std::size_t>(i)],
                 place.directory() + "/own/" + own[static_cast<std::size_t>(i)]);
    }
  }
  CHECK(place.parked());
  place.put_back();
  data.check_ours(rewound ? "their table" : "a table");
  place.clear();
}

TEST_CASE("rewind: one run at a time, and nobody else's directory", "[replication]") {
  const Data data;
  RewindPlace place(data.cluster);
  place.hold();
  RewindPlace second(data.cluster);
  const auto locked = thrown_by([&] { second.hold(); });
  REQUIRE(locked);
  CHECK(exit_code(locked->fault()) == 40);
  place.park();
  const auto kept = thrown_by([&] { place.clear(); });
  REQUIRE(kept);
  CHECK(exit_code(kept->fault()) == 25);
  CHECK(fs::exists(place.parked_data() + "/base/1/1259"));

  const Data other;
  other.put("data.xroad-rejoin/precious", "x");
  RewindPlace taken(other.cluster);
  const auto refused = thrown_by([&] { taken.hold(); });
  REQUIRE(refused);
  CHECK(exit_code(refused->fault()) == 25);
  CHECK_THAT(refused->text(), Contains("is not ours"));
}

TEST_CASE("rewind: PostgreSQL's data is not taken for this node's own", "[replication]") {
  for (const char* name : {"base", "pg_wal", "PG_VERSION", "backup_label.old", "standby.signal",
                           "pg_xact", "postmaster.pid", "global"}) {
    CHECK_FALSE(is_own_entry(name));
  }
  for (const char* name : {"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf",
                           "pg_ident.conf", "server.key", "log", "conf.d", "pg_log"}) {
    CHECK(is_own_entry(name));
  }
}

TEST_CASE("rewind: a node's own files are durable in a copy before it may take the data's place",
          "[replication]") {
  const Data data;
  data.add("postgresql.auto.conf", "ours");
  data.put("copy/base/1/1259", "a table");
  data.put("copy/postgresql.conf", "theirs");
  data.put("copy/conf.d/theirs.conf", "theirs");
  const std::string from = data.dir / "data";
  const std::string to = data.dir / "copy";
  const auto copy = [&] {
    const AsOwner rights(data.cluster.user);
    copy_own_entries(from, to);
  };
  const std::string words = words_when_failing(SYS_fsync, EIO, copy);
  CHECK_THAT(words, Contains("fsync '" + to + "/") && Contains("Input/output error"));
  copy();
  CHECK(data.dir.read("copy/base/1/1259") == "a table");
  CHECK(data.dir.read("copy/postgresql.conf") == "ours");
  CHECK(data.dir.read("copy/conf.d/tls.conf") == "ours");
  CHECK(data.dir.read("copy/log/monday") == "our log");
  CHECK_FALSE(fs::exists(data.dir / "copy/conf.d/theirs.conf"));
}
