// SPDX-License-Identifier: MIT
#include "sync/report/stats.h"

#include <algorithm>
#include <chrono>

#include "protocol/entries.h"

namespace xs {
namespace {

std::string counts_line(std::string_view name, const FileCounts& counts, Human human) {
  const struct {
    std::string_view label;
    std::uint64_t count;
  } parts[] = {{"reg", counts.regular},
               {"dir", counts.dirs},
               {"link", counts.links},
               {"dev", counts.devices},
               {"special", counts.specials}};
  const Human form = human == Human::Plain ? Human::Plain : Human::Grouped;
  std::string line = std::string(name) + ": " + show_number(counts.total(), form);
  std::string before = " (";
  for (const auto& part : parts) {
    if (part.count == 0) continue;
    line += before + std::string(part.label) + ": " + show_number(part.count, form);
    before = ", ";
  }
  return line + (counts.total() > 0 ? ")\n" : "\n");
}

// rsync counts the bytes of a file once for each of its names, and those of a link's target.
std::uint64_t size_of(const Entries& entries, const Entry& entry) {
  if (entry.type == EntryType::File) return entry.size;
  if (entry.type == EntryType::Symlink) return entry.content.size();
  if (entry.type != EntryType::Hardlink) return 0;
  const auto first = std::lower_bound(
      entries.list.begin(), entries.list.end(), entry.content,
      [](const Entry& one, const std::string& path) { return path_less(one.path, path); });
  return first != entries.list.end() && first->path == entry.content ? first->size : 0;
}

std::string line(std::string_view name, std::uint64_t value, Human human,
                 std::string_view unit = "") {
  return std::string(name) + ": " + show_number(value, human) + std::string(unit) + "\n";
}

std::string seconds_line(std::string_view name, Duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  return std::string(name) + ": " + show_grouped(seconds, 3) + " seconds\n";
}

}  // namespace

void FileCounts::add(EntryType type) {
  switch (type) {
    case EntryType::File:
    case EntryType::Hardlink: ++regular; break;
    case EntryType::Dir: ++dirs; break;
    case EntryType::Symlink: ++links; break;
    case EntryType::CharDevice:
    case EntryType::BlockDevice: ++devices; break;
    case EntryType::Fifo:
    case EntryType::Socket: ++specials; break;
  }
}

RunStats count_run(const Entries& target, const std::vector<ChangeDetail>& details) {
  RunStats stats;
  for (const Entry& entry : target.list) {
    stats.files.add(entry.type);
    stats.total_size += size_of(target, entry);
  }
  for (const ChangeDetail& detail : details) {
    const Change& change = detail.change;
    if (change.deleted) {
      stats.deleted.add(change.type);
      continue;
    }
    if (change.created) stats.created.add(change.type);
    if (change.type == EntryType::File && (change.created || change.content)) {
      ++stats.transferred;
      stats.transferred_size += detail.size;
    }
  }
  return stats;
}

std::string stats_block(const RunStats& stats, Human human) {
  const Human plain = human == Human::Plain ? Human::Plain : Human::Grouped;
  std::string out = "\n" + counts_line("Number of files", stats.files, human) +
                    counts_line("Number of created files", stats.created, human) +
                    counts_line("Number of deleted files", stats.deleted, human) +
                    line("Number of regular files transferred", stats.transferred, plain);
  out += line("Total file size", stats.total_size, human, " bytes") +
         line("Total transferred file size", stats.transferred_size, human, " bytes") +
         line("Literal data", stats.literal, human, " bytes") +
         line("Matched data", stats.matched(), human, " bytes") +
         line("File list size", stats.list_size, human);
  out += seconds_line("File list generation time", stats.scanning) +
         seconds_line("File list transfer time", stats.listing);
  return out + line("Total bytes sent", stats.sent, human) +
         line("Total bytes received", stats.received, human);
}

std::string totals(const RunStats& stats, Human human) {
  const auto moved = static_cast<double>(stats.sent + stats.received);
  // rsync's clock here ticks in whole seconds, and half a one is added.
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(stats.elapsed).count();
  const double rate = moved / (0.5 + static_cast<double>(whole));
  const double speedup = moved > 0 ? static_cast<double>(stats.total_size) / moved : 0;
  return "\nsent " + show_number(stats.sent, human) + " bytes  received " +
         show_number(stats.received, human) + " bytes  " + show_number(rate, human, 2) +
         " bytes/sec\ntotal size is " + show_number(stats.total_size, human) + "  speedup is " +
         show_grouped(speedup, 2) + (stats.dry_run ? " (DRY RUN)\n" : "\n");
}

}  // namespace xs
