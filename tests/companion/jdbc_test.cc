// SPDX-License-Identifier: MIT
#include "companion/jdbc.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

using Options = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("jdbc: one host, its port and the database", "[companion]") {
  const DbTarget plain = parse_jdbc_url("jdbc:postgresql://db.example.org:5433/serverconf");
  CHECK(plain.hosts == std::vector<DbHost>{{"db.example.org", 5433}});
  CHECK(plain.database == "serverconf");
  CHECK(plain.options.empty());
  CHECK(parse_jdbc_url("jdbc:postgresql://127.0.0.1/s").hosts[0] == DbHost{"127.0.0.1", 5432});
  CHECK(parse_jdbc_url("jdbc:postgresql://[::1]:5433/s").hosts[0] == DbHost{"::1", 5433});
  CHECK(parse_jdbc_url("jdbc:postgresql://[::1]/s").hosts[0] == DbHost{"::1", 5432});
  CHECK(parse_jdbc_url("jdbc:postgresql:serverconf").hosts[0] == DbHost{"localhost", 5432});
  CHECK(parse_jdbc_url("jdbc:postgresql:/").database.empty());
  CHECK(parse_jdbc_url("jdbc:postgresql://h/my%20db").database == "my db");
}

TEST_CASE("jdbc: several hosts stay in their order", "[companion]") {
  const DbTarget target =
      parse_jdbc_url("jdbc:postgresql://a:1,b,[fe80::1]:3/s?targetServerType=preferSlave");
  CHECK(target.hosts == std::vector<DbHost>{{"a", 1}, {"b", 5432}, {"fe80::1", 3}});
  CHECK(target.role == DbRole::PreferSecondary);
  CHECK(target.text() == "a:1,b:5432,[fe80::1]:3/s as ");
}

TEST_CASE("jdbc: options become those of libpq, the driver's own are passed over", "[companion]") {
  const DbTarget target = parse_jdbc_url(
      "jdbc:postgresql://h/s?sslmode=verify-ca&sslrootcert=/a%2Fca.crt&prepareThreshold=0&"
      "currentSchema=a,public&user=me&password=p%26w&ApplicationName=x&&");
  CHECK(target.options ==
        Options{{"application_name", "x"}, {"sslrootcert", "/a/ca.crt"}, {"sslmode", "verify-ca"}});
  CHECK(target.search_path == "a,public");
  CHECK(target.user == "me");
  CHECK(target.password == "p&w");
  const auto mode = [](const std::string& query) {
    return parse_jdbc_url("jdbc:postgresql://h/s?" + query).options;
  };
  CHECK(mode("ssl=true") == Options{{"sslmode", "verify-full"}});
  CHECK(mode("ssl=false").empty());
  CHECK(mode("ssl=true&sslmode=require") == Options{{"sslmode", "require"}});
  CHECK(mode("ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory") ==
        Options{{"sslmode", "require"}});
}

TEST_CASE("jdbc: what is no URL is refused without showing it", "[companion]") {
  for (const char* url :
       {"", "postgresql://h/s", "jdbc:mysql://h/s", "jdbc:postgresql://h",
        "jdbc:postgresql://h:0/s", "jdbc:postgresql://h:70000/s", "jdbc:postgresql://h:x/s",
        "jdbc:postgresql://[::1/s", "jdbc:postgresql://[::1]x/s", "jdbc:postgresql://h/s?a=%4",
        "jdbc:postgresql://h/s?a=%00", "jdbc:postgresql://h/s?sslmode=maybe",
        "jdbc:postgresql://h/s?targetServerType=best", "jdbc:postgresql://a b/s",
        "jdbc:postgresql://h/s?password=secret&x=%zz"}) {
    INFO(url);
    const auto error = thrown_by([&] { parse_jdbc_url(url); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
    CHECK_THAT(error->text(), !Contains("secret"));
  }
}

TEST_CASE("properties: comments, escapes and continued lines are Java's", "[companion]") {
  const auto values = parse_properties(
      "# comment = no\n! nor = this\n\n  a = 1\nb:2\nc 3\nd\\=e = f\\tg\\\\\r\n"
      "long = one,\\\n      two\nempty =\nu = \\u00e4\\u20AC\na = last\\");
  CHECK(values.at("a") == "last");
  CHECK(values.at("b") == "2");
  CHECK(values.at("c") == "3");
  CHECK(values.at("d=e") == "f\tg\\");
  CHECK(values.at("long") == "one,two");
  CHECK(values.at("empty").empty());
  CHECK(values.at("u") == "\xC3\xA4\xE2\x82\xAC");
  CHECK(values.size() == 7);
}

TEST_CASE("db properties: a Central Server's are read where either may be", "[companion]") {
  const test::TempDir dir;
  const std::string center = dir.write(
      "center",
      "spring.datasource.url=jdbc:postgresql://db1:5432,db2:5433/center?targetServerType=primary\n"
      "spring.datasource.username=centerui\nspring.datasource.password=s3cret\n"
      "spring.datasource.hikari.data-source-properties.currentSchema=centerui,public\n"
      "secondary_hosts=db2:5433\nskip_migrations=false\n");
  const DbTarget target = read_any_db_properties(center);
  CHECK(target.text() == "db1:5432,db2:5433/center as centerui");
  CHECK(target.password == "s3cret");
  CHECK(target.search_path == "centerui,public");
  CHECK(target.role == DbRole::Primary);
  CHECK_THAT(thrown_by([&] { read_db_properties(center); })->text(),
             Contains("there is no serverconf.hibernate.connection.url"));
  const std::string bare =
      dir.write("bare", "spring.datasource.url=jdbc:postgresql://db1/center\n");
  CHECK_THAT(thrown_by([&] { read_any_db_properties(bare); })->text(),
             Contains("bare': there is no spring.datasource.username"));
  const std::string own =
      dir.write("own",
                "serverconf.hibernate.connection.url=jdbc:postgresql://127.0.0.1:5433/serverconf\n"
                "serverconf.hibernate.connection.username=serverconf\n");
  CHECK(read_any_db_properties(own).text() == "127.0.0.1:5433/serverconf as serverconf");
}

TEST_CASE("db properties: the keys of X-Road make a target", "[companion]") {
  const TempDir dir;
  const std::string path = dir.write(
      "db.properties",
      "serverconf.hibernate.connection.url = jdbc:postgresql://127.0.0.1:5433/serverconf\n"
      "serverconf.hibernate.connection.username = serverconf@host\n"
      "serverconf.hibernate.connection.password = pass\\\\word\n"
      "serverconf.hibernate.hikari.dataSource.currentSchema = serverconf,public\n"
      "messagelog.hibernate.connection.url = jdbc:postgresql://other/messagelog\n"
      "messagelog.hibernate.connection.username = messagelog\n");
  const DbTarget target = read_db_properties(path);
  CHECK(target.text() == "127.0.0.1:5433/serverconf as serverconf@host");
  CHECK(target.password == "pass\\word");
  CHECK(target.search_path == "serverconf,public");
  CHECK(read_db_properties(path, "messagelog").text() == "other:5432/messagelog as messagelog");
  const auto no = [](const std::string& file, const std::string& name) {
    const auto error = thrown_by([&] { read_db_properties(file, name); });
    return error ? error->text() : "";
  };
  CHECK_THAT(no(path, "op-monitor"), Contains("op-monitor.hibernate.connection.url"));
  CHECK_THAT(no(dir / "none", "serverconf"), Contains("No such file"));
  CHECK_THAT(no(dir.write("odd", "a=\\u12"), "serverconf"), Contains("four hex digits"));
}
