// SPDX-License-Identifier: MIT
// The protocol: every message that travels, with its number, its sender, its size limit and its
// fields, each listed once. `Message` is the table: codec, dispatch, round-trip tests, golden
// bytes, fuzzers and the check of PROTOCOL.md follow from it. The values are also the engine's
// values, so nothing here touches a disk. Numbers are never reused. What is optional between two
// builds is a Feature, not a version.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "protocol/fields.h"
#include "protocol/limits.h"

namespace xs {

// ---- values
// ---------------------------------------------------------------------------------------------

// XXH3-128 in canonical (big-endian) form: the digest of a file's bytes, or of a manifest (a
// generation).
struct Digest {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Digest&) const = default;
};

enum class Feature : std::uint32_t {
  Zstd = 1,       // frames may be compressed
  Xattrs = 2,     // entries may carry extended attributes (and, as such, POSIX ACLs)
  Hardlinks = 4,  // entries may be hard links to an earlier entry
  Specials = 8,   // entries may be fifos, sockets and devices
};

enum class Keep : std::uint32_t {  // what of an entry is managed, and so part of a generation
  Permissions = 1,
  Times = 2,
  Owner = 4,
  Group = 8,
  Symlinks = 16,
  Hardlinks = 32,
  Devices = 64,
  Specials = 128,
  Acls = 256,
  Xattrs = 512,
};

enum class Scan : std::uint32_t {  // how the tree is walked and its names are written down
  Recursive = 1,
  OneFileSystem = 2,
  NumericIds = 4,
  DeleteExcluded = 8,  // unqualified rules hide at the source and do not protect at the destination
  PruneEmptyDirs = 16,
};

enum class Compare : std::uint8_t { Content = 0, Quick = 1, SizeOnly = 2, Always = 3 };
enum class EntryType : std::uint8_t {
  File = 0,
  Dir = 1,
  Symlink = 2,
  Hardlink = 3,
  Fifo = 4,
  Socket = 5,
  CharDevice = 6,
  BlockDevice = 7,
};
// Whether more parts follow. Complete: this was the last, and every file in it is inlined, so that
// nothing is left to be wanted and the seal follows unasked.
enum class Part : std::uint8_t { More = 0, Last = 1, Complete = 2 };
enum class Form : std::uint8_t { Whole = 0, Delta = 1 };
enum class FileResult : std::uint8_t { Complete = 0, Moved = 1, Vanished = 2, Unreadable = 3 };
enum class PingKind : std::uint8_t { Alive = 0, Question = 1, Answer = 2 };

template <>
inline constexpr auto kLast<Compare> = Compare::Always;
template <>
inline constexpr auto kLast<Part> = Part::Complete;
template <>
inline constexpr auto kLast<Form> = Form::Delta;
template <>
inline constexpr auto kLast<FileResult> = FileResult::Unreadable;
template <>
inline constexpr auto kLast<PingKind> = PingKind::Answer;
template <>
inline constexpr std::uint32_t kKnown<Keep> = 1023;
template <>
inline constexpr std::uint32_t kKnown<Scan> = 31;
// A peer may offer features that we do not know: the answer holds only what both have.
template <>
inline constexpr std::uint32_t kKnown<Feature> = ~std::uint32_t{0};

using Features = Flags<Feature>;
inline constexpr Features kOurFeatures{Feature::Zstd, Feature::Xattrs, Feature::Hardlinks,
                                       Feature::Specials};

struct Principal {  // a user or a group; the number serves where the name is empty or unknown
  std::string name;
  std::uint32_t id = 0;
  bool operator==(const Principal&) const = default;
};

struct Xattr {
  std::string name;
  std::string value;
  bool operator==(const Xattr&) const = default;
};

// One name of a tree. Small on purpose: a manifest of 100,000 is held in memory on both sides.
struct Entry {
  std::string path;     // relative to the root; empty: the root itself
  std::string content;  // symlink: its target; hard link: the path it repeats; file: its bytes,
                        // when inlined
  std::vector<Xattr> xattrs;  // sorted by name
  std::optional<Digest> digest;
  std::uint64_t size = 0;     // file: bytes; device: its number; otherwise 0
  std::int64_t mtime_ns = 0;  // since the epoch
  std::uint32_t owner = 0;    // into Entries::users
  std::uint32_t group = 0;    // into Entries::groups
  std::uint16_t mode = 0;     // permission bits, at most 07777
  EntryType type = EntryType::File;
  bool inlined = false;  // a file whose bytes are in `content`
  bool operator==(const Entry&) const = default;
};

