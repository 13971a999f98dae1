// SPDX-License-Identifier: MIT
// TransferRules: rsync's options that decide, at the receiver, what of the source is taken over and
// how. Filled by the command line; the specifications are kept as they were written and are parsed
// (Usage, with what is wrong) by whoever applies them: transfer_policy.h, files_from.h, backup.h,
// link_dest.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xs {

struct TransferRules {
  bool existing_only = false;    // --existing: make nothing that is not there
  bool ignore_existing = false;  // --ignore-existing: update nothing that is there
  bool update = false;           // -u: leave files that are newer here
  bool safe_links = false;       // --safe-links: leave out links that lead out of the tree
  // --force: a directory that is not empty may give way to something else although nothing is
  // deleted otherwise
  bool force = false;
  std::optional<std::uint64_t> max_size;
  std::optional<std::uint64_t> min_size;
  std::optional<std::uint64_t> max_delete;  // refused as a whole when a plan deletes more
  std::vector<std::string> user_maps;       // --usermap, --chown (add_chown): "FROM:TO,..."
  std::vector<std::string> group_maps;
  std::vector<std::string> modes;  // --chmod
  bool backup = false;             // -b
  std::string backup_dir;
  std::string suffix;                  // empty: "~", or nothing where there is a backup_dir
  std::vector<std::string> link_dest;  // --link-dest, in their order
  std::optional<std::vector<std::string>> files;  // --files-from (parse_file_list): only these
  bool files_recursive = false;       // with `files`: -r was given by itself, -a does not count
  std::int64_t modify_window_ns = 0;  // --modify-window, for the quick comparison and -u
  bool operator==(const TransferRules&) const = default;
};

}  // namespace xs
