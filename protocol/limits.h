// SPDX-License-Identifier: MIT
// Every size that a peer may name and every time that we wait, in one table. PROTOCOL.md shows the
// same table and a test compares the two. A peer can reach a limit; nothing that it sends can move
// one.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace xs::limits {

inline constexpr std::size_t kName = 255;            // one component of a path, one attribute name
inline constexpr std::size_t kPath = 4096;           // a whole path, a link target
inline constexpr std::size_t kText = 4096;           // words for people: versions, reasons
inline constexpr std::size_t kFilterRule = 8192;     // one filter rule
inline constexpr std::size_t kFilterRules = 10'000;  // rules of one run
inline constexpr std::size_t kXattrs = 64;           // extended attributes of one entry
inline constexpr std::size_t kXattrValue = 65'536;   // the value of one attribute
inline constexpr std::size_t kPrincipals = 4096;     // distinct users (or groups) in one batch
inline constexpr std::size_t kInline = 65'536;       // file contents carried inside an entry
inline constexpr std::size_t kProblems = 10'000;     // problems reported in one message
inline constexpr std::size_t kHello = std::size_t{1}
                                      << 20;   // payload of a hello, its index included
inline constexpr std::size_t kIndex = 32'768;  // entries that a hello tells of
inline constexpr std::size_t kManifest = std::size_t{1} << 20;  // payload of one manifest part
// Of the paths of one batch, which front coding and compression make small on the wire.
inline constexpr std::size_t kPaths = std::size_t{16} << 20;
// Of all that a client keeps of a session's entries, contents aside; with more entries than a
// million so many bytes for each of them as that makes.
inline constexpr std::size_t kKept = std::size_t{256} << 20;
inline constexpr std::size_t kOwners = 65'536;        // distinct users, or groups, of one tree
inline constexpr std::size_t kAllProblems = 100'000;  // of one session
// Looks at a byte under a pattern's position, in matching our names with the server's own rules.
inline constexpr std::size_t kFilterSteps = std::size_t{1} << 30;
inline constexpr std::size_t kBlock = std::size_t{256}
                                      << 10;   // file bytes in one data or delta message
inline constexpr std::size_t kSmall = 16'384;  // payload of a message without bulk
inline constexpr std::size_t kPing = 32'768;   // bytes that a ping may ask back
inline constexpr std::size_t kPending = std::size_t{64} << 20;  // received and not yet taken
inline constexpr std::size_t kOutgoing = std::size_t{1} << 20;  // encoded and not yet written
inline constexpr std::size_t kWindowLog = 20;                   // zstd window: 2^20 bytes
inline constexpr std::size_t kRatio = 1024;   // output per input byte of a compressed frame
inline constexpr std::size_t kNoise = 200;    // quoted bytes of a banner or of shell noise
inline constexpr std::size_t kStderr = 4096;  // kept of what the far side prints on stderr

struct Limit {
  std::string_view name;
  std::size_t value;
  std::string_view what;
};

inline constexpr auto kTable = std::to_array<Limit>({
    {"name", kName, "bytes in one path component or attribute name"},
    {"path", kPath, "bytes in a path or link target"},
    {"text", kText, "bytes of text for people"},
    {"filter-rule", kFilterRule, "bytes in one filter rule"},
    {"filter-rules", kFilterRules, "filter rules in one run"},
    {"filter-steps", kFilterSteps, "steps in matching a server's rules, 100000 for each name"},
    {"xattrs", kXattrs, "extended attributes of one entry"},
    {"xattr-value", kXattrValue, "bytes in one attribute value"},
    {"principals", kPrincipals, "distinct users, or groups, in one batch"},
    {"inline", kInline, "bytes of a file carried inside its entry"},
    {"problems", kProblems, "problems in one message"},
    {"hello", kHello, "bytes of a hello"},
    {"index", kIndex, "entries of which a hello holds fingerprints"},
    {"manifest", kManifest, "bytes of one manifest part"},
    {"paths", kPaths, "bytes in the paths of one batch, written out"},
    {"kept", kKept, "bytes that a client keeps of the entries of a session, without contents"},
    {"owners", kOwners, "distinct users, or groups, of one tree"},
    {"all-problems", kAllProblems, "problems in one session"},
    {"block", kBlock, "file bytes in one data, delta or signature part"},
    {"small", kSmall, "bytes of a message without bulk"},
    {"ping", kPing, "bytes that a ping may ask back"},
    {"pending", kPending, "bytes received and not yet taken"},
    {"outgoing", kOutgoing, "bytes encoded and not yet written"},
    {"window-log", kWindowLog, "log2 of the zstd window"},
    {"ratio", kRatio, "output bytes for an input byte of a compressed frame"},
    {"noise", kNoise, "quoted bytes of text before the protocol"},
    {"stderr", kStderr, "bytes kept of the far side's stderr"},
});

}  // namespace xs::limits

namespace xs {

// How long each phase may take. A value of the caller's configuration; no peer can change it.
struct Deadlines {
  std::chrono::milliseconds connect{5'000};  // name look-up and TCP, all addresses together
  std::chrono::milliseconds login{10'000};   // from the connection to the started remote program
  std::chrono::milliseconds first_byte{10'000};  // from there to the peer's magic
  std::chrono::milliseconds idle{10'000};        // without a byte from the peer
  std::chrono::milliseconds close{2'000};        // for the last bytes and an orderly end
  std::chrono::milliseconds total{0};            // for everything; 0: no limit
};

}  // namespace xs
