// SPDX-License-Identifier: MIT
#include "sync/entries_builder.h"

#include <algorithm>

#include "protocol/entries.h"
#include "sync/hash.h"

namespace xs {

std::uint32_t EntriesBuilder::number_of(const Principal& principal, Table& table,
                                        std::vector<Principal>& list) {
  const auto [place, fresh] =
      table.try_emplace({principal.name, principal.id}, static_cast<std::uint32_t>(list.size()));
  if (fresh) list.push_back(principal);
  return place->second;
}

void EntriesBuilder::add(const Entries& from, Entry entry) {
  // Everything that an entry may write down in numbers, lengths and fixed fields.
  constexpr std::size_t kFixed = 64;
  entry.owner = number_of(from.users.at(entry.owner), users_, made_.users);
  entry.group = number_of(from.groups.at(entry.group), groups_, made_.groups);
  weight_ += kFixed + entry.path.size() + entry.content.size();
  for (const Xattr& one : entry.xattrs) weight_ += kFixed + one.name.size() + one.value.size();
  made_.list.push_back(std::move(entry));
}

void EntriesBuilder::drop_content(std::size_t at) {
  Entry& entry = made_.list.at(at);
  if (!entry.digest) entry.digest = digest_of(entry.content);
  std::string().swap(entry.content);  // an assignment would keep the memory
}

Entries EntriesBuilder::take() {
  Entries done = std::move(made_);
  *this = EntriesBuilder();
  return done;
}

Entries merge_entries(const Entries& base, const std::vector<std::string>& gone,
                      const Entries& news) {
  EntriesBuilder merged;
  auto fresh = news.list.begin();
  for (const Entry& entry : base.list) {
    for (; fresh != news.list.end() && path_less(fresh->path, entry.path); ++fresh)
      merged.add(news, *fresh);
    const bool replaced = fresh != news.list.end() && fresh->path == entry.path;
    if (replaced) continue;  // the loop above, or the one below, adds the new one in its place
    if (!std::binary_search(gone.begin(), gone.end(), entry.path, path_less))
      merged.add(base, entry);
  }
  for (; fresh != news.list.end(); ++fresh) merged.add(news, *fresh);
  return merged.take();
}

}  // namespace xs
