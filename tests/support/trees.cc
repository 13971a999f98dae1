// SPDX-License-Identifier: MIT
#include "tests/support/trees.h"

#include <algorithm>
#include <map>
#include <utility>

#include "protocol/entries.h"
#include "sync/hash.h"

namespace xs::test {
namespace {

Item item(EntryType type, std::string path, std::uint16_t mode) {
  Item made;
  made.entry.type = type;
  made.entry.path = std::move(path);
  made.entry.mode = mode;
  made.entry.mtime_ns = kTreeTime * 1'000'000'000;
  return made;
}

std::uint32_t place(std::vector<Principal>& table, const Principal& one) {
  const auto at = std::find(table.begin(), table.end(), one);
  if (at != table.end()) return static_cast<std::uint32_t>(at - table.begin());
  table.push_back(one);
  return static_cast<std::uint32_t>(table.size() - 1);
}

}  // namespace

Item& Item::mode(unsigned bits) {
  entry.mode = static_cast<std::uint16_t>(bits);
  return *this;
}
Item& Item::owner(std::string name, std::uint32_t id) {
  user = {std::move(name), id};
  return *this;
}
Item& Item::group(std::string name, std::uint32_t id) {
  grp = {std::move(name), id};
  return *this;
}
Item& Item::mtime(std::int64_t seconds, std::int64_t nanoseconds) {
  entry.mtime_ns = seconds * 1'000'000'000 + nanoseconds;
  return *this;
}
Item& Item::xattr(std::string name, std::string value) {
  entry.xattrs.push_back({std::move(name), std::move(value)});
  std::sort(entry.xattrs.begin(), entry.xattrs.end(),
            [](const Xattr& a, const Xattr& b) { return a.name < b.name; });
  return *this;
}
Item& Item::no_digest() {
  entry.digest.reset();
  return *this;
}
Item& Item::inlined() {
  entry.inlined = true;
  entry.content = inline_bytes;
  return *this;
}
Item& Item::sized(std::uint64_t size) {
  entry.size = size;
  return *this;
}

Item file(std::string path, std::string content) {
  Item made = item(EntryType::File, std::move(path), 0640);
  made.entry.size = content.size();
  made.entry.digest = digest_of(content);
  made.inline_bytes = std::move(content);
  return made;
}
Item dir(std::string path) { return item(EntryType::Dir, std::move(path), 0750); }
Item symlink(std::string path, std::string to) {
  Item made = item(EntryType::Symlink, std::move(path), 0777);
  made.entry.content = std::move(to);
  return made;
}
Item hardlink(std::string path, std::string first) {
  Item made = item(EntryType::Hardlink, std::move(path), 0640);
  made.entry.content = std::move(first);
  return made;
}
Item fifo(std::string path) { return item(EntryType::Fifo, std::move(path), 0640); }
Item socket(std::string path) { return item(EntryType::Socket, std::move(path), 0640); }
Item char_device(std::string path, std::uint64_t number) {
  return item(EntryType::CharDevice, std::move(path), 0640).sized(number);
}
Item block_device(std::string path, std::uint64_t number) {
  return item(EntryType::BlockDevice, std::move(path), 0640).sized(number);
}

Item entry_of(EntryType type, std::string path) {
  switch (type) {
    case EntryType::File: return file(std::move(path));
    case EntryType::Dir: return dir(std::move(path));
    case EntryType::Symlink: return symlink(std::move(path), "somewhere");
    case EntryType::Hardlink: return hardlink(std::move(path), "first");
    case EntryType::Fifo: return fifo(std::move(path));
    case EntryType::Socket: return socket(std::move(path));
    case EntryType::CharDevice: return char_device(std::move(path));
    default: return block_device(std::move(path));
  }
}

Entries raw_entries(const std::vector<Item>& items) {
  Entries made;
  made.list.reserve(items.size());
  for (const Item& one : items) {
    Entry& entry = made.list.emplace_back(one.entry);
    entry.owner = place(made.users, one.user);
    entry.group = place(made.groups, one.grp);
  }
  return made;
}

Entries tree(std::vector<Item> items) {
  std::map<std::string, Item, bool (*)(std::string_view, std::string_view)> all(path_less);
  for (Item& one : items) all.insert_or_assign(one.entry.path, one);
  all.try_emplace("", dir(""));
  for (const Item& one : items) {
    const std::string& path = one.entry.path;
    for (auto at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      all.try_emplace(path.substr(0, at), dir(path.substr(0, at)));
    }
  }
  std::vector<Item> sorted;
  sorted.reserve(all.size());
  for (auto& [path, one] : all) {
    if (one.entry.type == EntryType::Hardlink) {
      if (const auto first = all.find(one.entry.content); first != all.end()) {
        one.entry.mode = first->second.entry.mode;
        one.entry.mtime_ns = first->second.entry.mtime_ns;
        one.user = first->second.user;
        one.grp = first->second.grp;
      }
    }
    sorted.push_back(one);
  }
  return raw_entries(sorted);
}

Item item_of(const Entries& entries, const Entry& entry) {
  Item made;
  made.user = entries.users.at(entry.owner);
  made.grp = entries.groups.at(entry.group);
  made.entry = entry;
  made.entry.owner = made.entry.group = 0;
  if (entry.inlined) made.inline_bytes = entry.content;
  return made;
}

const Entry* find(const Entries& entries, std::string_view path) {
  const auto at = std::find_if(entries.list.begin(), entries.list.end(),
                               [path](const Entry& entry) { return entry.path == path; });
  return at == entries.list.end() ? nullptr : &*at;
}

}  // namespace xs::test