// A sorted run of entries with the users and groups that they name. entries.h has its encoding and
// order.
struct Entries {
  std::vector<Principal> users;
  std::vector<Principal> groups;
  std::vector<Entry> list;
  bool operator==(const Entries&) const = default;
};

struct Problem {  // what could not be read at the source; `path` and everything below it is left
                  // alone
  std::string path;
  std::string what;
  static constexpr auto fields(auto& p, auto&& f) { return f(Path{p.path}, Text{p.what}); }
  bool operator==(const Problem&) const = default;
};

struct Options {
  Compare compare = Compare::Content;
  Flags<Keep> keep;
  Flags<Scan> scan;
  std::uint32_t inline_limit = 0;  // files up to this size travel inside their entries
  static constexpr auto fields(auto& o, auto&& f) {
    return f(o.compare, o.keep, o.scan, AtMost<limits::kInline>(o.inline_limit));
  }
  bool operator==(const Options&) const = default;
};

// ---- messages
// -------------------------------------------------------------------------------------------

enum class Side : std::uint8_t { Client = 1, Server = 2, Both = 3 };

struct Spec {
  std::uint8_t number;
  std::string_view name;
  Side sender;
  std::size_t limit;  // of the payload, before compression
};

// All that the client has, an entry a fingerprint, in the order of its entries; what is in one is
// in sync/hash.h.
struct Index {
  std::uint64_t seed = 0;  // a new one for every run: two entries that collide in one do not in all
  std::vector<std::uint64_t> prints;
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.seed, Fixed64s<limits::kIndex>(m.prints));
  }
  bool operator==(const Index&) const = default;
};

struct Hello {
  static constexpr Spec spec{1, "hello", Side::Client, limits::kHello};
  Features features;
  std::string version;  // of the program, for logs only
  std::string root;     // absolute path at the server, which decides whether it serves it
  Options options;
  std::vector<std::string> filters;
  std::optional<Digest> generation;  // of what the client holds
  std::optional<Index> index;        // all of it, where it fits
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.features, Text{m.version}, Text{m.root}, m.options,
             List<limits::kFilterRules, limits::kFilterRule>(m.filters), m.generation, m.index);
  }
  bool operator==(const Hello&) const = default;
};

struct Welcome {
  static constexpr Spec spec{2, "welcome", Side::Server, limits::kHello};
  Features features;  // what both have; nothing else may be used from here on
  std::string version;
  std::vector<std::string>
      filters;  // the server's own excludes: what they hide is no reason to delete
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.features, Text{m.version},
             List<limits::kFilterRules, limits::kFilterRule>(m.filters));
  }
  bool operator==(const Welcome&) const = default;
};

struct Unchanged {
  static constexpr Spec spec{3, "unchanged", Side::Server, limits::kManifest};
  Digest generation;
  std::vector<Problem> problems;
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.generation, Items<limits::kProblems>(m.problems));
  }
  bool operator==(const Unchanged&) const = default;
};

struct Manifest {
  static constexpr Spec spec{4, "manifest", Side::Server, limits::kManifest};
  Entries entries;
  std::vector<std::uint32_t> gone;  // places in the client's index: the source has no such entry
  std::vector<Problem> problems;
  Part part = Part::More;
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.entries, Ascending<limits::kIndex>(m.gone), Items<limits::kProblems>(m.problems),
             m.part);
  }
  bool operator==(const Manifest&) const = default;
};

struct Want {
  static constexpr Spec spec{5, "want", Side::Client, limits::kBlock + 64};
  std::uint32_t file = 0;  // counts the entries in the order in which the server sent them
  std::string
      signature;  // a part of the basis' librsync signature; none at all: send the whole file
  bool last = true;
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.file, Blob<limits::kBlock>(m.signature), m.last);
  }
  bool operator==(const Want&) const = default;
};

