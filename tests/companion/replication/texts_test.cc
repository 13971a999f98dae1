// SPDX-License-Identifier: MIT
// The pure parts of set-up: marked blocks, profiles, passwords, certificates.
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/node_pki.h"
#include "companion/replication/primary_before.h"
#include "companion/replication/profile.h"
#include "companion/replication/scram.h"
#include "companion/replication/setup_primary.h"
#include "companion/wall.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::TempDir;
using test::thrown_by;

namespace {

constexpr const char* kBegin =
    "# BEGIN xroad-companion replication: `xroad-companion replication setup` rewrites these "
    "lines\n";
constexpr const char* kEnd = "# END xroad-companion\n";

std::string block(const std::string& lines) { return kBegin + lines + kEnd; }

template <class Work>
void fails(Fault fault, const std::string& words, Work&& work) {
  const auto error = thrown_by(work);
  REQUIRE(error);
  CHECK(error->fault() == fault);
  CHECK_THAT(error->text(), Contains(words));
}

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::int64_t kDay = 86'400;

}  // namespace

TEST_CASE("block: it is put in, replaced and taken out, and every other byte stays",
          "[replication]") {
  const std::string text = "a = 1\n\n# note\nb = 2";
  const std::string once = with_block(text, "x = 1\n", BlockPlace::End, "f");
  CHECK(once == text + "\n" + block("x = 1\n"));
  CHECK(with_block(once, "x = 1\n", BlockPlace::End, "f") == once);
  // What came behind it stays behind it, and wins: somebody wanted that.
  CHECK(with_block(once + "c = 3\n", "x = 2\n", BlockPlace::End, "f") ==
        text + "\n" + block("x = 2\n") + "c = 3\n");
  CHECK(find_block(once, "f") == "x = 1\n");
  CHECK_FALSE(find_block(text, "f"));
  CHECK(without_block(once, "f") == text + "\n");
  CHECK(with_block("", "x = 1\n", BlockPlace::End, "f") == block("x = 1\n"));
}

TEST_CASE("block: on top it stands before every line that would win, also when it was moved",
          "[replication]") {
  const std::string text = "local all all trust\n";
  const std::string once = with_block(text, "host a\n", BlockPlace::Top, "f");
  CHECK(once == block("host a\n") + text);
  CHECK(with_block(once, "host a\n", BlockPlace::Top, "f") == once);
  CHECK(with_block(text + block("host a\n") + "more\n", "host b\n", BlockPlace::Top, "f") ==
        block("host b\n") + text + "more\n");
}

TEST_CASE("block: damaged markers are refused, whichever way", "[replication]") {
  const std::string begin = kBegin;
  const std::string end = kEnd;
  for (const std::string& text : {begin, end, end + begin, begin + begin + end, begin + end + end,
                                  begin + end + begin + end, begin + "x\n" + begin + end}) {
    fails(Fault::Io, "'pg_hba.conf': the markers",
          [&] { with_block("a\n" + text + "b\n", "x\n", BlockPlace::Top, "pg_hba.conf"); });
    fails(Fault::Io, "damaged", [&] { find_block(text, "f"); });
  }
}

