// SPDX-License-Identifier: MIT
#include "protocol/entries.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.h"

namespace xs {
namespace {

using wire::malformed;

// The first byte of an entry: its type and what follows.
constexpr std::uint8_t kTypeMask = 0x07;
constexpr std::uint8_t kSameMode = 0x08;   // as the previous entry of this type
constexpr std::uint8_t kSameOwner = 0x10;  // owner and group as the previous entry
constexpr std::uint8_t kHasDigest = 0x20;
constexpr std::uint8_t kHasContent = 0x40;
constexpr std::uint8_t kHasXattrs = 0x80;

constexpr std::uint16_t kModeMask = 07777;
constexpr std::int64_t kSecond = 1'000'000'000;

struct Time {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
};

constexpr Time split(std::int64_t ns) {
  const std::int64_t rest = ns % kSecond;
  const std::int64_t whole = ns / kSecond;
  return rest < 0 ? Time{whole - 1, static_cast<std::uint32_t>(rest + kSecond)}
                  : Time{whole, static_cast<std::uint32_t>(rest)};
}

std::size_t shared_prefix(std::string_view a, std::string_view b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end.first - a.begin());
}

bool is_device(EntryType type) {
  return type == EntryType::CharDevice || type == EntryType::BlockDevice;
}
bool has_size(EntryType type) { return type == EntryType::File || is_device(type); }
bool names_another(EntryType type) {
  return type == EntryType::Symlink || type == EntryType::Hardlink;
}

Features needed_by(const Entry& entry) {
  Features needed;
  if (entry.type == EntryType::Hardlink) needed = needed | Features{Feature::Hardlinks};
  if (entry.type >= EntryType::Fifo) needed = needed | Features{Feature::Specials};
  if (!entry.xattrs.empty()) needed = needed | Features{Feature::Xattrs};
  return needed;
}

void check_xattrs(const std::vector<Xattr>& xattrs) {
  if (xattrs.size() > limits::kXattrs) malformed("too many extended attributes");
  for (std::size_t i = 0; i < xattrs.size(); ++i) {
    const Xattr& one = xattrs[i];
    const bool bad_name = one.name.empty() || one.name.size() > limits::kName ||
                          one.name.find('\0') != std::string::npos;
    if (bad_name) malformed("bad extended attribute name " + quote(one.name));
    if (one.value.size() > limits::kXattrValue) malformed("extended attribute value too long");
    if (i > 0 && one.name <= xattrs[i - 1].name) malformed("extended attributes out of order");
  }
}

void check_content(const Entry& entry) {
  switch (entry.type) {
    case EntryType::Symlink:
      if (entry.content.empty() || entry.content.size() > limits::kPath ||
          entry.content.find('\0') != std::string::npos) {
        malformed("bad link target");
      }
      break;
    case EntryType::Hardlink:
      if (entry.content.empty() || !valid_path(entry.content) ||
          !path_less(entry.content, entry.path)) {
        malformed("a hard link must repeat an earlier path");
      }
      break;
    case EntryType::File:
      if (!entry.inlined && !entry.content.empty()) malformed("contents without the inlined mark");
      if (entry.inlined && (entry.content.size() != entry.size || entry.size > limits::kInline)) {
        malformed("inlined contents do not have the size of the file");
      }
      break;
    default:
      if (!entry.content.empty()) malformed("this type of entry has no contents");
  }
}

// Everything that does not depend on the entries around it; both directions call it.
void check_entry(const Entry& entry) {
  if (!valid_path(entry.path)) malformed("bad path " + quote(entry.path.substr(0, limits::kName)));
  if (entry.path.empty() && entry.type != EntryType::Dir) malformed("the root is not a directory");
  if (entry.mode > kModeMask) malformed("bad mode");
  if (entry.inlined && entry.type != EntryType::File) malformed("only a file can be inlined");
  if (entry.digest && entry.type != EntryType::File) malformed("only a file has a digest");
  if (!has_size(entry.type) && entry.size != 0) malformed("this type of entry has no size");
  check_content(entry);
  check_xattrs(entry.xattrs);
}

// What an entry is written in terms of: the entry before it. The two directions keep it alike.
struct Previous {
  std::string path;
  bool any = false;
  std::array<std::int32_t, 8> mode{-1, -1, -1, -1, -1, -1, -1, -1};  // by type
  std::int64_t owner = -1;
  std::int64_t group = -1;
  std::int64_t seconds = 0;
  std::uint32_t users_seen = 0;
  std::uint32_t groups_seen = 0;
  std::size_t path_bytes = 0;

  std::int32_t& mode_of(EntryType type) { return mode[static_cast<std::size_t>(type)]; }

  // Tables list principals in the order of their first use, so that a batch has one encoding.
  static void see(std::uint32_t index, std::uint32_t& seen, std::size_t size) {
    if (index > seen || index >= size)
      malformed("an owner is not in the table, or out of its order");
    seen = std::max(seen, index + 1);
  }

  void count(const Entry& entry) {
    path_bytes += entry.path.size();
    if (path_bytes > limits::kPaths) malformed("the paths of one batch are too long together");
  }

