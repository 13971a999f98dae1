// SPDX-License-Identifier: MIT
// TransferPolicy: TransferRules, parsed: which entries of the source are taken over at all, and as
// what. Made by the receiver before the connection; asked by plan and prepare. The entries
// themselves never change: they are what the server seals, so whoever compares or makes something
// asks here what a mode or an owner is to be. Pure once it is made.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "sync/id_map.h"
#include "sync/mode_spec.h"
#include "sync/transfer.h"

namespace xs {

class TransferPolicy {
 public:
  TransferPolicy() = default;
  // Usage: a specification that is wrong, or rules that cannot go together. `mask`: the umask.
  TransferPolicy(const TransferRules& rules, const Options& options, std::uint32_t mask);

  // Whether entries are taken over as something else than they are: equal trees are then no proof
  // that there is nothing to do.
  bool adapts() const { return !modes_.empty() || maps_owners(); }
  // Then the source's own numbers count, which entries of ours do not have.
  bool maps_owners() const { return !users_.empty() || !groups_.empty(); }

  std::uint32_t mode(const Entry& entry) const;
  // What the tables of owners are here.
  std::vector<Principal> users(std::vector<Principal> table) const;
  std::vector<Principal> groups(std::vector<Principal> table) const;

  // Whether the entry, with everything below it, is left alone. `file` describes the file of which
  // it is a name (itself unless it is a hard link); `ours` is what stands at its path, or nullptr.
  bool leaves(const Entry& entry, const Entry& file, const Entry* ours) const;

  bool same_time(std::int64_t a_ns, std::int64_t b_ns) const;
  // --force, where nothing may be deleted otherwise.
  bool forces() const { return rules_.force; }

 private:
  bool out_of_size(std::uint64_t size) const;
  bool is_newer(std::int64_t a_ns, std::int64_t b_ns) const;

  TransferRules rules_;
  bool numeric_ = false;
  ModeSpec modes_;
  IdMap users_;
  IdMap groups_;
};

// The options that a run with these rules has: owner maps want owners to be managed.
Options options_under(const TransferRules& rules, Options options);

// Whether a symbolic link at `path` may lead out of the tree: its target is empty or absolute,
// climbs above the top, or goes up again after it went down.
bool is_unsafe_link(std::string_view path, std::string_view target);

// The umask of the process.
std::uint32_t current_umask();

}  // namespace xs
