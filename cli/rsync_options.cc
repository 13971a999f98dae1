// SPDX-License-Identifier: MIT
#include "cli/rsync_options.h"

#include <algorithm>

#include "cli/value.h"

namespace xs::cli {
namespace {

constexpr Answer kAccepted = Answer::Accepted;
constexpr Answer kRefused = Answer::Refused;

constexpr std::string_view kAllOrNothing = "a commit is all or nothing, so it always holds";
constexpr std::string_view kNoPartial = "nothing partial is ever left or used";
constexpr std::string_view kTuning = "it tunes rsync's own transfer and changes no result";
constexpr std::string_view kArguments = "no argument passes a remote shell here";
constexpr std::string_view kDaemon = "there is no daemon here";
constexpr std::string_view kTorn = "it writes into live files, which would tear them";
constexpr std::string_view kDigest = "contents are always compared and proved by XXH3-128";
constexpr std::string_view kFollows = "links are copied as they are, and never followed";
constexpr std::string_view kReadOnly = "the primary is only ever read";
constexpr std::string_view kWhole = "exactly one whole tree is copied";
constexpr std::string_view kTimes = "only modification times of whole entries are kept";
constexpr std::string_view kBatch = "there are no batch files";
constexpr std::string_view kBasis = "the only basis is the tree itself and --link-dest";
constexpr std::string_view kOurShell = "the program at the other side takes no options";
constexpr std::string_view kPrivileges = "it acts with the rights of the user who runs it";
constexpr std::string_view kDebug = "use -v, and [log] level = debug";

std::vector<RsyncOption> accepted() {
  return {
      {"--delay-updates", false, kAccepted, kAllOrNothing},
      {"--fsync", false, kAccepted, "everything is made durable before the commit"},
      {"--partial", false, kAccepted, kNoPartial},
      {"--partial-dir", true, kAccepted, kNoPartial},
      {"-T,--temp-dir", true, kAccepted,
       "files are staged in the destination's own .xroad-sync, so that each step is one rename"},
      {"-S,--sparse", false, kAccepted, "contents are the same; holes are not made"},
      {"-8,--8-bit-output", false, kAccepted,
       "names keep their UTF-8; other bytes stay escaped, so that a line can be read back"},
      {"--preallocate", false, kAccepted, kTuning},
      {"-W,--whole-file", false, kAccepted, kTuning},
      {"-B,--block-size", true, kAccepted, kTuning},
      {"-y,--fuzzy", false, kAccepted, kTuning},
      {"--inc-recursive,--i-r", false, kAccepted, kTuning},
      {"--compress-level,--zl", true, kAccepted, kTuning},
      {"--compress-threads,--zt", true, kAccepted, kTuning},
      {"--skip-compress", true, kAccepted, kTuning},
      {"--blocking-io", false, kAccepted, kTuning},
      {"--outbuf", true, kAccepted, kTuning},
      {"-s,--secluded-args,--protect-args", false, kAccepted, kArguments},
      {"--old-args", false, kAccepted, kArguments},
      {"--motd", false, kAccepted, kDaemon},
      {"--msgs2stderr", false, kAccepted, "errors go to standard error"},
  };
}

std::vector<RsyncOption> refused() {
  return {
      {"--append", false, kRefused, kTorn},
      {"--append-verify", false, kRefused, kTorn},
      {"--inplace", false, kRefused, kTorn},
      {"--write-devices", false, kRefused, kTorn},
      {"--copy-devices", false, kRefused, "devices are not read"},
      {"--copy-links,-L", false, kRefused, kFollows},
      {"--copy-unsafe-links", false, kRefused, kFollows},
      {"--copy-dirlinks,-k", false, kRefused, kFollows},
      {"--keep-dirlinks,-K", false, kRefused, kFollows},
      {"--insecure-links", false, kRefused, kFollows},
      {"--munge-links", false, kRefused, kFollows},
      {"--confine-root", true, kRefused, "a run never leaves its root"},
      {"--relative,-R", false, kRefused, kWhole},
      {"--implied-dirs", false, kRefused, kWhole},
      {"--dirs,-d", false, kRefused, kWhole},
      {"--old-dirs,--old-d", false, kRefused, kWhole},
      {"--list-only", false, kRefused, "use diff, or -n -i"},
      {"--executability,-E", false, kRefused, "use --perms"},
      {"--drop-D", false, kRefused, "use --no-D"},
      {"--atimes,-U", false, kRefused, kTimes},
      {"--open-noatime", false, kRefused, kTimes},
      {"--crtimes,-N", false, kRefused, kTimes},
      {"--omit-dir-times,-O", false, kRefused, kTimes},
      {"--omit-link-times,-J", false, kRefused, kTimes},
      {"--super", false, kRefused, kPrivileges},
      {"--fake-super", false, kRefused, kPrivileges},
      {"--copy-as", true, kRefused, kPrivileges},
      {"--remove-source-files,--remove-sent-files", false, kRefused, kReadOnly},
      {"--ignore-missing-args", false, kRefused, kWhole},
      {"--delete-missing-args", false, kRefused, kWhole},
      {"--ignore-errors", false, kRefused,
       "what could not be read at the source is never deleted here"},
      {"--max-alloc", true, kRefused, "the limits are fixed; see [limits] entries"},
      {"--checksum-choice,--cc", true, kRefused, kDigest},
      {"--checksum-seed", true, kRefused, kDigest},
      {"--compress-choice,--zc", true, kRefused, "it is always zstd"},
      {"--old-compress,--new-compress", false, kRefused, "it is always zstd"},
      {"--compare-dest", true, kRefused, kBasis},
      {"--copy-dest", true, kRefused, kBasis},
      {"--cvs-exclude,-C", false, kRefused, "write the patterns with --exclude"},
      {"--trust-sender", false, kRefused, "everything that a primary says is checked"},
      {"--debug", true, kRefused, kDebug},
      {"--stderr", true, kRefused, "results go to standard output, the rest to standard error"},
      {"--remote-option,-M", true, kRefused, kOurShell},
      {"--stop-at", true, kRefused, "use --stop-after"},
      {"--write-batch", true, kRefused, kBatch},
      {"--only-write-batch", true, kRefused, kBatch},
      {"--read-batch", true, kRefused, kBatch},
      {"--protocol", true, kRefused, "the protocol is not rsync's"},
      {"--iconv", true, kRefused, "names are bytes and are never converted"},
      {"--address", true, kRefused, "use -e \"ssh -b ADDRESS\""},
      {"--sockopts", true, kRefused, "use -e \"ssh -o ...\""},
      {"--port", true, kRefused, "it is a daemon's; use -e \"ssh -p PORT\""},
      {"--password-file", true, kRefused, kDaemon},
      {"--early-input", true, kRefused, kDaemon},
      {"--daemon", false, kRefused, kDaemon},
      {"--sender", false, kRefused, "the program for the other side is xroad-sync-server"},
  };
}

}  // namespace

const std::vector<RsyncOption>& rsync_options() {
  static const std::vector<RsyncOption> all = [] {
    std::vector<RsyncOption> both = accepted();
    for (const RsyncOption& option : refused()) both.push_back(option);
    return both;
  }();
  return all;
}

const RsyncOption* find_rsync_option(std::string_view name) {
  for (const RsyncOption& option : rsync_options()) {
    const auto names = split_words(option.options, ',');
    if (std::find(names.begin(), names.end(), name) != names.end()) return &option;
  }
  return nullptr;
}

}  // namespace xs::cli
