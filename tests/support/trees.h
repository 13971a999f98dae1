// SPDX-License-Identifier: MIT
// Trees: manifests made by hand, as a scan would have made them.
//   tree({file("a/b", "content").mode(0600), symlink("a/l", "b"), hardlink("a/c", "a/b")})
// is sorted, has the root and every parent directory (add dir("a") to say more about one), digests,
// sizes, owner tables in the order of first use, and links with the attributes of their first name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"

namespace xs::test {

struct Item {
  Entry entry;
  Principal user{"xroad", 100};
  Principal grp{"xroad", 100};

  Item& mode(unsigned bits);
  Item& owner(std::string name, std::uint32_t id = 100);
  Item& group(std::string name, std::uint32_t id = 100);
  Item& mtime(std::int64_t seconds, std::int64_t nanoseconds = 0);
  Item& xattr(std::string name, std::string value);
  Item& no_digest();  // as a quick scan leaves it
  Item& inlined();    // for files made from their content
  Item& sized(std::uint64_t size);

  std::string inline_bytes;  // what inlined() will put into the entry
};

Item file(std::string path, std::string content = "content");  // 0640, digest, size
Item dir(std::string path);                                    // 0750; the root is dir("")
Item symlink(std::string path, std::string to);
Item hardlink(std::string path, std::string first);
Item fifo(std::string path);
Item socket(std::string path);
Item char_device(std::string path, std::uint64_t number = 0x103);
Item block_device(std::string path, std::uint64_t number = 0x801);
Item entry_of(EntryType type, std::string path);  // any type, with some content

// The mtime of an item that says nothing else, in seconds.
inline constexpr std::int64_t kTreeTime = 1'700'000'000;

Entries tree(std::vector<Item> items);
// Exactly these items in this order, for manifests that are not trees.
Entries raw_entries(const std::vector<Item>& items);

// An entry as the item that it was made from; the place in the owner tables is 0.
Item item_of(const Entries& entries, const Entry& entry);
const Entry* find(const Entries& entries, std::string_view path);

}  // namespace xs::test