  void follow(const Entry& entry, const Entries& all) {
    if (any && !path_less(path, entry.path)) {
      malformed("path " + quote(entry.path) + " is out of order or repeated");
    }
    see(entry.owner, users_seen, all.users.size());
    see(entry.group, groups_seen, all.groups.size());
    any = true;
    path = entry.path;
    mode_of(entry.type) = entry.mode;
    owner = entry.owner;
    group = entry.group;
    seconds = split(entry.mtime_ns).seconds;
  }

  void finish(const Entries& all) const {
    if (users_seen != all.users.size() || groups_seen != all.groups.size()) {
      malformed("the owner table holds names that no entry uses");
    }
  }
};

void check_principal(const Principal& one) {
  if (one.name.size() > limits::kName || one.name.find('\0') != std::string::npos) {
    malformed("bad user or group name");
  }
}

void check_distinct(const std::vector<Principal>& table) {
  std::vector<std::pair<std::string_view, std::uint32_t>> sorted;
  sorted.reserve(table.size());
  for (const Principal& one : table) sorted.emplace_back(one.name, one.id);
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    malformed("the owner table holds a name twice");
  }
}

void put_principals(const std::vector<Principal>& table, std::string& out) {
  if (table.size() > limits::kPrincipals) malformed("too many users or groups");
  check_distinct(table);
  wire::put_number(out, table.size());
  for (const Principal& one : table) {
    check_principal(one);
    wire::put_bytes(out, one.name);
    wire::put_number(out, one.id);
  }
}

std::vector<Principal> get_principals(wire::Reader& in) {
  std::vector<Principal> table(in.count(limits::kPrincipals));
  for (Principal& one : table) {
    one.name = in.bytes(limits::kName, "user or group name");
    one.id = static_cast<std::uint32_t>(in.number(~std::uint32_t{0}));
    check_principal(one);
  }
  check_distinct(table);
  return table;
}

void put_entry(const Entry& entry, Previous& before, std::string& out) {
  const bool same_mode = before.mode_of(entry.type) == entry.mode;
  const bool same_owner = before.owner == entry.owner && before.group == entry.group;
  const bool content = entry.inlined || names_another(entry.type);
  std::uint8_t head = static_cast<std::uint8_t>(entry.type);
  if (same_mode) head |= kSameMode;
  if (same_owner) head |= kSameOwner;
  if (entry.digest) head |= kHasDigest;
  if (content) head |= kHasContent;
  if (!entry.xattrs.empty()) head |= kHasXattrs;

  out += static_cast<char>(head);
  const std::size_t shared = shared_prefix(before.path, entry.path);
  wire::put_number(out, shared);
  wire::put_bytes(out, std::string_view(entry.path).substr(shared));
  if (!same_mode) wire::put_number(out, entry.mode);
  if (!same_owner) {
    wire::put_number(out, entry.owner);
    wire::put_number(out, entry.group);
  }
  if (has_size(entry.type)) wire::put_number(out, entry.size);
  const Time time = split(entry.mtime_ns);
  wire::put_number(out, wire::zigzag(time.seconds - before.seconds));
  wire::put_fixed32(out, time.nanoseconds);
  if (entry.digest) {
    out.append(reinterpret_cast<const char*>(entry.digest->bytes.data()),
               entry.digest->bytes.size());
  }
  if (content) wire::put_bytes(out, entry.content);
  if (entry.xattrs.empty()) return;
  wire::put_number(out, entry.xattrs.size());
  for (const Xattr& one : entry.xattrs) {
    wire::put_bytes(out, one.name);
    wire::put_bytes(out, one.value);
  }
}

std::string get_path(wire::Reader& in, const Previous& before) {
  const std::size_t shared = static_cast<std::size_t>(in.number(before.path.size()));
  const std::string_view rest = in.bytes(limits::kPath, "path");
  // The longest prefix is the only one; after a full match of the previous path anything may
  // follow.
  if (!rest.empty() && shared < before.path.size() && before.path[shared] == rest.front()) {
    malformed("a path is not front-coded as far as it could be");
  }
  if (shared + rest.size() > limits::kPath) malformed("path too long");
  return before.path.substr(0, shared).append(rest);
}

std::int64_t get_time(wire::Reader& in, const Previous& before) {
  constexpr Time kFirst = split(std::numeric_limits<std::int64_t>::min());
  constexpr Time kFinal = split(std::numeric_limits<std::int64_t>::max());
  const std::int64_t step = wire::unzigzag(in.number());
  const std::uint32_t nanoseconds = in.fixed32();
  // Both ends are far inside 64 bits, so a step that is not absurd cannot overflow the sum.
  if (step > kFinal.seconds - kFirst.seconds || step < kFirst.seconds - kFinal.seconds)
    malformed("bad time");
  const std::int64_t seconds = before.seconds + step;
  const bool too_late =
      seconds > kFinal.seconds || (seconds == kFinal.seconds && nanoseconds > kFinal.nanoseconds);
  const bool too_early =
      seconds < kFirst.seconds || (seconds == kFirst.seconds && nanoseconds < kFirst.nanoseconds);
  if (too_late || too_early || nanoseconds >= kSecond) malformed("bad time");
  // Negative seconds are counted up from the next whole one, so that the product stays in range.
  if (seconds < 0) return (seconds + 1) * kSecond - (kSecond - nanoseconds);
  return seconds * kSecond + nanoseconds;
}

