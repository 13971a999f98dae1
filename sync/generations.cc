// SPDX-License-Identifier: MIT
#include "sync/generations.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/durable.h"
#include "sync/seeded.h"

namespace xs {
namespace {

constexpr std::string_view kMagic = "XSPREV01";
constexpr std::string_view kPending = "pending";
constexpr std::string_view kManifest = "manifest";
constexpr std::size_t kMaxAreas = 4096;
constexpr std::size_t kMaxStates = 40'000'000;
constexpr std::size_t kKeptPath = limits::kPath + 64;

std::string previous_dir(std::string_view area) { return join_path(area_dir(area), "previous"); }
std::string generation_dir(std::string_view area, std::uint64_t number) {
  return join_path(previous_dir(area), std::to_string(number));
}

std::vector<std::uint64_t> numbers_in(Disk& disk, const std::string& area) {
  std::vector<std::uint64_t> numbers;
  if (!disk.stat(previous_dir(area))) return numbers;
  for (const std::string& name : disk.list(previous_dir(area))) {
    if (const auto number = parse_number(name); number && std::to_string(*number) == name) {
      numbers.push_back(*number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::uint64_t next_number(Disk& disk, const Areas& areas) {
  std::uint64_t last = 0;
  for (const std::string& area : areas.roots()) {
    const auto numbers = numbers_in(disk, area);
    if (!numbers.empty()) last = std::max(last, numbers.back());
  }
  return last + 1;
}

std::uint64_t tree_bytes(Disk& disk, const std::string& path) {
  std::uint64_t bytes = 0;
  std::vector<std::string> pending{path};
  while (!pending.empty()) {
    const std::string at = std::move(pending.back());
    pending.pop_back();
    const auto st = disk.stat(at);
    if (!st) continue;
    if (st->is_file()) bytes += st->size;
    if (!st->is_dir()) continue;
    for (const std::string& name : disk.list(at)) pending.push_back(join_path(at, name));
  }
  return bytes;
}

Attributes attributes_of(const FileStat& st) {
  Attributes attributes;
  attributes.mode = st.permissions();
  attributes.uid = st.uid;
  attributes.gid = st.gid;
  attributes.mtime_ns = st.mtime_ns;
  return attributes;
}

void copy_file(Disk& disk, const std::string& from, const std::string& to,
               const Attributes& attributes) {
  const auto reader = disk.open(from);
  const auto file = disk.create(to, 0600);
  std::array<char, 65536> buffer;
  while (const std::size_t got = reader->read(buffer)) file->write({buffer.data(), got});
  file->set_attributes(attributes);
  file->sync();
  file->close();
}

// Where the file system does not let us link.
void copy_object(Disk& disk, const std::string& from, const std::string& to, const FileStat& st) {
  Attributes attributes = attributes_of(st);
  if (st.type() == EntryType::File) {
    attributes.xattrs = disk.xattrs(from, {Keep::Xattrs, Keep::Acls});
    return copy_file(disk, from, to, attributes);
  }
  if (st.type() == EntryType::Symlink) {
    disk.symlink(disk.readlink(from), to);
  } else {
    disk.mknod(to, st.mode, st.rdev);
  }
  disk.set_attributes(to, attributes);
}

bool cannot_link(const Error& error) {
  return error.code() == EPERM || error.code() == EMLINK || error.code() == EOPNOTSUPP;
}

// Gathers one generation into its directories.
class Keeper {
 public:
  Keeper(Disk& disk, const Areas& areas, std::uint64_t number) : disk_(disk), areas_(areas) {
    made_.number = number;
    made_.areas = areas;
  }

  void add(Step& step, std::size_t index, const std::optional<FileStat>& old) {
    OldState state{step.path, OldState::Kind::Absent, {}, {}};
    if (old && (step.kind == ActionKind::Displace || !old->is_dir())) {
      const std::string dir = dir_for(areas_.root_of(step.path));
      state.kind = OldState::Kind::Kept;
      state.kept = join_path(dir, std::to_string(index));
      step.kept = state.kept;
      if (step.kind != ActionKind::Displace) keep(step.path, state.kept, *old);
    } else if (old) {
      state.kind = OldState::Kind::Dir;
      state.attributes = attributes_of(*old);
      state.attributes.keep = {Keep::Xattrs, Keep::Acls};
      state.attributes.xattrs = disk_.xattrs(step.path, state.attributes.keep);
    }
    // A displaced object is followed by what replaces it: the first word about a path counts.
    if (told_.insert(step.path).second) made_.states.push_back(std::move(state));
  }

  void add_absent(const std::string& path) {
    if (told_.count(path) == 0) made_.states.push_back({path, OldState::Kind::Absent, {}, {}});
  }

  void write(std::uint64_t bytes) {
    made_.bytes = bytes;
    const std::string root_dir = dir_for("");
    made_.made_ns = disk_.stat(root_dir)->mtime_ns;
    write_durably(disk_, root_dir, std::string(kPending), encode_generation(made_));
    if (seeded(Seeded::KeepNotSynced)) return;
    for (const std::string& area : used_) {
      disk_.sync_dir(generation_dir(area, made_.number));
      disk_.sync_dir(previous_dir(area));
    }
  }

 private:
  std::string dir_for(const std::string& area) {
    const std::string dir = generation_dir(area, made_.number);
    if (used_.insert(area).second) {
      if (!disk_.stat(previous_dir(area))) disk_.make_private_dir(previous_dir(area));
      disk_.make_private_dir(dir);
    }
    return dir;
  }

  void keep(const std::string& from, const std::string& to, const FileStat& old) {
    if (seeded(Seeded::KeepAfterRename)) return;
    try {
      disk_.link(from, to);
    } catch (const Error& error) {
      if (!cannot_link(error)) throw;
      copy_object(disk_, from, to, old);
    }
  }

  Disk& disk_;
  const Areas& areas_;
  Generation made_;
  std::set<std::string> used_;
  std::set<std::string> told_;
};

void remove_generation(Disk& disk, const Areas& areas, std::uint64_t number) {
  // It ends with its manifest, durably, so that half of it is never taken for all of it.
  const std::string root_dir = generation_dir("", number);
  const std::string manifest = join_path(root_dir, kManifest);
  if (disk.stat(manifest)) {
    disk.unlink(manifest);
    disk.sync_dir(root_dir);
  }
  for (const std::string& area : areas.roots()) remove_tree(disk, generation_dir(area, number));
}

std::uint64_t bytes_to_keep(Disk& disk, const std::vector<Step>& steps,
                            const std::vector<std::optional<FileStat>>& old) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!old[i]) continue;
    if (steps[i].kind == ActionKind::Displace) bytes += tree_bytes(disk, steps[i].path);
    if (steps[i].kind != ActionKind::Displace && old[i]->is_file()) bytes += old[i]->size;
  }
  return bytes;
}

}  // namespace

// ---- the manifest

std::string encode_generation(const Generation& generation) {
  std::string payload;
  wire::put_number(payload, generation.number);
  wire::put_number(payload, wire::zigzag(generation.made_ns));
  wire::put_number(payload, generation.bytes);
  wire::put_number(payload, generation.areas.roots().size() - 1);
  for (std::size_t i = 1; i < generation.areas.roots().size(); ++i) {
    wire::put_bytes(payload, generation.areas.roots()[i]);
  }
  wire::put_number(payload, generation.states.size());
  for (const OldState& state : generation.states) {
    payload += static_cast<char>(state.kind);
    wire::put_bytes(payload, state.path);
    if (state.kind == OldState::Kind::Kept) wire::put_bytes(payload, state.kept);
    if (state.kind == OldState::Kind::Dir) put_attributes(payload, state.attributes);
  }
  if (payload.size() > kSealedLimit - 64) {
    throw Error(Fault::Io, "the manifest of what this commit replaces would be too large", EFBIG);
  }
  return seal(kMagic, payload);
}

namespace {

Generation decode(std::string_view sealed, bool with_states) {
  wire::Reader in(unseal(kMagic, sealed));
  Generation generation;
  generation.number = in.number();
  generation.made_ns = wire::unzigzag(in.number());
  generation.bytes = in.number();
  std::vector<std::string> mounts(in.count(kMaxAreas));
  for (std::string& mount : mounts) mount = in.bytes(limits::kPath, "path");
  generation.areas = Areas(std::move(mounts));
  if (!with_states) return generation;
  const std::size_t count = in.count(kMaxStates);
  for (std::size_t i = 0; i < count; ++i) {
    OldState state;
    const std::uint8_t kind = in.byte();
    if (kind > static_cast<std::uint8_t>(OldState::Kind::Dir)) wire::malformed("an unknown kind");
    state.kind = static_cast<OldState::Kind>(kind);
    state.path = in.bytes(limits::kPath, "path");
    check_landing(state.path);
    const std::string& area = generation.areas.root_of(state.path);
    if (state.kind == OldState::Kind::Kept) {
      state.kept = in.bytes(kKeptPath, "kept name");
      const std::string dir = generation_dir(area, generation.number);
      if (split_path(state.kept).parent != dir || !valid_path(state.kept)) {
        wire::malformed("a kept name outside its generation");
      }
    }
    if (state.kind == OldState::Kind::Dir) state.attributes = get_attributes(in);
    generation.states.push_back(std::move(state));
  }
  in.expect_end();
  return generation;
}

std::vector<Generation> list(Disk& disk, bool with_states) {
  std::vector<Generation> found;
  for (const std::uint64_t number : numbers_in(disk, "")) {
    const std::string path = join_path(generation_dir("", number), kManifest);
    const auto sealed = read_if_exists(disk, path, kSealedLimit);
    if (!sealed) continue;
    try {
      found.push_back(decode(*sealed, with_states));
      if (found.back().number != number) wire::malformed("it has another number");
    } catch (const Error& error) {
      throw Error(Fault::Io, "the kept generation " + quote(path) + " cannot be used: " +
                                 error.text() + "; remove its directory and run again");
    }
  }
  return found;
}

}  // namespace

Generation decode_generation(std::string_view sealed) { return decode(sealed, true); }

// ---- keeping

KeptGeneration::KeptGeneration(Disk& disk, Journal& journal,
                               const std::vector<std::optional<FileStat>>& old,
                               const std::vector<std::string>& inside, const KeepPolicy& policy)
    : disk_(disk), areas_(journal.areas) {
  const Areas& areas = journal.areas;
  std::vector<Step>& steps = journal.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind != ActionKind::Displace) continue;
    const std::string& area = areas.root_of(steps[i].path);
    steps[i].kept = join_path(run_dir(area, journal.id), "t" + std::to_string(i));
  }
  const std::uint64_t bytes = policy.count == 0 ? 0 : bytes_to_keep(disk, steps, old);
  if (bytes > policy.bytes) {
    problems_.push_back({"", "no previous version is kept: it has " + std::to_string(bytes) +
                                 " bytes, and " + std::to_string(policy.bytes) + " are allowed"});
  }
  if (policy.count == 0 || bytes > policy.bytes) return;
  number_ = next_number(disk, areas);
  std::vector<Step> keeping = steps;
  try {
    Keeper keeper(disk, areas, number_);
    for (std::size_t i = 0; i < keeping.size(); ++i) keeper.add(keeping[i], i, old[i]);
    for (const std::string& path : inside) keeper.add_absent(path);
    keeper.write(bytes);
    steps = std::move(keeping);
  } catch (const Error& error) {
    const std::uint64_t number = std::exchange(number_, 0);
    remove_generation(disk_, areas_, number);
    if (error.code() != EPERM && error.code() != EACCES) throw;
    problems_.push_back({"", "no previous version is kept: " + error.text()});
  }
}

