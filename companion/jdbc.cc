// SPDX-License-Identifier: MIT
#include "companion/jdbc.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::string_view kScheme = "jdbc:postgresql:";
constexpr std::size_t kHostLimit = 32;

// The URL may hold a password, so a message names the trouble and never the URL.
[[noreturn]] void no_url(const std::string& why) {
  throw Error(Fault::Usage,
              "the JDBC URL " + why + "; expected jdbc:postgresql://host:port/database");
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string url_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) no_url("has a '%' that is not followed by two hex digits");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  // libpq takes C strings: what stands behind a NUL would be lost silently.
  if (out.find('\0') != out.npos) no_url("has a NUL in it");
  return out;
}

// Calls `use` with each part between separators.
template <class Use>
void each_part(std::string_view text, char separator, Use use) {
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    use(text.substr(0, end));
    if (end == text.size()) return;
    text.remove_prefix(end + 1);
  }
}

DbHost parse_host(std::string_view text) {
  DbHost host;
  const bool six = text.starts_with('[');
  const std::size_t bracket = text.find(']');
  if (six && bracket == text.npos) no_url("has an address without its ']'");
  const std::size_t colon = text.find(':', six ? bracket : 0);
  host.host = text.substr(six ? 1 : 0, six ? bracket - 1 : std::min(colon, text.size()));
  if (six && bracket + 1 != text.size() && colon != bracket + 1) no_url("has an odd host");
  if (colon != text.npos) {
    const auto port = parse_number(text.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) no_url("has a port that is none");
    host.port = static_cast<std::uint16_t>(*port);
  }
  if (host.host.empty()) host.host = "localhost";
  if (host.host.find_first_of(std::string_view("\0 '\"\\/", 6)) != host.host.npos) {
    no_url("has a host with characters that no host has");
  }
  return host;
}

DbRole parse_role(const std::string& word) {
  static const std::map<std::string, DbRole> kRoles = {{"any", DbRole::Any},
                                                       {"primary", DbRole::Primary},
                                                       {"master", DbRole::Primary},
                                                       {"secondary", DbRole::Secondary},
                                                       {"slave", DbRole::Secondary},
                                                       {"preferPrimary", DbRole::PreferPrimary},
                                                       {"preferSecondary", DbRole::PreferSecondary},
                                                       {"preferSlave", DbRole::PreferSecondary}};
  const auto found = kRoles.find(word);
  if (found == kRoles.end()) no_url("has the targetServerType " + quote(word));
  return found->second;
}

void set_option(DbTarget& target, const std::string& name, const std::string& value) {
  std::erase_if(target.options, [&](const auto& option) { return option.first == name; });
  target.options.emplace_back(name, value);
}

// pgjdbc: ssl=true alone asks for the strictest mode; sslmode, where it is given, wins.
void use_ssl(DbTarget& target, const std::map<std::string, std::string>& given) {
  const auto ssl = given.find("ssl");
  const auto mode = given.find("sslmode");
  const auto factory = given.find("sslfactory");
  if (mode != given.end()) {
    static constexpr std::array kModes{"disable", "allow",     "prefer",
                                       "require", "verify-ca", "verify-full"};
    if (std::find(kModes.begin(), kModes.end(), mode->second) == kModes.end()) {
      no_url("has the sslmode " + quote(mode->second));
    }
    set_option(target, "sslmode", mode->second);
  } else if (ssl != given.end() && (ssl->second == "true" || ssl->second.empty())) {
    const bool blind =
        factory != given.end() && factory->second == "org.postgresql.ssl.NonValidatingFactory";
    set_option(target, "sslmode", blind ? "require" : "verify-full");
  }
}

void use_options(DbTarget& target, const std::map<std::string, std::string>& given) {
  static constexpr std::array<std::pair<const char*, const char*>, 7> kSame{
      {{"ApplicationName", "application_name"},
       {"options", "options"},
       {"sslcert", "sslcert"},
       {"sslkey", "sslkey"},
       {"sslpassword", "sslpassword"},
       {"sslrootcert", "sslrootcert"},
       {"channelBinding", "channel_binding"}}};
  for (const auto& [theirs, ours] : kSame) {
    const auto value = given.find(theirs);
    if (value != given.end()) set_option(target, ours, value->second);
  }
  use_ssl(target, given);
  const auto take = [&given](const char* name, std::string& to) {
    const auto value = given.find(name);
    if (value != given.end()) to = value->second;
  };
  take("user", target.user);
  take("password", target.password);
  take("currentSchema", target.search_path);
  const auto role = given.find("targetServerType");
  if (role != given.end()) target.role = parse_role(role->second);
}

// ---- .properties

std::string unescape_property(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    static constexpr std::string_view kNames = "tnrf";
    static constexpr std::string_view kValues = "\t\n\r\f";
    if (c != 'u') {
      const std::size_t known = kNames.find(c);
      out += known == kNames.npos ? c : kValues[known];
      continue;
    }
    unsigned code = 0;
    for (int digits = 0; digits < 4; ++digits) {
      const int digit = i + 1 < text.size() ? hex_digit(text[++i]) : -1;
      if (digit < 0) throw Error(Fault::Usage, "a \\u that is not followed by four hex digits");
      code = code << 4U | static_cast<unsigned>(digit);
    }
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += {static_cast<char>(0xC0U | code >> 6U), static_cast<char>(0x80U | (code & 0x3FU))};
    } else {
      out +=
          {static_cast<char>(0xE0U | code >> 12U), static_cast<char>(0x80U | (code >> 6U & 0x3FU)),
           static_cast<char>(0x80U | (code & 0x3FU))};
    }
  }
  return out;
}

