// SPDX-License-Identifier: MIT
// Cluster: where the PostgreSQL cluster of this node lies, whose it is and how it is started. Found
// once, by the verbs that change it, from what the operator says and from what lies on the disk
// (Debian's /etc/postgresql/VERSION/NAME, RHEL's /var/lib/pgsql/NAME). Nothing is changed or asked
// of a server. What cannot be found or fits no other part is an Error of class Usage that names the
// option to give.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/clock.h"
#include "companion/replication/cluster_choice.h"

namespace xs {

// Where distributions put things; a test has its own.
struct ClusterRoots {
  std::string debian_config = "/etc/postgresql";
  std::string debian_programs = "/usr/lib/postgresql";
  std::string rhel_data = "/var/lib/pgsql";
  std::string rhel_programs = "/usr/pgsql-";  // with the version behind it
  std::string programs = "/usr/bin";
  std::string systemd = "/run/systemd/system";
  std::vector<std::string> units = {"/etc/systemd/system", "/usr/lib/systemd/system"};
};

enum class Starter : std::uint8_t { Systemd, PgCtlCluster, PgCtl };

struct Cluster {
  std::string name;
  std::string data;    // absolute, without links; may be missing, its parent not
  std::string config;  // the directory of postgresql.conf and pg_hba.conf; may be `data`
  std::string bin;
  std::string sockets;
  std::uint16_t port = 0;
  int major = 0;  // of the programs, and of the data where there are any
  Starter starter = Starter::PgCtl;
  std::string service;  // the unit, for Systemd
  std::string systemctl = "/usr/bin/systemctl";
  std::string owner;  // the account's name
  ChildUser user;

  bool config_in_data() const { return config == data; }
  std::string conf_file() const { return config + "/postgresql.conf"; }
  std::string hba_file() const { return config + "/pg_hba.conf"; }
};

Cluster find_cluster(const ClusterChoice& choice, Clock& clock, const ClusterRoots& roots = {});

// The major version in DIRECTORY/PG_VERSION; nothing when that is no data directory.
std::optional<int> data_version(const std::string& directory);

// The last `name = value` of a postgresql.conf, without its quotes. Includes are not followed.
std::optional<std::string> conf_value(std::string_view conf, std::string_view name);

// AsOwner: while it lives, this process has the file rights of the cluster's owner, so that a link
// that lies in his directories leads root nowhere, and PostgreSQL's peer login knows us. Changes
// nothing for who is not root. One at a time; programs are started with a user of their own.
class AsOwner {
 public:
  explicit AsOwner(const ChildUser& user);
  ~AsOwner();
  AsOwner(const AsOwner&) = delete;
  AsOwner& operator=(const AsOwner&) = delete;

 private:
  void give_back() noexcept;

  bool lent_ = false;
  std::vector<gid_t> groups_;
};

// Whom we really are, also while an AsOwner lives.
ChildUser user_of_process();
// Whom this account is, with its groups. Throws Usage when there is none.
ChildUser user_named(const std::string& account);

}  // namespace xs
