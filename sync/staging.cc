// SPDX-License-Identifier: MIT
#include "sync/staging.h"

#include <spdlog/spdlog.h>

#include "base/text.h"
#include "sync/seeded.h"

namespace xs {
namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kSpare = 64 * kBlock;  // for the journal, the manifest and directories
constexpr std::uint64_t kSpareInodes = 16;

}  // namespace

// ---- StagedFile

StagedFile::StagedFile(Staging& staging, std::string area, std::string path)
    : staging_(&staging),
      area_(std::move(area)),
      path_(std::move(path)),
      file_(staging.disk_.create(path_, 0600)) {}

StagedFile::~StagedFile() {
  if (!file_) return;
  file_.reset();
  try {
    staging_->disk_.unlink(path_);
  } catch (const Error& error) {
    spdlog::warn("{}; the next run removes it", error.text());
  }
}

void StagedFile::write(std::string_view bytes) {
  file_->write(bytes);
  size_ += bytes.size();
}

Staged StagedFile::keep(const Attributes& final) {
  if (seeded(Seeded::SyncBeforeAttributes)) file_->sync();
  file_->set_attributes(final);
  const Staged staged{path_, file_->stat().ino};
  staging_->take(area_, std::move(file_));
  return staged;
}

// ---- Staging

Staging::Staging(Disk& disk, Areas areas, std::uint64_t id)
    : disk_(disk), areas_(std::move(areas)), id_(id) {
  ensure_area(disk_, "");
  remember_areas(disk_, areas_);
  try {
    for (const std::string& area : areas_.roots()) prepare_area(area);
  } catch (...) {
    discard();
    throw;
  }
}

void Staging::prepare_area(const std::string& area) {
  ensure_area(disk_, area);
  // Before anything is written, so that it hears of every failure.
  volumes_[area].volume = disk_.open_volume(area_dir(area));
  disk_.make_private_dir(run_dir(area, id_));
}

void Staging::widen(const Areas& areas) {
  std::vector<std::string> all = areas_.roots();
  const auto& more = areas.roots();
  all.insert(all.end(), more.begin(), more.end());
  std::erase(all, std::string());  // the root, which is always one
  Areas wider(std::move(all));
  if (wider == areas_) return;
  remember_areas(disk_, wider);
  areas_ = std::move(wider);
  for (const std::string& area : areas_.roots()) {
    if (volumes_.count(area) == 0) prepare_area(area);
  }
}

Staging::~Staging() {
  if (!released_) discard();
}

void Staging::discard() noexcept {
  try {
    for (auto& [area, volume] : volumes_) {
      volume.files.clear();
      remove_tree(disk_, run_dir(area, id_));
    }
  } catch (const std::exception& error) {
    spdlog::warn("{}; the next run removes what is left of this one", error.what());
  }
}

std::string Staging::new_name(const std::string& area) {
  return join_path(run_dir(area, id_), "s" + std::to_string(next_++));
}

const std::string* Staging::nest_of(std::string_view dir) const {
  const auto found = nests_.find(dir);
  return found == nests_.end() ? nullptr : &found->second;
}

// In its nest under its own name, unless a journal could not name it there, or what stood there
// before the source moved still does.
std::string Staging::name_for(std::string_view path) {
  const SplitPath parts = split_path(path);
  const std::string* nest = nest_of(parts.parent);
  if (!nests_closed_ && nest != nullptr && nest->size() + 1 + parts.name.size() <= limits::kPath &&
      nest_of(path) == nullptr) {
    return join_path(*nest, parts.name);
  }
  return new_name(areas_.root_of(path));
}

void Staging::nest(const std::string& dir) {
  if (nest_of(dir) != nullptr) return;
  check_landing(dir);
  std::string name = name_for(dir);
  disk_.mkdir(name, 0700);
  nests_.emplace(dir, std::move(name));
  if (nests_.size() > kSyncEach) needs_whole(areas_.root_of(dir));
}

void Staging::close_nests(const std::set<std::string>& whole) {
  nests_closed_ = true;
  for (auto at = nests_.begin(); at != nests_.end();) {
    const std::string& nest = at->second;
    const bool stray = whole.count(nest) == 0 && whole.count(std::string(split_path(nest).parent));
    if (stray) remove_tree(disk_, nest);
    at = stray ? nests_.erase(at) : std::next(at);
  }
}

Staged Staging::take_out(const std::string& path, const Staged& staged) {
  Staged out{new_name(areas_.root_of(path)), staged.inode};
  disk_.rename(staged.path, out.path);
  return out;
}

StagedFile Staging::create(std::string_view path) {
  check_landing(path);
  return StagedFile(*this, areas_.root_of(path), name_for(path));
}

Staged Staging::make_dir(std::string_view path) {
  check_landing(path);
  const std::string* nest = nests_closed_ ? nullptr : nest_of(path);
  const std::string name = nest != nullptr ? *nest : name_for(path);
  if (nest == nullptr) disk_.mkdir(name, 0700);
  return {name, disk_.stat(name)->ino};
}

Staged Staging::make_symlink(std::string_view path, const std::string& target,
                             const Attributes& final) {
  check_landing(path);
  const std::string& area = areas_.root_of(path);
  const std::string name = name_for(path);
  disk_.symlink(target, name);
  disk_.set_attributes(name, final);
  needs_whole(area);
  return {name, disk_.stat(name)->ino};
}

