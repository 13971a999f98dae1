// SPDX-License-Identifier: MIT
#include "companion/replication/rejoin_copy.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/rewind.h"
#include "companion/replication/show.h"

namespace xs {
namespace {

namespace fs = std::filesystem;

// Not by the standby's name: what has a slot tells how far it has written, and commits that wait
// for that standby would go on.
Command copy_command(const CopyWork& work) {
  Command command;
  command.argv = {work.facts.cluster.bin + "/pg_basebackup",
                  "-D",
                  work.place.copy(),
                  "-X",
                  "stream",
                  "-c",
                  "fast",
                  "-S",
                  work.facts.slot,
                  "-w",
                  "-d",
                  conninfo_text(work.facts.primary.target) + " application_name=pg_basebackup"};
  command.limit = work.order.work_limit;
  command.ends_with_us = true;
  return command;
}

// What the data takes here; the new primary's was the same until a while ago.
std::uint64_t size_of(const std::string& data) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(data, error), end; entry != end && !error;
       entry.increment(error)) {
    std::error_code gone;
    if (entry->is_regular_file(gone)) bytes += entry->file_size(gone);
  }
  return bytes;
}

// Also when it is in place already.
std::string mark_of(const RejoinFacts& facts) {
  return "rejoin " + facts.primary.system + " " + std::to_string(facts.primary.branch.timeline);
}

WorkStep copy_step(const CopyWork& work) {
  WorkStep step;
  step.what = "take a copy of the new primary's data";
  step.detail = [=] { return "$ " + command_text(work.facts.cluster, copy_command(work)) + "\n"; };
  step.done = [=] { return work.place.has("prepared", mark_of(work.facts)); };
  step.act = [=] {
    check_copy(work.facts, work.place);
    work.place.make_room();
    run_command(work.facts.cluster, copy_command(work), work.clock);
    const auto control = read_control(work.facts.cluster, work.place.copy(), work.clock);
    if (control.system_id != work.facts.primary.system) {
      throw Error(Fault::Mismatch, "the copy is of another database");
    }
  };
  return step;
}

void sync_path(const std::string& path) {
  const Fd fd = open_file(path, O_RDONLY | O_NOFOLLOW);
  if (::fsync(fd.get()) != 0) throw_errno("fsync", path);
}

// A pipe or a socket is no file to wait for.
void sync_entry(const fs::directory_entry& entry) {
  const fs::file_type type = entry.symlink_status().type();
  if (type == fs::file_type::regular || type == fs::file_type::directory) sync_path(entry.path());
}

void sync_tree(const fs::path& top) {
  const fs::directory_entry entry(top);
  if (entry.symlink_status().type() == fs::file_type::directory) {
    for (const auto& below : fs::recursive_directory_iterator(top)) sync_entry(below);
  }
  sync_entry(entry);
}

void exchange_own_entries(const std::string& from, const std::string& to) {
  std::vector<fs::path> theirs, ours;
  for (const auto& entry : fs::directory_iterator(to)) {
    if (is_own_entry(entry.path().filename())) theirs.push_back(entry.path());
  }
  for (const auto& entry : fs::directory_iterator(from)) {
    if (is_own_entry(entry.path().filename())) ours.push_back(entry.path());
  }
  for (const fs::path& path : theirs) fs::remove_all(path);
  for (const fs::path& path : ours) {
    const fs::path copy = fs::path(to) / path.filename();
    fs::copy(path, copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    sync_tree(copy);
  }
  sync_path(to);
}

WorkStep prepare_step(const CopyWork& work) {
  WorkStep step;
  step.what = "make the copy a standby, with this node's own configuration";
  step.detail = [=] {
    return "new: " + escape(work.place.copy()) + "/standby.signal\ncopied there: what in " +
           escape(work.facts.cluster.data) + " is not PostgreSQL's data\n";
  };
  step.done = [=] { return work.place.has("prepared", mark_of(work.facts)); };
  step.act = [=] {
    {
      const AsOwner rights(work.facts.cluster.user);
      copy_own_entries(work.facts.cluster.data, work.place.copy());
    }
    fence(work.place.copy(), work.facts.cluster);
    work.place.note("prepared", mark_of(work.facts));
  };
  return step;
}

WorkStep swap_step(const CopyWork& work) {
  WorkStep step;
  step.what = "put the copy in place and the old data aside";
  step.detail = [=] {
    return "$ mv " + shell_words({work.facts.cluster.data}) + " " +
           shell_words({work.facts.cluster.data + ".old-TIME"}) + "\n$ mv " +
           shell_words({work.place.copy(), work.facts.cluster.data}) + "\n";
  };
  step.done = [=] { return work.place.swapped() && !work.place.needs_swap(); };
  step.act = [=] { work.place.put_in_place(work.wall); };
  return step;
}

}  // namespace

void check_copy(const RejoinFacts& facts, const CopyPlace& place) {
  constexpr std::uint64_t kSpare = 64U << 20;
  constexpr const char* kUnchanged = ". Nothing has been copied, and this node's data is as it was";
  if (place.has("prepared", mark_of(facts))) return;  // it is there
  const bool leftover = !place.swapped();             // of a run that was killed: it makes room
  const AsOwner rights(facts.cluster.user);
  std::error_code error;
  if (fs::directory_iterator(facts.cluster.data + "/pg_tblspc", error) !=
      fs::directory_iterator()) {
    throw Error(Fault::Unsupported,
                "this node has tablespaces of its own (pg_tblspc), and the new primary's would be "
                "copied to the same paths: take this copy by hand" +
                    std::string(kUnchanged));
  }
  struct statvfs disk {};
  const std::string parent = parent_of(facts.cluster.data);
  if (::statvfs(parent.c_str(), &disk) != 0) throw_errno("statvfs", parent);
  const std::uint64_t room = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize +
                             (leftover ? size_of(place.copy()) : 0);
  const std::uint64_t need = size_of(facts.cluster.data) + kSpare;
  if (room >= need) return;
  throw Error(Fault::Refused, "a copy needs about " + bytes_text(need) + " in " + quote(parent) +
                                  ", which has " + bytes_text(room) + " left" + kUnchanged);
}

void copy_own_entries(const std::string& from, const std::string& to) {
  try {
    exchange_own_entries(from, to);
  } catch (const fs::filesystem_error& error) {
    throw Error(Fault::Io, escape(error.what()));
  }
}

void add_copy_steps(WorkPlan& plan, const CopyWork& work) {
  plan.add(copy_step(work));
  plan.add(prepare_step(work));
  plan.add(swap_step(work));
}

}  // namespace xs
