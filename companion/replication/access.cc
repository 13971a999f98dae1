// SPDX-License-Identifier: MIT
#include "companion/replication/access.h"

namespace xs {

void DbAccess::fill_from(const DbAccess& weaker) {
  for (std::string DbAccess::*field :
       {&DbAccess::host, &DbAccess::user, &DbAccess::database, &DbAccess::passfile,
        &DbAccess::sslmode, &DbAccess::sslcert, &DbAccess::sslkey, &DbAccess::sslrootcert}) {
    if ((this->*field).empty()) this->*field = weaker.*field;
  }
  if (port == 0) port = weaker.port;
}

void ReplicationAccess::fill_from(const ReplicationAccess& weaker) {
  local.fill_from(weaker.local);
  if (db_properties.empty()) db_properties = weaker.db_properties;
  if (primary.empty()) primary = weaker.primary;
}

}  // namespace xs