Staged Staging::make_special(std::string_view path, std::uint32_t mode_and_type, std::uint64_t rdev,
                             const Attributes& final) {
  check_landing(path);
  const std::string& area = areas_.root_of(path);
  const std::string name = name_for(path);
  disk_.mknod(name, mode_and_type, rdev);
  disk_.set_attributes(name, final);
  needs_whole(area);
  return {name, disk_.stat(name)->ino};
}

Staged Staging::make_link(std::string_view path, const std::string& from) {
  check_landing(path);
  const std::string name = name_for(path);
  disk_.link(from, name);
  return {name, disk_.stat(name)->ino};
}

Staged Staging::make_link(std::string_view path, const Dir& dir, std::string_view name) {
  check_landing(path);
  const std::string link = new_name(areas_.root_of(path));
  disk_.link_from(dir, name, link);
  return {link, disk_.stat(link)->ino};
}

void Staging::drop(const Staged& staged) { disk_.unlink(staged.path); }

// A link or a device has no descriptor that fsync takes, so its owner is only safe with the whole.
void Staging::needs_whole(const std::string& area) {
  const std::lock_guard guard(lock_);
  volumes_.at(area).whole = true;
}

void Staging::take(const std::string& area, std::unique_ptr<DiskFile> file) {
  const bool reports = disk_.volume_sync_reports();
  std::vector<std::unique_ptr<DiskFile>> full;
  {
    const std::lock_guard guard(lock_);
    Volume& volume = volumes_.at(area);
    volume.files.push_back(std::move(file));
    if (volume.files.size() <= kSyncEach && !(volume.whole && reports)) return;
    volume.whole = volume.whole || reports;
    full.swap(volume.files);
  }
  for (const auto& one : full) finish(*one, !reports);
}

// The last that is done to a staged file. Whatever fails here ends the run.
void Staging::finish(DiskFile& file, bool sync) {
  try {
    if (sync && !seeded(Seeded::NoFileSync) && !seeded(Seeded::SyncBeforeAttributes)) {
      sync_file(file);
    }
    file.close();
  } catch (...) {
    failed_ = true;
    throw;
  }
}

void Staging::sync_file(DiskFile& file) {
  try {
    file.sync();
  } catch (const Error&) {
    if (!seeded(Seeded::RetryFailedSync)) throw;
    file.sync();
  }
}

void Staging::sync_area(const std::string& area, Volume& volume) {
  const bool each = !volume.whole || !disk_.volume_sync_reports();
  for (const auto& file : volume.files) finish(*file, each);
  volume.files.clear();
  for (const auto& [dir, nest] : nests_) {
    if (each && !seeded(Seeded::NestNotSynced) && areas_.root_of(dir) == area) disk_.sync_dir(nest);
  }
  if (volume.whole && !seeded(Seeded::NoVolumeSync)) volume.volume->sync();
  if (!seeded(Seeded::NoRunDirSync)) disk_.sync_dir(run_dir(area, id_));
  disk_.sync_dir(area_dir(area));
  sync_area_name(disk_, area);
}

void Staging::sync() {
  if (failed_) {
    throw Error(Fault::Io, "a staged file could not be written safely before; run again", EIO);
  }
  failed_ = true;
  for (auto& [area, volume] : volumes_) sync_area(area, volume);
  failed_ = false;
}

// ---- space

void SpaceNeeded::add_file(const std::string& area, std::uint64_t size) {
  Need& need = needs_[area];
  need.bytes += (size + kBlock - 1) / kBlock * kBlock;
  ++need.inodes;
}

void SpaceNeeded::add_object(const std::string& area) { add_file(area, kBlock); }

void SpaceNeeded::check(Disk& disk) const {
  for (const auto& [area, wanted] : needs_) {
    const Need need{wanted.bytes + kSpare, wanted.inodes + kSpareInodes};
    const Space have = disk.open_volume(area)->space();
    const std::string where = area.empty() ? std::string("the destination") : quote(area);
    if (have.bytes < need.bytes) {
      throw Error(Fault::Io,
                  "not enough space in " + where + ": " + std::to_string(need.bytes) +
                      " bytes are needed, " + std::to_string(have.bytes) + " are free",
                  ENOSPC);
    }
    if (have.inodes < need.inodes) {
      throw Error(Fault::Io,
                  "not enough inodes in " + where + ": " + std::to_string(need.inodes) +
                      " are needed, " + std::to_string(have.inodes) + " are free",
                  ENOSPC);
    }
  }
}

void check_space(Disk& disk, const Areas& areas, const Plan& plan, const Entries& target,
                 const std::function<bool(const Entry&)>& staged) {
  SpaceNeeded needed;
  for (const StagedContent& content : plan.contents) {
    const Entry& entry = target.list.at(content.entry);
    if (staged && staged(entry)) continue;
    needed.add_file(areas.root_of(entry.path), entry.size);
  }
  for (const Action& action : plan.actions) {
    const bool makes = action.kind == ActionKind::MakeDir || action.kind == ActionKind::Symlink ||
                       action.kind == ActionKind::Special;
    if (makes) needed.add_object(areas.root_of(action.path));
  }
  needed.check(disk);
}

}  // namespace xs