TEST_CASE("block: the difference is a hunk with three lines around it", "[replication]") {
  CHECK(unified_diff("f", "a\n", "a\n") == "");
  CHECK(unified_diff("f", "", "a\n") == "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
  CHECK(unified_diff("f", "1\n2\n3\n4\n5\nold\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\nnew\n6\n7\n8\n9\n") ==
        "--- f\n+++ f\n@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-old\n+new\n 6\n 7\n 8\n");
  CHECK(unified_diff("f", "a", "a\nb\n") ==
        "--- f\n+++ f\n@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n");
  CHECK(unified_diff("f", "a\x1b\n", "") == "--- f\n+++ f\n@@ -1,1 +0,0 @@\n-a\\#033\n");
}

TEST_CASE("block: the difference shows no password of a connection string", "[replication]") {
  CHECK(unified_diff("f", "primary_conninfo = 'user=a password=s3cret host=b'\n", "x\n") ==
        "--- f\n+++ f\n@@ -1,1 +1,1 @@\n-primary_conninfo = 'user=a password=*** host=b'\n+x\n");
  for (const auto& [line, shown] : std::vector<std::pair<std::string, std::string>>{
           {"c = 'host=b password=s3cret'", "c = 'host=b password=***'"},
           {"c = 'password = ''s3 cret'' host=b'", "c = 'password = ''***'' host=b'"},
           {"c = 'sslpassword=\\'s3 cret\\' host=b'", "c = 'sslpassword=\\'***\\' host=b'"},
           {"c = 'password=s3''cret host=b'", "c = 'password=***"},
           {"c = 'password=s3\\ cret host=b'", "c = 'password=***"},
           {"c = 'password=''s3\\''cret'' host=b'", "c = 'password=''***"},
           {"a = 'PGPASSWORD=s3cret cp %p'", "a = 'PGPASSWORD=*** cp %p'"},
           {"c = 'password=s3cret password=s3cret2'", "c = 'password=*** password=***'"},
           {"c = 'postgresql://a:s3cret@b/c'", "c = 'postgresql://a:***@b/c'"},
           {"password_encryption = 'scram-sha-256'", "password_encryption = 'scram-sha-256'"},
           {"c = 'postgresql://b:5433/c'", "c = 'postgresql://b:5433/c'"},
           {"password =", "password =***"},
           {"password", "password"}}) {
    CHECK(without_passwords(line) == shown);
  }
}

TEST_CASE("block: a value cannot leave its quotes", "[replication]") {
  CHECK(conf_quote("it's \\ x") == "'it''s \\\\ x'");
  fails(Fault::Usage, "postgresql.conf", [] { conf_quote("a\nb = 1"); });
}

TEST_CASE("profile: what a primary says, for each profile and version", "[replication]") {
  PrimaryPlan plan;
  plan.pki = {"/p/ca.crt", "/p/server.crt", "/p/server.key"};
  plan.atleast["max_wal_senders"] = 25;
  CHECK(conf_lines(primary_settings(plan, 15)) ==
        "listen_addresses = '*'\nssl = 'on'\nssl_ca_file = '/p/ca.crt'\n"
        "ssl_cert_file = '/p/server.crt'\nssl_key_file = '/p/server.key'\nwal_level = 'replica'\n"
        "max_wal_senders = '25'\nmax_replication_slots = '10'\nwal_keep_size = '512MB'\n"
        "max_slot_wal_keep_size = '4GB'\nwal_log_hints = 'on'\nhot_standby = 'on'\n"
        "synchronous_standby_names = ''\n");
  const std::string old = conf_lines(primary_settings(plan, 12));
  CHECK_THAT(old, Contains("wal_keep_segments = '32'") && !Contains("keep_size"));
  CHECK(primary_hba(plan) ==
        "hostssl replication +slavenode samenet cert\nhostssl postgres +slavenode samenet cert\n"
        "host replication,all +slavenode all reject\n");

  plan.profile = Profile::Synchronous;
  plan.login = Login::Password;
  plan.synchronous = {"ss2", "ss3"};
  plan.allow = {"10.0.0.2/32", "fd00::/64"};
  CHECK_THAT(conf_lines(primary_settings(plan, 15)),
             Contains("synchronous_standby_names = 'ANY 2 (\"ss2\", \"ss3\")'") &&
                 Contains("synchronous_commit = 'on'") && Contains("hot_standby = 'off'") &&
                 Contains("password_encryption = 'scram-sha-256'"));
  CHECK(primary_hba(plan) ==
        "hostssl replication +slavenode 10.0.0.2/32 scram-sha-256\n"
        "hostssl replication +slavenode fd00::/64 scram-sha-256\n"
        "hostssl postgres +slavenode 10.0.0.2/32 scram-sha-256\n"
        "hostssl postgres +slavenode fd00::/64 scram-sha-256\n"
        "host replication,all +slavenode all reject\n");
}

TEST_CASE("before: what an earlier run has put in place is read from its lines", "[replication]") {
  PrimaryPlan plan;
  plan.profile = Profile::Synchronous;
  plan.login = Login::Password;
  plan.group = "followers";
  plan.listen = "10.0.0.1";
  plan.wal_limit = "8GB";
  plan.allow = {"10.0.0.2/32", "fd00::/64"};
  plan.synchronous = {"db2", "db3"};
  plan.pki = {"/p/ca.crt", "/p/server.crt", "/p/server.key"};
  PrimaryBefore before;
  read_hba_block(before, primary_hba(plan));
  read_conf_block(before, conf_lines(primary_settings(plan, 15)));
  CHECK(before.primary);
  CHECK(before.profile == Profile::Synchronous);
  CHECK(before.login == Login::Password);
  CHECK(before.group == "followers");
  CHECK(before.listen == "10.0.0.1");
  CHECK(before.wal_limit == "8GB");
  CHECK(before.allow == plan.allow);
  CHECK(before.synchronous == plan.synchronous);
  CHECK(before.pki.ca == "/p/ca.crt");

  // A standby that was promoted: how roles log in, but not what it listened on.
  StandbyPlan standby;
  standby.profile = Profile::Synchronous;
  standby.login = Login::Password;
  standby.passfile = "/p/passfile";
  PrimaryBefore promoted;
  read_conf_block(promoted, conf_lines(standby_settings(standby, 15)));
  CHECK_FALSE(promoted.primary);
  CHECK(promoted.profile == Profile::Synchronous);
  CHECK(promoted.login == Login::Password);
  CHECK(promoted.listen.empty());

  using Names = std::vector<std::string>;
  CHECK(synchronous_names("").empty());
  CHECK(synchronous_names("a, \"b\"") == Names{"a", "b"});
  CHECK(synchronous_names("FIRST 1 (\"db2\",db3)") == Names{"db2", "db3"});
  CHECK(synchronous_names("2 (*)") == Names{"*"});
}

TEST_CASE("profile: how a standby reaches its primary holds no password", "[replication]") {
  StandbyPlan plan;
  plan.name = "ss2";
  plan.slot = "ss2";
  plan.host = "ss1.example";
  plan.pki = {"/p/ca.crt", "/p/server.crt", "/a b/server.key"};
  CHECK(primary_conninfo(plan) ==
        "host=ss1.example port=5433 user=ss2 application_name=ss2 sslmode=verify-full "
        "sslrootcert=/p/ca.crt sslcert=/p/server.crt sslkey='/a b/server.key' connect_timeout=10 "
        "keepalives_idle=15 keepalives_interval=5 keepalives_count=3");
  plan.login = Login::Password;
  plan.passfile = "/p/passfile";
  CHECK_THAT(primary_conninfo(plan), Contains(" passfile=/p/passfile ") && !Contains("sslcert="));
  plan.primarys["max_connections"] = "400";
  CHECK_THAT(conf_lines(standby_settings(plan, 15)),
             Contains("max_connections = '400'\n") && Contains("primary_slot_name = 'ss2'\n") &&
                 Contains("recovery_target_timeline = 'latest'\n"));
  // When it is promoted the others have no slots at it, and need what it has of the log.
  CHECK_THAT(conf_lines(standby_settings(plan, 15)),
             Contains("wal_keep_size = '512MB'\nmax_slot_wal_keep_size = '4GB'\n"));
  CHECK_THAT(conf_lines(standby_settings(plan, 12)),
             Contains("wal_keep_segments = '32'\n") && !Contains("keep_size"));
}

TEST_CASE("profile: a slot without a limit is told", "[replication]") {
  CHECK_THAT(slot_warning(12), Contains("WARNING: PostgreSQL 12 knows no limit"));
  CHECK(slot_warning(13).empty());
}

TEST_CASE("profile: names that could be more than a name are refused", "[replication]") {
  for (const char* name : {"", "A", "a b", "a'b", "-a", "pg_a", "a\"", "../x", "a/b"}) {
    fails(Fault::Usage, "no name for a node", [&] { check_node_name(name); });
  }
  check_node_name("ss2.example-1_a");
  CHECK(slot_name("ss2.example-1") == "ss2_example_1");
  const NodeSpec spec = parse_node_spec("ss2=ss2.example, 10.0.0.2");
  CHECK(spec.name == "ss2");
  CHECK(spec.hosts == std::vector<std::string>{"ss2.example", "10.0.0.2"});
  CHECK(parse_node_spec("ss2").hosts.empty());
  fails(Fault::Usage, "an empty host", [] { parse_node_spec("ss2=a,,b"); });
}

TEST_CASE("scram: a verifier knows its password and no other", "[replication]") {
  const std::string one = scram_verifier("pencil box");
  CHECK(scram_matches(one, "pencil box"));
  CHECK_FALSE(scram_matches(one, "pencil bix"));
  CHECK(one != scram_verifier("pencil box"));
  // The example of RFC 7677.
  CHECK(
      scram_matches("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
                    "pencil"));
  for (const char* junk : {"", "md5abc", "SCRAM-SHA-256$", "SCRAM-SHA-256$0:aa==$a:b",
                           "SCRAM-SHA-256$4096:!!!!$a:b", "SCRAM-SHA-256$99999999999:aa==$a:b"}) {
    CHECK_FALSE(scram_matches(junk, "pencil"));
  }
}

TEST_CASE("scram: a password comes from a file of its owner's alone, and is in no message",
          "[replication]") {
  const TempDir dir;
  CHECK(read_password(dir.write("p", "s3cret word\r\nmore\n")) == "s3cret word");
  for (const unsigned mode : {0640U, 0604U, 0660U}) {
    fails(Fault::Usage, "only its owner",
          [&] { read_password(dir.write("p", "s3cret word", mode)); });
  }
  for (const char* bad : {"", "short", "\n12345678", "p\xc3\xa4sswort1", "tab\there1"}) {
    fails(Fault::Usage, "printable ASCII", [&] { read_password(dir.write("p", bad)); });
  }
  fails(Fault::Io, "No such file", [&] { read_password(dir / "none"); });
}

TEST_CASE("pki: a node's certificate serves both ways, for its names and no other",
          "[replication]") {
  const KeyPair ca = make_ca("test", kNow, 3650);
  const KeyPair node =
      issue_certificate(ca, {"ss2", {"ss2.example", "10.0.0.2", "fd00::2"}, 730}, kNow);
  const CertFiles files{ca.certificate, node.certificate, node.key, "/p/server.crt"};
  for (const char* name : {"", "ss2.example", "10.0.0.2", "fd00::2"}) {
    check_certificate(files, CertUse::Server, name, kNow);
  }
  check_certificate(files, CertUse::Client, "ss2", kNow);
  fails(Fault::Mismatch, "not for the host 'ss3.example'",
        [&] { check_certificate(files, CertUse::Server, "ss3.example", kNow); });
  fails(Fault::Mismatch, "common name is 'ss2', not 'ss3'",
        [&] { check_certificate(files, CertUse::Client, "ss3", kNow); });
  fails(Fault::Mismatch, "expired (it ended at 2029",
        [&] { check_certificate(files, CertUse::Client, "ss2", kNow + 731 * kDay); });
  fails(Fault::Mismatch, "not yet valid",
        [&] { check_certificate(files, CertUse::Client, "ss2", kNow - kDay); });
  CHECK_THAT(certificate_text(node.certificate),
             Contains("CN=ss2") && Contains("until 2029-01-14"));
  fails(Fault::Usage, "no name of a host", [&] {
    issue_certificate(ca, {"ss2", {"a,DNS:evil"}, 1}, kNow);
  });
}

TEST_CASE("pki: keys and chains that do not fit are refused, each with its reason",
          "[replication]") {
  const KeyPair ca = make_ca("test", kNow, 3650);
  const KeyPair other = make_ca("test", kNow, 3650);
  const KeyPair node = issue_certificate(ca, {"ss2", {"ss2"}, 730}, kNow);
  CertFiles files{ca.certificate, node.certificate, node.key, "/p/server.crt"};
  const auto refused = [&](const std::string& words) {
    fails(Fault::Mismatch, words, [&] { check_certificate(files, CertUse::Server, "ss2", kNow); });
    files = {ca.certificate, node.certificate, node.key, "/p/server.crt"};
  };
  files.key = other.key;
  refused("its key belongs to another certificate");
  files.ca = other.certificate;
  refused("'/p/server.crt': ");
  files.certificate = "nonsense";
  refused("no certificate in PEM");
  files.ca = "";
  refused("the CA's file");
  files.key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
  refused("its key cannot be read");
  // The CA that ends before its node.
  const KeyPair brief = make_ca("test", kNow - 20 * kDay, 10);
  const KeyPair late = issue_certificate(brief, {"ss2", {"ss2"}, 730}, kNow);
  files = {brief.certificate, late.certificate, late.key, "/p/server.crt"};
  refused("its CA: certificate has expired");
  // A CA is no node.
  files = {ca.certificate, ca.certificate, ca.key, "/p/server.crt"};
  refused("'/p/server.crt': ");
  fails(Fault::Mismatch, "use the CA's key", [&] {
    issue_certificate({ca.certificate, other.key}, {"ss2", {"ss2"}, 1}, kNow);
  });
}
