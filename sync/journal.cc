// SPDX-License-Identifier: MIT
#include "sync/journal.h"

#include "base/text.h"
#include "protocol/entries.h"
#include "protocol/wire.h"
#include "sync/durable.h"
#include "sync/seeded.h"

namespace xs {
namespace {

constexpr std::string_view kMagic = "XSJRNL01";
constexpr std::string_view kName = "journal";
constexpr std::size_t kMaxAreas = 4096;
constexpr std::size_t kMaxSteps = 40'000'000;
constexpr std::size_t kStagedPath = limits::kPath + 64;  // a mount's path and what stands below it
constexpr std::uint32_t kMaxMode = 07777;

enum Present : std::uint8_t { kMode = 1, kUid = 2, kGid = 4, kTime = 8, kLabel = 16 };

void put_step(std::string& out, const Step& step) {
  out += static_cast<char>(step.kind);
  wire::put_bytes(out, step.path);
  wire::put_bytes(out, step.staged);
  wire::put_number(out, step.staged_inode);
  wire::put_number(out, step.old_inode);
  wire::put_bytes(out, step.kept);
  if (step.kind == ActionKind::DirAttributes) put_attributes(out, step.attributes);
}

bool places(ActionKind kind) {
  switch (kind) {
    case ActionKind::MakeDir:
    case ActionKind::Install:
    case ActionKind::Link:
    case ActionKind::Symlink:
    case ActionKind::Special:
    case ActionKind::InstallIndex: return true;
    case ActionKind::Displace:
    case ActionKind::Delete:
    case ActionKind::DeleteDir:
    case ActionKind::DirAttributes: return false;
  }
  return false;
}

// Staged and kept names lie in the area of the path, nowhere else.
void check_step(const Journal& journal, const Step& step) {
  check_landing(step.path);
  if (step.path.empty() && step.kind != ActionKind::DirAttributes) {
    wire::malformed("a step would replace the root");
  }
  const std::string& area = journal.areas.root_of(step.path);
  const auto lies_in = [](const std::string& path, const std::string& dir) {
    return path != dir && lies_within(path, dir) && valid_path(path);
  };
  if (places(step.kind) != !step.staged.empty()) wire::malformed("a step without its object");
  if (places(step.kind) && !lies_in(step.staged, run_dir(area, journal.id))) {
    wire::malformed("a staged name outside its run");
  }
  if (!step.kept.empty() && !lies_in(step.kept, area_dir(area))) {
    wire::malformed("a kept name outside its area");
  }
  if (step.kind == ActionKind::Displace && step.kept.empty()) {
    wire::malformed("a displaced object without a new name");
  }
}

Step get_step(wire::Reader& in) {
  Step step;
  const std::uint8_t kind = in.byte();
  if (kind > static_cast<std::uint8_t>(ActionKind::DirAttributes)) {
    wire::malformed("an unknown kind of step");
  }
  step.kind = static_cast<ActionKind>(kind);
  step.path = in.bytes(limits::kPath, "path");
  step.staged = in.bytes(kStagedPath, "staged name");
  step.staged_inode = in.number();
  step.old_inode = in.number();
  step.kept = in.bytes(kStagedPath, "kept name");
  if (step.kind == ActionKind::DirAttributes) step.attributes = get_attributes(in);
  return step;
}

}  // namespace

void put_attributes(std::string& out, const Attributes& attributes) {
  std::uint8_t present = 0;
  if (attributes.mode) present |= kMode;
  if (attributes.uid) present |= kUid;
  if (attributes.gid) present |= kGid;
  if (attributes.mtime_ns) present |= kTime;
  if (attributes.label) present |= kLabel;
  wire::put_number(out, present);
  if (attributes.mode) wire::put_number(out, *attributes.mode);
  if (attributes.uid) wire::put_number(out, *attributes.uid);
  if (attributes.gid) wire::put_number(out, *attributes.gid);
  if (attributes.mtime_ns) wire::put_number(out, wire::zigzag(*attributes.mtime_ns));
  if (attributes.label) wire::put_bytes(out, *attributes.label);
  wire::put_number(out, attributes.keep.bits());
  wire::put_number(out, attributes.xattrs.size());
  for (const Xattr& one : attributes.xattrs) {
    wire::put_bytes(out, one.name);
    wire::put_bytes(out, one.value);
  }
}

Attributes get_attributes(wire::Reader& in) {
  Attributes attributes;
  const std::uint64_t present = in.number(31);
  const auto u32 = [&] { return static_cast<std::uint32_t>(in.number(~std::uint32_t{0})); };
  if (present & kMode) attributes.mode = static_cast<std::uint32_t>(in.number(kMaxMode));
  if (present & kUid) attributes.uid = u32();
  if (present & kGid) attributes.gid = u32();
  if (present & kTime) attributes.mtime_ns = wire::unzigzag(in.number());
  if (present & kLabel) attributes.label = in.bytes(limits::kXattrValue, "label");
  attributes.keep = Flags<Keep>::from_bits(static_cast<std::uint32_t>(in.number(kKnown<Keep>)));
  attributes.xattrs.resize(in.count(limits::kXattrs));
  for (Xattr& one : attributes.xattrs) {
    one.name = in.bytes(limits::kName, "attribute name");
    one.value = in.bytes(limits::kXattrValue, "attribute value");
  }
  return attributes;
}

std::string journal_path() { return join_path(area_dir(""), kName); }

std::string encode_journal(const Journal& journal) {
  std::string payload;
  wire::put_number(payload, journal.id);
  wire::put_number(payload, journal.generation);
  wire::put_number(payload, journal.areas.roots().size() - 1);
  for (std::size_t i = 1; i < journal.areas.roots().size(); ++i) {
    wire::put_bytes(payload, journal.areas.roots()[i]);
  }
  wire::put_bytes(payload, journal.wake);
  wire::put_number(payload, journal.steps.size());
  for (const Step& step : journal.steps) put_step(payload, step);
  if (payload.size() > kSealedLimit - 64 || journal.wake.size() > kWakeLimit) {
    throw Error(Fault::Io,
                "the journal of this commit would be larger than " + std::to_string(kSealedLimit) +
                    " bytes; nothing was changed",
                EFBIG);
  }
  return seal(kMagic, payload);
}

Journal decode_journal(std::string_view sealed) {
  wire::Reader in(unseal(kMagic, sealed));
  Journal journal;
  journal.id = in.number();
  journal.generation = in.number();
  std::vector<std::string> mounts(in.count(kMaxAreas));
  for (std::string& mount : mounts) mount = in.bytes(limits::kPath, "path");
  journal.areas = Areas(std::move(mounts));
  journal.wake = in.bytes(kWakeLimit, "wake");
  const std::size_t count = in.count(kMaxSteps);
  for (std::size_t i = 0; i < count; ++i) {
    journal.steps.push_back(get_step(in));
    check_step(journal, journal.steps.back());
  }
  in.expect_end();
  return journal;
}

std::optional<Journal> read_journal(Disk& disk) {
  auto sealed = read_if_exists(disk, journal_path(), kSealedLimit);
  if (!sealed && seeded(Seeded::TemporaryBelieved)) {
    sealed = read_if_exists(disk, journal_path() + ".new", kSealedLimit);
  }
  if (!sealed) return std::nullopt;
  try {
    return decode_journal(*sealed);
  } catch (const Error& error) {
    throw Error(Fault::Io, "the journal of an unfinished commit, " + quote(journal_path()) +
                               ", cannot be used: " + error.text() +
                               "; nothing was touched. Look for a failing disk; then move the "
                               "journal away, which may leave the tree between two states until "
                               "the next run has completed, and run again");
  }
}

void write_journal(Disk& disk, const Journal& journal) {
  write_durably(disk, area_dir(""), std::string(kName), encode_journal(journal));
}

void drop_journal(Disk& disk) {
  disk.unlink(journal_path());
  if (!seeded(Seeded::DropNotSynced)) disk.sync_dir(area_dir(""));
}

}  // namespace xs