struct File {
  static constexpr Spec spec{6, "file", Side::Server, limits::kSmall};
  std::uint32_t file = 0;
  Form form = Form::Whole;
  std::uint64_t size = 0;  // of the file when it was opened
  static constexpr auto fields(auto& m, auto&& f) { return f(m.file, m.form, m.size); }
  bool operator==(const File&) const = default;
};

struct Data {
  static constexpr Spec spec{7, "data", Side::Server, limits::kBlock + 8};
  std::string bytes;
  static constexpr auto fields(auto& m, auto&& f) { return f(Blob<limits::kBlock>(m.bytes)); }
  bool operator==(const Data&) const = default;
};

struct Delta {
  static constexpr Spec spec{8, "delta", Side::Server, limits::kBlock + 8};
  std::string bytes;
  static constexpr auto fields(auto& m, auto&& f) { return f(Blob<limits::kBlock>(m.bytes)); }
  bool operator==(const Delta&) const = default;
};

struct FileEnd {
  static constexpr Spec spec{9, "file-end", Side::Server, limits::kSmall};
  FileResult result = FileResult::Complete;
  Digest digest;     // of the whole file; zero unless complete
  std::string what;  // the reason; empty when complete
  static constexpr auto fields(auto& m, auto&& f) { return f(m.result, m.digest, Text{m.what}); }
  static constexpr bool valid(const auto& m) {
    return m.result == FileResult::Complete ? m.what.empty() : m.digest == Digest{};
  }
  bool operator==(const FileEnd&) const = default;
};

struct Seal {
  static constexpr Spec spec{10, "seal", Side::Server, limits::kSmall};
  Digest generation;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  static constexpr auto fields(auto& m, auto&& f) { return f(m.generation, m.entries, m.bytes); }
  bool operator==(const Seal&) const = default;
};

struct Changed {  // the source moved: these entries are new or different since they were sent
  static constexpr Spec spec{11, "changed", Side::Server, limits::kManifest};
  Entries entries;
  std::vector<std::string> gone;
  std::vector<Problem> problems;
  Part part = Part::More;
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.entries, Paths{m.gone}, Items<limits::kProblems>(m.problems), m.part);
  }
  bool operator==(const Changed&) const = default;
};

struct Ping {
  static constexpr Spec spec{12, "ping", Side::Both, limits::kPing + 8};
  PingKind kind = PingKind::Alive;
  std::string bytes;  // a question's bytes come back in its answer
  static constexpr auto fields(auto& m, auto&& f) {
    return f(m.kind, Blob<limits::kPing>(m.bytes));
  }
  static constexpr bool valid(const auto& m) {
    return m.kind != PingKind::Alive || m.bytes.empty();
  }
  bool operator==(const Ping&) const = default;
};

struct Bye {  // the sender is done and reads no more
  static constexpr Spec spec{13, "bye", Side::Both, limits::kSmall};
  std::string outcome;  // one line for the other side's log
  static constexpr auto fields(auto& m, auto&& f) { return f(Text{m.outcome}); }
  bool operator==(const Bye&) const = default;
};

struct Abort {  // the sender gives up
  static constexpr Spec spec{14, "abort", Side::Both, limits::kSmall};
  Fault fault = Fault::Protocol;
  std::string text;
  static constexpr auto fields(auto& m, auto&& f) { return f(m.fault, Text{m.text}); }
  bool operator==(const Abort&) const = default;
};

struct Enough {  // nothing more is wanted of what has been sent so far: seal it, or say what
                 // changed
  static constexpr Spec spec{15, "enough", Side::Client, limits::kSmall};
  std::uint32_t wanted = 0;  // how many files, in all of this session
  static constexpr auto fields(auto& m, auto&& f) { return f(m.wanted); }
  bool operator==(const Enough&) const = default;
};

using Message = std::variant<Hello, Welcome, Unchanged, Manifest, Want, File, Data, Delta, FileEnd,
                             Seal, Changed, Ping, Bye, Abort, Enough>;

inline const Spec& spec_of(const Message& message) {
  return std::visit([](const auto& m) -> const Spec& { return m.spec; }, message);
}

}  // namespace xs
