// SPDX-License-Identifier: MIT
// What is copied of an entry, and how two of them are compared.
#include "base/error.h"
#include "cli/settings.h"

namespace xs::cli {
namespace {

template <class Flag>
Flags<Flag> with(Flags<Flag> flags, Flags<Flag> what, bool on) {
  const std::uint32_t bits = on ? flags.bits() | what.bits() : flags.bits() & ~what.bits();
  return Flags<Flag>::from_bits(bits);
}

void keep(Draft& draft, Flags<Keep> what, bool on) {
  draft.config.options.keep = with(draft.config.options.keep, what, on);
}

void walk(Draft& draft, Scan what, bool on) {
  draft.config.options.scan = with(draft.config.options.scan, {what}, on);
}

void compare(Draft& draft, std::string_view how) {
  Config& config = draft.config;
  config.choose_compare = how == "auto";
  config.options.compare = how == "quick"       ? Compare::Quick
                           : how == "size-only" ? Compare::SizeOnly
                           : how == "always"    ? Compare::Always
                                                : Compare::Content;
}

// -c, -I and --size-only choose a comparison; their negation takes back only their own.
template <Compare kHow>
void choose(Draft& draft, const Value& value) {
  Config& config = draft.config;
  if (value.flag) {
    config.choose_compare = false;
    config.options.compare = kHow;
  } else if (!config.choose_compare && config.options.compare == kHow) {
    compare(draft, "auto");
  }
}

void archive(Draft& draft, const Value& value) {
  keep(draft,
       {Keep::Symlinks, Keep::Permissions, Keep::Times, Keep::Group, Keep::Owner, Keep::Devices,
        Keep::Specials},
       value.flag);
  walk(draft, Scan::Recursive, value.flag);
}

void chown(Draft& draft, const Value& value) {
  const std::size_t colon = value.text.find(':');
  const std::string user = value.text.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : value.text.substr(colon + 1);
  if ((user.empty() && group.empty()) || group.find(':') != std::string::npos)
    throw Error(Fault::Usage, "write USER, USER:GROUP or :GROUP");
  TransferRules& rules = draft.config.transfer;
  if (!user.empty()) rules.user_maps = {"*:" + user};
  if (!group.empty()) rules.group_maps = {"*:" + group};
}

std::vector<Setting> managed() {
  return {
      {"sync", "archive", "-a,--archive", "", Kind::Flag, "", "yes", kTreeVerbs,
       "archive mode: -rlptgoD", archive, "Not -H, -A and -X.", Repeat::Last, "", "no",
       "What is copied"},
      {"sync", "recursive", "-r,--recursive", "", Kind::Flag, "", "", kTreeVerbs,
       "go into directories", [](Draft& d, const Value& v) { walk(d, Scan::Recursive, v.flag); },
       "Without it rsync copies no directory at all, so a command line without -r and -a is "
       "refused."},
      {"sync", "links", "-l,--links", "", Kind::Flag, "", "", kTreeVerbs,
       "copy symbolic links as they are",
       [](Draft& d, const Value& v) { keep(d, {Keep::Symlinks}, v.flag); }},
      {"sync", "perms", "-p,--perms", "", Kind::Flag, "", "", kTreeVerbs, "keep permissions",
       [](Draft& d, const Value& v) { keep(d, {Keep::Permissions}, v.flag); }},
      {"sync", "times", "-t,--times", "", Kind::Flag, "", "", kTreeVerbs, "keep modification times",
       [](Draft& d, const Value& v) { keep(d, {Keep::Times}, v.flag); },
       "A time travels with new contents. While contents are compared, a file whose time alone "
       "differs is left alone: the primary's signer rewrites its unchanged keyconf.xml every "
       "minute."},
      {"sync", "group", "-g,--group", "", Kind::Flag, "", "", kTreeVerbs, "keep the group",
       [](Draft& d, const Value& v) { keep(d, {Keep::Group}, v.flag); },
       "Who is not root can set the groups that he is in; another one is without effect, as with "
       "rsync, and so is a name that is unknown here."},
      {"sync", "owner", "-o,--owner", "", Kind::Flag, "", "", kTreeVerbs, "keep the owner",
       [](Draft& d, const Value& v) { keep(d, {Keep::Owner}, v.flag); },
       "Only root can; for others it is without effect, as with rsync, and so it is for names that "
       "are unknown here."},
      {"sync", "devices", "--devices", "", Kind::Flag, "", "", kTreeVerbs, "copy device files",
       [](Draft& d, const Value& v) { keep(d, {Keep::Devices}, v.flag); }},
      {"sync", "specials", "--specials", "", Kind::Flag, "", "", kTreeVerbs,
       "copy fifos and sockets",
       [](Draft& d, const Value& v) { keep(d, {Keep::Specials}, v.flag); }},
      {"", "", "-D", "", Kind::Flag, "", "", kTreeVerbs, "same as --devices --specials",
       [](Draft& d, const Value& v) {
         keep(d, {Keep::Devices, Keep::Specials}, v.flag);
       }},
      {"sync", "hard-links", "-H,--hard-links", "", Kind::Flag, "", "no", kTreeVerbs,
       "keep hard links", [](Draft& d, const Value& v) { keep(d, {Keep::Hardlinks}, v.flag); }},
      {"sync", "acls", "-A,--acls", "", Kind::Flag, "", "no", kTreeVerbs,
       "keep access control lists (implies --perms)",
       [](Draft& d, const Value& v) {
         keep(d, {Keep::Acls}, v.flag);
         if (v.flag) keep(d, {Keep::Permissions}, true);
       }},
      {"sync", "xattrs", "-X,--xattrs", "", Kind::Flag, "", "no", kTreeVerbs,
       "keep extended attributes",
       [](Draft& d, const Value& v) { keep(d, {Keep::Xattrs}, v.flag); },
       "Never the security labels: those of a node are its own."},
      {"sync", "numeric-ids", "--numeric-ids", "", Kind::Flag, "", "no", kTreeVerbs,
       "take owners and groups by number, not by name",
       [](Draft& d, const Value& v) { walk(d, Scan::NumericIds, v.flag); }},
      {"sync", "usermap", "--usermap", "FROM:TO,...", Kind::Text, "", "", kTreeVerbs,
       "map users: names, numbers, ranges, * for all",
       [](Draft& d, const Value& v) { d.config.transfer.user_maps.push_back(v.text); }, "",
       Repeat::Replace},
      {"sync", "groupmap", "--groupmap", "FROM:TO,...", Kind::Text, "", "", kTreeVerbs,
       "map groups",
       [](Draft& d, const Value& v) { d.config.transfer.group_maps.push_back(v.text); }, "",
       Repeat::Replace},
      {"sync", "chown", "--chown", "USER:GROUP", Kind::Text, "", "", kTreeVerbs,
       "give everything to this user and group",
       [](Draft& d, const Value& v) {
         if (!v.text.empty()) chown(d, v);
       }},
      {"sync", "chmod", "--chmod", "CHMOD", Kind::Text, "", "", kTreeVerbs,
       "change the permissions that arrive: D and F for directories and files",
       [](Draft& d, const Value& v) { d.config.transfer.modes.push_back(v.text); }, "",
       Repeat::Replace},
  };
}

std::vector<Setting> compared() {
  return {
      {"sync", "compare", "", "HOW", Kind::Choice, "auto|content|quick|size-only|always", "auto", 0,
       "how two files are compared", [](Draft& d, const Value& v) { compare(d, v.text); },
       "content: by their bytes. quick: by size and time. size-only: by size. always: every file "
       "is "
       "taken anew. auto: content while the tree is small (5,000 files and 64 MiB), else quick.",
       Repeat::Last, "", kSameDefault, "How it is compared"},
      {"", "", "-c,--checksum", "", Kind::Flag, "", "", kTreeVerbs,
       "compare contents, however large the tree", choose<Compare::Content>},
      {"", "", "-I,--ignore-times", "", Kind::Flag, "", "", kTreeVerbs,
       "take every file anew, also where size and time agree", choose<Compare::Always>},
      {"", "", "--size-only", "", Kind::Flag, "", "", kTreeVerbs, "compare sizes only",
       choose<Compare::SizeOnly>},
      {"sync", "modify-window", "-@,--modify-window", "SECONDS", Kind::Number, "-1..86400", "0",
       kTreeVerbs, "times that differ by no more are equal, in the quick comparison",
       [](Draft& d, const Value& v) {
         // -1 is rsync's word for nanoseconds, in which we compare anyway.
         d.config.transfer.modify_window_ns = v.number < 0 ? 0 : v.number * 1'000'000'000;
       },
       "0 and -1: to the nanosecond."},
      {"sync", "compress", "-z,--compress", "", Kind::Flag, "", "yes", kTreeVerbs,
       "compress what travels (zstd)", [](Draft& d, const Value& v) { d.config.compress = v.flag; },
       "", Repeat::Last, "", "no"},
      {"sync", "bwlimit", "--bwlimit", "RATE", Kind::Size, "k", "0", kTreeVerbs,
       "at most so many KiB a second; 0: no limit",
       [](Draft& d, const Value& v) { d.config.bwlimit = static_cast<std::uint64_t>(v.number); }},
  };
}

}  // namespace

std::vector<Setting> content_settings() {
  std::vector<Setting> all = managed();
  for (Setting& setting : compared()) all.push_back(setting);
  return all;
}

}  // namespace xs::cli
