// SPDX-License-Identifier: MIT
// Which entries are copied, and what becomes of those that the source does not have.
#include "base/error.h"
#include "base/io.h"
#include "cli/settings.h"

namespace xs::cli {
namespace {

constexpr std::size_t kRulesFile = std::size_t{4} << 20;

std::string rules_file(const std::string& file) {
  if (file == "-") throw Error(Fault::Unsupported, "rules from standard input");
  return read_file(file, kRulesFile);
}

std::uint64_t unsigned_of(const Value& value) { return static_cast<std::uint64_t>(value.number); }

void set_scan(Draft& draft, Scan what, bool on) {
  const std::uint32_t bit = static_cast<std::uint32_t>(what);
  const std::uint32_t bits = draft.config.options.scan.bits();
  draft.config.options.scan = Flags<Scan>::from_bits(on ? bits | bit : bits & ~bit);
}

void remove_extraneous(Draft& draft, const Value& value) { draft.config.remove = value.flag; }

// rsync's meaning of one -F and of two.
void per_directory(Draft& draft, const Value&) {
  ++draft.per_directory;
  if (draft.per_directory == 1) draft.filters.filter(": /.rsync-filter");
  if (draft.per_directory == 2) draft.filters.filter("- .rsync-filter");
}

std::vector<Setting> rules() {
  return {
      {"sync", "preset", "--preset", "NAME", Kind::Choice, "xroad|none", "xroad", kTreeVerbs,
       "what is known of the tree: xroad or none",
       [](Draft& d, const Value& v) { d.preset = v.text; },
       "xroad: the excludes of the cluster guide and of what must never leave a node, keyconf.xml "
       "installed last, the guards, and the signer woken. Its excludes are the weakest rules. A "
       "source on the command line brings its own excludes, so those of the preset hold there only "
       "where it was asked for by name; the rest holds there also for /etc/xroad/ to /etc/xroad/.",
       Repeat::Last, "", "none", "Which files"},
      {"sync", "exclude", "--exclude", "PATTERN", Kind::Text, "", "", kTreeVerbs,
       "leave out what matches; it is not deleted either",
       [](Draft& d, const Value& v) { d.filters.exclude(v.text); },
       "Rules are asked in their order, those of the command line before those of the "
       "configuration; the first that matches decides.",
       Repeat::Add},
      {"sync", "include", "--include", "PATTERN", Kind::Text, "", "", kTreeVerbs,
       "do not leave out what matches", [](Draft& d, const Value& v) { d.filters.include(v.text); },
       "", Repeat::Add},
      {"sync", "filter", "-f,--filter", "RULE", Kind::Text, "", "", kTreeVerbs,
       "a rule of rsync's filter language",
       [](Draft& d, const Value& v) { d.filters.filter(v.text, rules_file, d.from0); }, "",
       Repeat::Add},
      {"sync", "exclude-from", "--exclude-from", "FILE", Kind::Path, "", "", kTreeVerbs,
       "exclude patterns, one a line",
       [](Draft& d, const Value& v) {
         d.filters.exclude_from(rules_file(v.text), v.text, d.from0);
       },
       "", Repeat::Add},
      {"sync", "include-from", "--include-from", "FILE", Kind::Path, "", "", kTreeVerbs,
       "include patterns, one a line",
       [](Draft& d, const Value& v) {
         d.filters.include_from(rules_file(v.text), v.text, d.from0);
       },
       "", Repeat::Add},
      {"", "", "-F", "", Kind::Count, "", "", kTreeVerbs,
       "once: rules from .rsync-filter files in the tree; twice: and leave those files out",
       per_directory},
      {"", "", "--files-from", "FILE", Kind::Path, "", "", kTreeVerbs,
       "copy only the names in this file", [](Draft& d, const Value& v) { d.files_from = v.text; }},
      {"", "", "-0,--from0", "", Kind::Flag, "", "", kTreeVerbs,
       "names and rules in such files end with a NUL",
       [](Draft& d, const Value& v) { d.from0 = v.flag; },
       "For files of rules that follow it, as with rsync."},
      {"sync", "one-file-system", "-x,--one-file-system", "", Kind::Flag, "", "no", kTreeVerbs,
       "do not cross into another file system",
       [](Draft& d, const Value& v) { set_scan(d, Scan::OneFileSystem, v.flag); }},
      {"sync", "prune-empty-dirs", "-m,--prune-empty-dirs", "", Kind::Flag, "", "no", kTreeVerbs,
       "leave out directories in which nothing is copied",
       [](Draft& d, const Value& v) { set_scan(d, Scan::PruneEmptyDirs, v.flag); }},
      {"", "", "--existing,--ignore-non-existing", "", Kind::Flag, "", "", kTreeVerbs,
       "make nothing that is not there yet",
       [](Draft& d, const Value& v) { d.config.transfer.existing_only = v.flag; }},
      {"", "", "--ignore-existing", "", Kind::Flag, "", "", kTreeVerbs,
       "update nothing that is there",
       [](Draft& d, const Value& v) { d.config.transfer.ignore_existing = v.flag; }},
      {"", "", "-u,--update", "", Kind::Flag, "", "", kTreeVerbs, "leave files that are newer here",
       [](Draft& d, const Value& v) { d.config.transfer.update = v.flag; }},
      {"", "", "--max-size", "SIZE", Kind::Size, "b", "", kTreeVerbs, "no larger files",
       [](Draft& d, const Value& v) { d.config.transfer.max_size = unsigned_of(v); }},
      {"", "", "--min-size", "SIZE", Kind::Size, "b", "", kTreeVerbs, "no smaller files",
       [](Draft& d, const Value& v) { d.config.transfer.min_size = unsigned_of(v); }},
      {"sync", "safe-links", "--safe-links", "", Kind::Flag, "", "no", kTreeVerbs,
       "leave out symbolic links that lead out of the tree",
       [](Draft& d, const Value& v) { d.config.transfer.safe_links = v.flag; }},
  };
}

std::vector<Setting> deletions() {
  return {
      {"sync", "delete", "--delete", "", Kind::Flag, "", "yes", kTreeVerbs,
       "delete what the source does not have", remove_extraneous,
       "Excluded names stay. The guards below decide before anything is touched.", Repeat::Last, "",
       "no", "Deleting"},
      {"", "", "--delete-before", "", Kind::Flag, "", "", kTreeVerbs, "the same as --delete",
       remove_extraneous,
       "Deletions are a part of the commit, so when rsync would do them has no meaning here."},
      {"", "", "--delete-during,--del", "", Kind::Flag, "", "", kTreeVerbs, "the same as --delete",
       remove_extraneous},
      {"", "", "--delete-delay", "", Kind::Flag, "", "", kTreeVerbs, "the same as --delete",
       remove_extraneous},
      {"", "", "--delete-after", "", Kind::Flag, "", "", kTreeVerbs, "the same as --delete",
       remove_extraneous},
      {"", "", "--delete-excluded", "", Kind::Flag, "", "", kTreeVerbs,
       "delete what is excluded, too",
       [](Draft& d, const Value& v) {
         if (v.flag) d.config.remove = true;
         set_scan(d, Scan::DeleteExcluded, v.flag);
       },
       "Not what the primary itself never lets out."},
      {"sync", "max-delete", "--max-delete", "NUMBER", Kind::Number, "-1..1000000000", "",
       kTreeVerbs, "refuse to delete more than this",
       [](Draft& d, const Value& v) {
         auto& limit = d.config.transfer.max_delete;
         limit = v.number < 0 ? std::nullopt : std::optional(unsigned_of(v));
       },
       "rsync deletes so many and then stops. Here the whole run is refused (25) and nothing is "
       "deleted. -1: no limit."},
      {"", "", "--force", "", Kind::Flag, "", "", kTreeVerbs,
       "let a file replace a directory that is not empty",
       [](Draft& d, const Value& v) { d.config.transfer.force = v.flag; }},
      {"sync", "backup", "-b,--backup", "", Kind::Flag, "", "no", kTreeVerbs,
       "keep what is replaced or deleted beside it",
       [](Draft& d, const Value& v) { d.config.transfer.backup = v.flag; },
       "Kept generations do it better: see rollback."},
      {"sync", "backup-dir", "--backup-dir", "DIR", Kind::Path, "", "", kTreeVerbs,
       "keep it below this directory",
       [](Draft& d, const Value& v) {
         d.config.transfer.backup_dir = v.text;
         if (!v.text.empty()) d.config.transfer.backup = true;
       }},
      {"sync", "suffix", "--suffix", "SUFFIX", Kind::Text, "", "", kTreeVerbs,
       "what a backup's name ends with (~, or nothing where there is a --backup-dir)",
       [](Draft& d, const Value& v) {
         if (v.text.find('/') != std::string::npos)
           throw Error(Fault::Usage, "a suffix cannot contain slashes");
         d.config.transfer.suffix = v.text;
       }},
      {"", "", "--link-dest", "DIR", Kind::Path, "", "", kTreeVerbs,
       "hard-link files that have not changed to those in DIR",
       [](Draft& d, const Value& v) { d.config.transfer.link_dest.push_back(v.text); }, "",
       Repeat::Replace},
  };
}

}  // namespace

std::vector<Setting> selection_settings() {
  std::vector<Setting> all = rules();
  for (Setting& setting : deletions()) all.push_back(setting);
  return all;
}

}  // namespace xs::cli
