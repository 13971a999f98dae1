// SPDX-License-Identifier: MIT
// Journal: what a commit is about to do, on the disk. Writing it durably *is* the commit: from then
// on the steps are carried out, by this run or, after a crash, by recovery, any number of times,
// always to the same result. Every object that a step places is staged complete beforehand (bytes,
// link target or device number, mode, owner, attributes), so a step is one rename of a staged name,
// one removal, or attributes of a directory; a staged name that is gone tells that its step is
// done. Called by commit (write), recovery (read), and both (drop).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire.h"
#include "sync/areas.h"
#include "sync/disk.h"
#include "sync/plan.h"

namespace xs {

struct Step {
  ActionKind kind{};
  std::string path;
  std::string staged;              // what is renamed onto the path; empty where nothing is
  std::uint64_t staged_inode = 0;  // told in a warning when something else stands at the path later
  // What stands at the path when the commit begins: nothing else is ever deleted. 0: nothing stood
  // there. A tree that was copied in the middle of a commit (a restored backup) has other inodes:
  // what the journal would still delete is then left out and reported (Partial), and the next run
  // deletes it. Type, size and time would not tell a file that
  // somebody put back from the one that was to go.
  std::uint64_t old_inode = 0;
  // Displace: the name that the old object is renamed to. Otherwise: where the old object has been
  // kept for rollback; empty when it is not.
  std::string kept;
  Attributes attributes;  // DirAttributes
  bool operator==(const Step&) const = default;
};

struct Journal {
  std::uint64_t id = 0;          // of the run: names its directories
  std::uint64_t generation = 0;  // the kept generation that becomes valid with this commit; 0: none
  Areas areas;
  std::string wake;  // what the caller still owes somebody after the commit; opaque
  std::vector<Step> steps;
  bool operator==(const Journal&) const = default;
};

inline constexpr std::size_t kWakeLimit = 65'536;

std::string journal_path();

// Pure. Decoding refuses (Protocol) what no encoder could have written, and every path that would
// lead elsewhere.
std::string encode_journal(const Journal& journal);
Journal decode_journal(std::string_view sealed);

// Nothing: no commit is under way. One that does not verify is an Error (Io) that says what to do;
// nothing has been touched then.
std::optional<Journal> read_journal(Disk& disk);
void write_journal(Disk& disk, const Journal& journal);
// Durably.
void drop_journal(Disk& disk);

// The bytes of attributes, as journal and generations have them.
void put_attributes(std::string& out, const Attributes& attributes);
Attributes get_attributes(wire::Reader& in);

}  // namespace xs
