// SPDX-License-Identifier: MIT
#include "sync/filter.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "protocol/limits.h"

namespace xs {
namespace {

void check_count(std::size_t count) {
  if (count <= limits::kFilterRules) return;
  throw Error(Fault::Usage, "more than " + std::to_string(limits::kFilterRules) +
                                " filter rules; merge them into fewer");
}

}  // namespace

// -------------------------------------------------------------------------------------------

void FilterList::append(FilterText text) {
  std::vector<FilterRule> all = text.cleared ? std::vector<FilterRule>{} : rules_;
  for (FilterRule& rule : text.rules) {
    // A second dir-merge of the same file name adds nothing, wherever it stands: as in rsync.
    const auto same = [&](const FilterRule& other) {
      return other.kind == FilterRule::Kind::DirMerge && rule.kind == FilterRule::Kind::DirMerge &&
             file_name(other.pattern) == file_name(rule.pattern);
    };
    if (std::none_of(all.begin(), all.end(), same)) all.push_back(std::move(rule));
  }
  check_count(all.size());
  rules_ = std::move(all);
}

void FilterList::add_old(std::string_view pattern, char bare) {
  FilterText text;
  FilterStyle style;
  style.old_prefixes = true;
  style.bare = bare;
  FilterParser({}).rule(pattern, style, {}, text);
  append(std::move(text));
}

void FilterList::add_from(std::string_view contents, const std::string& file, char bare,
                          bool nul_separated) {
  FilterText text;
  FilterStyle style;
  style.old_prefixes = true;
  style.bare = bare;
  FilterParser({}, nul_separated).file(contents, file, style, text);
  append(std::move(text));
}

void FilterList::exclude(std::string_view pattern) { add_old(pattern, '-'); }
void FilterList::include(std::string_view pattern) { add_old(pattern, '+'); }

void FilterList::exclude_from(std::string_view contents, const std::string& file,
                              bool nul_separated) {
  add_from(contents, file, '-', nul_separated);
}

void FilterList::include_from(std::string_view contents, const std::string& file,
                              bool nul_separated) {
  add_from(contents, file, '+', nul_separated);
}

void FilterList::filter(std::string_view rule, const FilterReader& reader, bool nul_separated) {
  FilterText text;
  FilterParser(reader, nul_separated).rule(rule, {}, {}, text);
  append(std::move(text));
}

FilterList FilterList::with_mandatory(const FilterList& fence) const {
  FilterList result = *this;
  result.mandatory_.insert(result.mandatory_.begin(), fence.rules_.begin(), fence.rules_.end());
  for (const FilterRule& rule : result.mandatory_) {
    if (rule.kind != FilterRule::Kind::DirMerge) continue;
    throw Error(Fault::Usage,
                "a mandatory filter rule cannot be read from the tree: " + quote(to_string(rule)));
  }
  return result;
}

std::vector<std::string> FilterList::to_wire() const {
  std::vector<std::string> wire;
  wire.reserve(rules_.size());
  for (const FilterRule& rule : rules_) wire.push_back(to_string(rule));
  return wire;
}

FilterList FilterList::from_wire(const std::vector<std::string>& rules) {
  FilterText text;
  FilterList list;
  try {
    check_count(rules.size());
    FilterParser parser({});
    for (const std::string& rule : rules) parser.rule(rule, {}, {}, text);
    list.append(std::move(text));
  } catch (const Error& error) {
    throw Error(Fault::Protocol, "the filter rules of the other side: " + error.text());
  }
  if (list.to_wire() != rules) {
    throw Error(Fault::Protocol,
                "the filter rules of the other side are not in their canonical form");
  }
  return list;
}

bool FilterList::has_dir_merge() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const FilterRule& rule) {
    return rule.kind == FilterRule::Kind::DirMerge;
  });
}

}  // namespace xs
