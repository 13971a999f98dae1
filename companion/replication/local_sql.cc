// SPDX-License-Identifier: MIT
#include "companion/replication/local_sql.h"

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"

namespace xs {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);

std::string doubled(const std::string& text, char mark) {
  std::string out(1, mark);
  for (const char c : text) {
    if (c == '\0') throw Error(Fault::Usage, quote(text) + " holds a NUL byte");
    if (c == mark) out += c;
    out += c;
  }
  return out + mark;
}

}  // namespace

std::vector<DbRow> LocalSql::ask(const std::string& sql,
                                 const std::vector<std::string>& parameters) const {
  const Instant deadline = clock_.now() + kPatience;
  DbTarget target = local_target(cluster_);
  target.options.emplace_back("options", "-c synchronous_commit=local");
  std::optional<Db> db;
  {
    const AsOwner rights(cluster_.user);
    db.emplace(target, clock_, deadline);
  }
  return db->ask(sql, parameters, deadline);
}

std::string LocalSql::value(const std::string& sql,
                            const std::vector<std::string>& parameters) const {
  const auto rows = ask(sql, parameters);
  if (rows.empty() || rows[0].empty()) return "";
  return rows[0][0].value_or("");
}

bool LocalSql::says(const std::string& sql, const std::vector<std::string>& parameters,
                    const std::string& answer, Duration within) const {
  const Instant deadline = clock_.now() + within;
  for (;;) {
    try {
      if (value(sql, parameters) == answer) return true;
    } catch (const Error& error) {
      if (error.fault() != Fault::Network && error.fault() != Fault::ConnectTimeout &&
          error.fault() != Fault::Stream) {
        throw;
      }
    }
    if (clock_.now() >= deadline) return false;
    clock_.poll({}, clock_.now() + std::chrono::milliseconds(100));
  }
}

std::string sql_name(const std::string& identifier) { return doubled(identifier, '"'); }

std::string sql_text(const std::string& literal) {
  if (literal.find('\\') != std::string::npos) {
    throw Error(Fault::Usage, quote(literal) + " holds a backslash");
  }
  return doubled(literal, '\'');
}

std::string sql_array(const std::vector<std::string>& words) {
  std::string out = "{";
  for (const std::string& word : words) {
    out += out.size() > 1 ? ",\"" : "\"";
    for (const char c : word) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

}  // namespace xs
