// SPDX-License-Identifier: MIT
// CopyPlace: the directory DATA.xroad-companion beside a data directory, in which a base backup is
// taken, and the renames that put it in the data directory's place and back. What state they are
// in is read from the disk alone, so that a run that was killed anywhere can be gone on with.
// Nothing that we have not made is ever removed: the old data is renamed to DATA.old-TIME, or to
// DATA.old-TIME-2 and so on where that lies there already. All is
// done with the rights of the directories' owners. Failures are of class Io, or Refused for a
// directory that lies in the way and for a data directory that a server runs on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "companion/replication/cluster.h"
#include "companion/wall.h"

namespace xs {

class CopyPlace {
 public:
  explicit CopyPlace(Cluster cluster);

  std::string directory() const { return directory_; }
  std::string copy() const { return directory_ + "/new"; }

  // Throws Refused when a directory of this name is not ours.
  void check() const;
  // Makes the directory, and removes a copy that was not finished; what may be old data is Refused.
  void make_room() const;

  // Removes a copy that is not "verified", and the directory; nothing that may be old data.
  void discard() const;

  // Small facts that outlive us: "verified", "prepared". Their value says of what: the verb, the
  // system and its timeline, so that no verb takes the half-done copy of another for its own.
  bool has(const std::string& fact) const;
  bool has(const std::string& fact, const std::string& value) const;
  void note(const std::string& fact, const std::string& value = "") const;
  void forget(const std::string& fact) const;

  // The copy is where the data was.
  bool swapped() const;
  bool needs_swap() const;  // or has been left in the middle of it
  void put_in_place(const Wall& wall) const;
  void finish_swap() const;  // the old data gets its name
  // Back to the old data. The copy may be half used then, and counts as none.
  void put_back() const;
  // put_back() was cut short: no data directory is left, and the old data has its other name.
  bool put_back_begun() const;
  // Where the old data lies; "": there was none.
  std::string old_data() const;

  // Removes the directory and what we have made in it.
  void clear() const;

 private:
  struct Record {
    std::uint64_t inode = 0;
    std::string old_name;
  };
  std::optional<Record> record() const;
  // A swap was begun, and what lies in copy() is not the copy: it is what was in its place.
  bool holds_old() const;
  void refuse_old() const;
  std::string free_name(const Wall& wall) const;

  Cluster cluster_;
  std::string directory_;
};

}  // namespace xs
