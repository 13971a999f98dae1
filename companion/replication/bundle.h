// SPDX-License-Identifier: MIT
// Where a cluster's certificates lie on its nodes, as steps of a plan: the CA and the certificate
// of the primary in its directory, and for each standby a bundle, a directory with all that `setup
// standby` needs, for the operator to carry there. The bundle's words are standby.ini.
#pragma once

#include <string>
#include <vector>

#include "companion/replication/cluster.h"
#include "companion/replication/node_pki.h"
#include "companion/replication/plan.h"
#include "companion/replication/profile.h"
#include "companion/wall.h"

namespace xs {

struct Bundle {
  StandbyPlan standby;                         // without its paths
  std::string system_id;                       // of the primary's cluster
  PkiPaths source;                             // where its files are read
  std::string ca, certificate, key, password;  // contents; "": not in it
};
std::string bundle_ini(const Bundle& bundle);
// Throws Usage or Io, naming the file.
Bundle read_bundle(const std::string& directory);
// The contents of `source`. Throws Io or Usage.
void read_sources(Bundle& bundle, const std::string& password_file);

// The files of one node's directory of certificates.
struct PkiPlace {
  std::string directory;
  Cluster cluster;
  Wall wall;

  PkiPaths paths() const;
  std::string ca_key() const { return directory + "/ca.key"; }
  std::string bundle(const std::string& node) const { return directory + "/bundles/" + node; }
  // Reads certificate and key named by the paths, "" for what is missing.
  CertFiles load(const PkiPaths& paths) const;
};

WorkStep ca_step(const PkiPlace& place, const std::string& name, int days);
// The certificate of `plan` in `directory`, signed by the CA of the place.
WorkStep certificate_step(const PkiPlace& place, const std::string& directory,
                          const NodePlan& plan);
// Throws Mismatch for files that are there and no good, Usage where one could not be made because
// the CA's key is not here.
void check_pki(const PkiPlace& place, const std::string& directory, const NodePlan& plan);

}  // namespace xs