KeptGeneration::~KeptGeneration() {
  if (released_ || number_ == 0) return;
  try {
    remove_generation(disk_, areas_, number_);
  } catch (const std::exception& error) {
    spdlog::warn("{}; the next run removes what is left of this one", error.what());
  }
}

void confirm_generation(Disk& disk, const Areas& areas, std::uint64_t number) {
  const std::string dir = generation_dir("", number);
  const std::string pending = join_path(dir, kPending);
  if (disk.stat(pending)) disk.rename(pending, join_path(dir, kManifest));
  for (const std::string& area : areas.roots()) {
    if (disk.stat(generation_dir(area, number))) disk.sync_dir(generation_dir(area, number));
  }
}

// ---- looking and removing

std::vector<Generation> list_generations(Disk& disk) { return list(disk, true); }

void prune_generations(Disk& disk, const KeepPolicy& policy) {
  const auto found = list(disk, false);
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  for (std::size_t i = found.size(); i-- > 0;) {
    bytes += found[i].bytes;
    if (++count > policy.count || bytes > policy.bytes) {
      remove_generation(disk, found[i].areas, found[i].number);
    }
  }
}

void drop_unconfirmed(Disk& disk, const Areas& areas) {
  for (const std::string& area : areas.roots()) {
    for (const std::uint64_t number : numbers_in(disk, area)) {
      if (disk.stat(join_path(generation_dir("", number), kManifest))) continue;
      remove_tree(disk, generation_dir(area, number));
    }
  }
}

}  // namespace xs
