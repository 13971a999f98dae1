// SPDX-License-Identifier: MIT
// Trio: three security servers as the README sets them up, on machines of their own: SS1 with the
// database that is written and the tree that is synced, SS2 and SS3 with a standby and a copy of
// the tree; a companion on each. For the tests of docs/recovery.md. Failures are exceptions.
#pragma once

#include <string>
#include <vector>

#include "tests/companion/recovery/machine.h"

namespace xs::test {

// `cp -a` of a path to a directory of another machine.
void carry(const Machine& from, const std::string& path, const Machine& to,
           const std::string& directory);

// What the document leaves to X-Road's tools: a backup of the database of this name with
// pg_dump, and its way back into a server that has none.
void back_up(const Machine& machine, const std::string& database, const std::string& file);
void restore(const Machine& machine, const std::string& database, const std::string& file);

// Rows that tell what has been lost. write_rows() adds as many to the table `written`, and
// returns how many there are.
int write_rows(const Machine& machine, const std::string& database, int count);
bool has_rows(const Machine& machine, const std::string& database, int count);

class Trio {
 public:
  Trio();

  Lan lan;
  Machine ss1, ss2, ss3;

  std::vector<Machine*> all() { return {&ss1, &ss2, &ss3}; }
  // A node's own: its key, whose public half is brought to the primary, and whom it syncs from.
  static void make_key(const Machine& node, const Machine& primary);
  static void sync_from(const Machine& node, const std::string& primary);
  // What the check of the companion says, at most after 20 s.
  static bool works(const Machine& node);

 private:
  void fill_primary() const;
  void join(const Machine& node) const;
};

}  // namespace xs::test