constexpr std::string_view kBlanks = " \t\f";

std::string_view skip_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kBlanks), text.size()));
}

// A natural line and those that continue it. Nothing at the end.
std::optional<std::string> take_line(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::string_view piece = skip_blanks(text.substr(0, end));
    const bool pair = text.substr(std::min(end, text.size())).starts_with("\r\n");
    text.remove_prefix(std::min(end + (pair ? 2 : 1), text.size()));
    const bool comment = line.empty() && (piece.starts_with('#') || piece.starts_with('!'));
    const std::size_t last = piece.find_last_not_of('\\');
    const std::size_t slashes = piece.size() - (last == piece.npos ? 0 : last + 1);
    if (comment) return "";
    if (slashes % 2 == 0) return line + std::string(piece);
    piece.remove_suffix(1);
    line += piece;
  }
  return line;
}

using Properties = std::map<std::string, std::string>;

// The names under which a db.properties tells of one database.
struct Keys {
  std::string url, username, password, schema;
};

Keys keys_of(const std::string& name) {
  const std::string prefix = name + ".hibernate.connection.";
  return {prefix + "url", prefix + "username", prefix + "password",
          name + ".hibernate.hikari.dataSource.currentSchema"};
}

DbTarget from_properties(const Properties& values, const Keys& keys) {
  const auto find = [&values](const std::string& key) {
    const auto value = values.find(key);
    return value == values.end() ? std::string() : std::string(trim(value->second));
  };
  const std::string url = find(keys.url);
  if (url.empty()) throw Error(Fault::Usage, "there is no " + keys.url);
  DbTarget target = parse_jdbc_url(url);
  if (target.user.empty()) target.user = find(keys.username);
  if (target.password.empty()) target.password = find(keys.password);
  if (target.user.empty()) throw Error(Fault::Usage, "there is no " + keys.username);
  const std::string schema = find(keys.schema);
  if (!schema.empty()) target.search_path = schema;
  if (target.database.empty()) target.database = target.user;
  return target;
}

// `choose`: the keys, by what the file has.
template <class Choose>
DbTarget from_file(const std::string& path, Choose choose) {
  const std::string text = read_file(path, kDbPropertiesLimit);
  try {
    const Properties values = parse_properties(text);
    return from_properties(values, choose(values));
  } catch (const Error& error) {
    throw Error(error.fault(), quote(path) + ": " + error.text());
  }
}

}  // namespace

std::string DbTarget::text() const {
  std::string list;
  for (const DbHost& host : hosts) {
    const bool six = host.host.find(':') != std::string::npos;
    list += (list.empty() ? "" : ",") + std::string(six ? "[" : "") + host.host + (six ? "]" : "") +
            ":" + std::to_string(host.port);
  }
  return escape(list + "/" + database + " as " + user);
}

DbTarget parse_jdbc_url(std::string_view url) {
  if (!url.starts_with(kScheme)) no_url("does not begin with jdbc:postgresql:");
  url.remove_prefix(kScheme.size());
  const std::size_t question = std::min(url.find('?'), url.size());
  std::map<std::string, std::string> given;
  if (question < url.size()) {
    each_part(url.substr(question + 1), '&', [&given](std::string_view part) {
      if (part.empty()) return;
      const std::size_t equals = std::min(part.find('='), part.size());
      given[url_decode(part.substr(0, equals))] =
          url_decode(part.substr(std::min(equals + 1, part.size())));
    });
  }
  url = url.substr(0, question);
  DbTarget target;
  if (url.starts_with("//")) {
    url.remove_prefix(2);
    const std::size_t slash = url.find('/');
    if (slash == url.npos) no_url("has no database behind its hosts");
    each_part(url.substr(0, slash), ',',
              [&target](std::string_view part) { target.hosts.push_back(parse_host(part)); });
    if (target.hosts.size() > kHostLimit) no_url("has too many hosts");
    url.remove_prefix(slash + 1);
  } else {
    if (url.starts_with('/')) url.remove_prefix(1);
    target.hosts.push_back({"localhost"});
  }
  target.database = url_decode(url);
  use_options(target, given);
  return target;
}

std::map<std::string, std::string> parse_properties(std::string_view text) {
  std::map<std::string, std::string> values;
  while (const auto line = take_line(text)) {
    const std::string_view whole = *line;
    std::size_t end = 0;  // of the key
    while (end < whole.size() && std::string_view("=: \t\f").find(whole[end]) == kBlanks.npos) {
      end += whole[end] == '\\' ? 2 : 1;
    }
    end = std::min(end, whole.size());
    std::string_view value = skip_blanks(whole.substr(end));
    if (value.starts_with('=') || value.starts_with(':')) value = skip_blanks(value.substr(1));
    if (end == 0 && value.empty()) continue;
    values[unescape_property(whole.substr(0, end))] = unescape_property(value);
  }
  return values;
}

DbTarget read_db_properties(const std::string& path, const std::string& name) {
  return from_file(path, [&](const Properties&) { return keys_of(name); });
}

DbTarget read_any_db_properties(const std::string& path) {
  return from_file(path, [](const Properties& values) {
    const std::string spring = "spring.datasource.";
    if (values.contains(spring + "url")) {
      return Keys{spring + "url", spring + "username", spring + "password",
                  spring + "hikari.data-source-properties.currentSchema"};
    }
    return keys_of("serverconf");
  });
}

}  // namespace xs