void get_owner(wire::Reader& in, std::uint8_t head, const Previous& before, Entry& entry) {
  if ((head & kSameOwner) != 0) {
    if (before.owner < 0) malformed("the first entry has no owner to repeat");
    entry.owner = static_cast<std::uint32_t>(before.owner);
    entry.group = static_cast<std::uint32_t>(before.group);
    return;
  }
  entry.owner = static_cast<std::uint32_t>(in.number(limits::kPrincipals));
  entry.group = static_cast<std::uint32_t>(in.number(limits::kPrincipals));
  if (before.owner == entry.owner && before.group == entry.group)
    malformed("a repeated owner is spelt out");
}

void get_mode(wire::Reader& in, std::uint8_t head, Previous& before, Entry& entry) {
  const std::int32_t previous = before.mode_of(entry.type);
  if ((head & kSameMode) != 0) {
    if (previous < 0) malformed("the first entry of a type has no mode to repeat");
    entry.mode = static_cast<std::uint16_t>(previous);
    return;
  }
  entry.mode = static_cast<std::uint16_t>(in.number(kModeMask));
  if (previous == entry.mode) malformed("a repeated mode is spelt out");
}

std::vector<Xattr> get_xattrs(wire::Reader& in) {
  std::vector<Xattr> xattrs(in.count(limits::kXattrs));
  if (xattrs.empty()) malformed("an empty list of extended attributes is spelt out");
  for (Xattr& one : xattrs) {
    one.name = in.bytes(limits::kName, "extended attribute name");
    one.value = in.bytes(limits::kXattrValue, "extended attribute value");
  }
  return xattrs;
}

Entry get_entry(wire::Reader& in, Previous& before) {
  Entry entry;
  const std::uint8_t head = in.byte();
  entry.type = static_cast<EntryType>(head & kTypeMask);
  entry.path = get_path(in, before);
  get_mode(in, head, before, entry);
  get_owner(in, head, before, entry);
  if (has_size(entry.type)) entry.size = in.number();
  entry.mtime_ns = get_time(in, before);
  if ((head & kHasDigest) != 0) {
    entry.digest.emplace();
    const std::string_view raw = in.raw(entry.digest->bytes.size());
    std::copy(raw.begin(), raw.end(), entry.digest->bytes.begin());
  }
  if (names_another(entry.type) && (head & kHasContent) == 0) malformed("a link has no target");
  if ((head & kHasContent) != 0) {
    entry.content =
        in.bytes(entry.type == EntryType::File ? limits::kInline : limits::kPath, "content");
    entry.inlined = entry.type == EntryType::File;
    if (!entry.inlined && !names_another(entry.type))
      malformed("this type of entry has no contents");
  }
  if ((head & kHasXattrs) != 0) entry.xattrs = get_xattrs(in);
  return entry;
}

// '/' sorts before every other byte.
constexpr int rank(char c) { return c == '/' ? -1 : static_cast<unsigned char>(c); }

}  // namespace

bool path_less(std::string_view a, std::string_view b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (right == b.end()) return false;
  return left == a.end() || rank(*left) < rank(*right);
}

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kName && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool valid_path(std::string_view path) {
  if (path.empty()) return true;
  if (path.size() > limits::kPath) return false;
  for (;;) {
    const std::size_t slash = path.find('/');
    if (!valid_name(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

void encode_entries(const Entries& entries, std::string& out) {
  put_principals(entries.users, out);
  put_principals(entries.groups, out);
  wire::put_number(out, entries.list.size());
  Previous before;
  for (const Entry& entry : entries.list) {
    check_entry(entry);
    before.count(entry);
    put_entry(entry, before, out);
    before.follow(entry, entries);
  }
  before.finish(entries);
}

Entries decode_entries(wire::Reader& in, Features negotiated) {
  // The shortest entry: head, shared, length, seconds and four bytes of nanoseconds.
  constexpr std::size_t kShortest = 8;
  Entries entries;
  entries.users = get_principals(in);
  entries.groups = get_principals(in);
  const std::size_t count = in.count(limits::kManifest);
  if (count > in.left() / kShortest + 1) malformed("a count of entries is more than can follow");
  entries.list.reserve(count);
  Previous before;
  for (std::size_t i = 0; i < count; ++i) {
    Entry entry = get_entry(in, before);
    check_entry(entry);
    before.count(entry);
    const Features needed = needed_by(entry);
    if ((needed & negotiated) != needed)
      malformed("an entry uses a feature that was not agreed on");
    before.follow(entry, entries);
    entries.list.push_back(std::move(entry));
  }
  before.finish(entries);
  return entries;
}

}  // namespace xs
