// SPDX-License-Identifier: MIT
// FilterList: rsync's filter rules as one ordered list: filled from the command line, sent in the
// hello, read by the server. A value; pure but for the reader of merge files that is passed in.
// What the rules decide about a name is FilterWalk's business (filter_walk.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/filter_parse.h"

namespace xs {

class FilterList {
 public:
  // --exclude=P, --include=P: "- P" and "+ P" choose the sense, "!" alone clears the list. All of
  // these throw Usage for a malformed rule and then leave the list as it was.
  void exclude(std::string_view pattern);
  void include(std::string_view pattern);
  // --filter=RULE. Merge files are read at once, through the reader.
  void filter(std::string_view rule, const FilterReader& reader = {}, bool nul_separated = false);
  // --exclude-from, --include-from: the file's contents; its name is for messages.
  void exclude_from(std::string_view contents, const std::string& file, bool nul_separated = false);
  void include_from(std::string_view contents, const std::string& file, bool nul_separated = false);

  // This list behind rules that nothing in it can lift: what `fence` excludes stays excluded on the
  // sides that its rules name, whatever this list includes or clears, and under --delete-excluded
  // too.
  FilterList with_mandatory(const FilterList& fence) const;

  // Each rule as its canonical --filter text, without the mandatory ones.
  std::vector<std::string> to_wire() const;
  // Throws Protocol for anything that to_wire() does not write.
  static FilterList from_wire(const std::vector<std::string>& rules);

  const std::vector<FilterRule>& rules() const { return rules_; }
  const std::vector<FilterRule>& mandatory() const { return mandatory_; }
  bool has_dir_merge() const;
  bool operator==(const FilterList&) const = default;

 private:
  void append(FilterText text);
  void add_old(std::string_view pattern, char bare);
  void add_from(std::string_view contents, const std::string& file, char bare, bool nul_separated);

  std::vector<FilterRule> rules_;
  std::vector<FilterRule> mandatory_;
};

}  // namespace xs
