// SPDX-License-Identifier: MIT
// How X-Road finds its database: db.properties with a JDBC URL in it, turned into what libpq wants.
// Also the place where the password is read; it stays in the DbTarget and appears in no message.
//   jdbc:postgresql://host[:port][,host[:port]...]/database[?name=value&...]
// What pgjdbc decides by options that libpq has under another name is translated (ssl, sslmode and
// the certificates, currentSchema, targetServerType, ApplicationName, options, user, password);
// options of the driver's own doings are passed over. Throws Usage for what is no such URL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xs {

struct DbHost {
  std::string host;  // a name, an address, or the directory of a local socket
  std::uint16_t port = 5432;
  std::string address = {};  // where it is, if no name is to be looked up (libpq's hostaddr)
  bool operator==(const DbHost&) const = default;
};

enum class DbRole : std::uint8_t { Any, Primary, Secondary, PreferPrimary, PreferSecondary };

struct DbTarget {
  std::vector<DbHost> hosts;
  std::string database;
  std::string user;  // as it logs in, with its @suffix
  std::string password;
  std::string search_path;  // empty: what the server has for this user
  DbRole role = DbRole::Any;
  std::vector<std::pair<std::string, std::string>> options;  // libpq keywords

  // "host:port,host:port/database as user", escaped, for messages.
  std::string text() const;
};

inline constexpr std::size_t kDbPropertiesLimit = 256U << 10;

DbTarget parse_jdbc_url(std::string_view url);

// A Java .properties file: comments, escapes, continued lines; the last of equal keys wins.
std::map<std::string, std::string> parse_properties(std::string_view text);

// `name`: "serverconf", "messagelog" or "op-monitor". Throws Io, or Usage naming file and key.
DbTarget read_db_properties(const std::string& path, const std::string& name = "serverconf");
// The database of a Central Server where it is the file of one (spring.datasource), or serverconf.
DbTarget read_any_db_properties(const std::string& path);

}  // namespace xs
