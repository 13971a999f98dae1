// SPDX-License-Identifier: MIT
#include "companion/checks/serverconf_db.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "companion/db.h"

namespace xs {
namespace {

constexpr const char* kNotAvailable = "ServerConf is not available";
constexpr const char* kUnexpected = "Server Conf database did not respond as expected";

// The identifier of this security server, as the proxy reads it.
constexpr const char* kIdentifier =
    "select id.xroadinstance, id.memberclass, id.membercode, s.servercode from serverconf s "
    "join client c on s.owner = c.id join identifier id on c.identifier = id.id limit 2";

std::string identifier_of(const DbRow& row) {
  std::string text;
  for (const auto& part : row) text += (text.empty() ? "" : "/") + part.value_or("?");
  return escape(text);
}

}  // namespace

ServerconfDbCheck::ServerconfDbCheck(ServerconfDbSettings settings)
    : settings_(std::move(settings)) {}

Verdict ServerconfDbCheck::ask(Clock& clock, Instant deadline) {
  const char* message = kNotAvailable;
  try {
    const DbTarget target = read_db_properties(settings_.db_properties);
    Db db(target, clock, deadline);
    message = kUnexpected;
    const auto rows = db.ask(kIdentifier, {}, deadline);
    if (rows.empty()) {
      return {false, message, "the database " + target.text() + " names no security server"};
    }
    return {true, "", identifier_of(rows[0]) + " at " + escape(db.host())};
  } catch (const Error& error) {
    // Only silence until the very end is one: a silent host among others that refuse is not.
    if (clock.now() >= deadline) throw Error(Fault::Timeout, error.text());
    // A connection that breaks between two questions is a database that went away.
    if (error.fault() == Fault::Stream) message = kNotAvailable;
    return {false, message, error.text()};
  }
}

}  // namespace xs
