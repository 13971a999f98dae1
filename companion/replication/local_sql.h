// SPDX-License-Identifier: MIT
// LocalSql: questions and orders to the server of this node's cluster, over its socket, as its
// superuser. Each opens a connection of its own, because the verbs restart the server in between.
// Nothing here waits for a synchronous standby: an order to a primary whose standby is gone must
// not hang. Failures are those of companion/db.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/db.h"
#include "companion/replication/cluster.h"

namespace xs {

class LocalSql {
 public:
  LocalSql(Cluster cluster, Clock& clock) : cluster_(std::move(cluster)), clock_(clock) {}

  std::vector<DbRow> ask(const std::string& sql,
                         const std::vector<std::string>& parameters = {}) const;
  // The first column of the first row; "" for NULL and for no row.
  std::string value(const std::string& sql, const std::vector<std::string>& parameters = {}) const;
  // Asks until it gets this answer; false when the time is over. A server that does not let us in
  // is asked again.
  bool says(const std::string& sql, const std::vector<std::string>& parameters,
            const std::string& answer, Duration within) const;

  const Cluster& cluster() const { return cluster_; }
  Clock& clock() const { return clock_; }

 private:
  Cluster cluster_;
  Clock& clock_;
};

std::string sql_name(const std::string& identifier);           // "a""b"
std::string sql_text(const std::string& literal);              // 'a''b'
std::string sql_array(const std::vector<std::string>& words);  // {"a","b"}

}  // namespace xs
