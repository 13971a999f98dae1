// SPDX-License-Identifier: MIT
// `replication setup primary` with certificates: the server must be able to load them, by its own
// rules and with its own rights, and must have loaded them at the end.
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/io.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

std::optional<Error> failure(Pair& pair) {
  return thrown_by([&] { pair.setup_primary(); });
}

}  // namespace

TEST_CASE("setup given: a key that the server may not read, or would not take, is refused",
          "[replication][database]") {
  if (without_postgres()) return;
  if (::geteuid() != 0) {
    WARN("skipped: only root can give a key to root");
    return;
  }
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  // As a certificate of the organisation's is laid: in a directory of root's.
  const TempDir roots;
  fs::permissions(roots.path(), fs::perms(0755));
  for (const char* name : {"ca.crt", "server.crt", "server.key"}) {
    fs::copy_file(pair.primary.dir() / "pki/" + name, roots / name);
  }
  pair.primary_setup.given = {roots / "ca.crt", roots / "server.crt", roots / "server.key"};
  const passwd* owner = ::getpwnam(postgres_account().c_str());
  REQUIRE(owner != nullptr);
  const uid_t user = owner->pw_uid;
  const gid_t group = owner->pw_gid;
  const auto key = [&](uid_t uid, gid_t gid, mode_t mode) {
    REQUIRE(::chown((roots / "server.key").c_str(), uid, gid) == 0);
    REQUIRE(::chmod((roots / "server.key").c_str(), mode) == 0);
  };
  const auto refused = [&](Fault fault, const std::string& words) {
    const auto error =
        thrown_by([&] { plan_primary(pair.primary_setup, pair.clock, pair.wall()); });
    REQUIRE(error);
    INFO(error->text());
    CHECK(error->fault() == fault);
    CHECK_THAT(error->text(), Contains(words) && Contains("server.key"));
  };
  key(0, 0, 0600);
  refused(Fault::Usage, "not readable by");
  key(user, group, 0640);
  refused(Fault::Refused, "chmod 600");
  key(0, group, 0644);
  refused(Fault::Refused, "chmod 600");
  key(0, group, 0640);
  CHECK(pair.setup_primary());
  // It starts again with what it has been given.
  pair.primary.stop();
  pair.primary.start();
  CHECK(pair.primary.value("show ssl_key_file") == roots / "server.key");
  key(user, group, 0600);
  CHECK(failure(pair) == std::nullopt);
}

TEST_CASE("setup given: a renewed certificate that the server does not take is no success",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  // What keeps it from loading its certificates is somebody else's line.
  pair.primary.append("postgresql.conf", "ssl_crl_file = '/nowhere/list.crl'\n");
  for (const char* name : {"/server.crt", "/server.key"}) {
    fs::remove(pair.primary.dir() / "pki" + name);
  }
  for (int i = 0; i < 2; ++i) {  // nor at the second try, when the files are older than its reload
    const auto error = failure(pair);
    REQUIRE(error);
    INFO(error->text());
    CHECK(error->fault() == Fault::Mismatch);
    CHECK_THAT(error->text(), Contains("does not take the certificate"));
  }
  CHECK_THAT(pair.primary.log(), Contains("/nowhere/list.crl"));
  pair.primary.append("postgresql.conf", "ssl_crl_file = ''\n");
  CHECK(pair.setup_primary());
  CHECK_FALSE(pair.setup_primary());
}

TEST_CASE("setup given: a standby that does not take its renewed certificate goes on as it was",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  const std::string old = read_file(pair.standby.dir() / "pki/server.crt", 1U << 16);
  for (const char* name : {"/server.crt", "/server.key"}) {
    fs::remove(pair.primary.dir() / "pki/bundles/ss2" + name);
  }
  pair.setup_primary();
  pair.standby.append("postgresql.conf", "ssl_crl_file = '/nowhere/list.crl'\n");
  const auto error = thrown_by([&] { pair.setup_standby(); });
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == Fault::Mismatch);
  CHECK_THAT(error->text(), Contains("does not take the certificate"));
  CHECK(read_file(pair.standby.dir() / "pki/server.crt", 1U << 16) == old);
  CHECK(pair.row_arrives("one"));
  pair.standby.append("postgresql.conf", "ssl_crl_file = ''\n");
  CHECK(pair.setup_standby());
  CHECK(read_file(pair.standby.dir() / "pki/server.crt", 1U << 16) != old);
  CHECK(pair.row_arrives("two"));
  CHECK_FALSE(pair.setup_standby());
}
