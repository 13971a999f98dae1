// SPDX-License-Identifier: MIT
#include "sync/durable.h"

#include <spdlog/spdlog.h>

#include "protocol/wire.h"
#include "sync/hash.h"
#include "sync/seeded.h"

namespace xs {
namespace {

constexpr std::size_t kDigest = sizeof(Digest::bytes);

std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

void remove_quietly(Disk& disk, const std::string& path) {
  try {
    if (disk.stat(path)) disk.unlink(path);
  } catch (const Error& error) {
    // The failure that brought us here is the one to tell about.
    spdlog::debug("{}; the next run removes it", error.text());
  }
}

void write_file(Disk& disk, const std::string& path, std::string_view bytes) {
  auto file = disk.create(path, 0600);
  disk.hand_over(path);
  file->write(bytes);
  if (!seeded(Seeded::JournalNotSynced)) file->sync();
  file->close();
}

}  // namespace

std::string seal(std::string_view magic, std::string_view payload) {
  std::string sealed(magic);
  wire::put_fixed32(sealed, static_cast<std::uint32_t>(payload.size()));
  sealed += payload;
  sealed += bytes_of(digest_of(sealed));
  return sealed;
}

std::string_view unseal(std::string_view magic, std::string_view sealed) {
  if (sealed.substr(0, magic.size()) != magic) {
    wire::malformed("it does not begin as a file of this version does");
  }
  if (sealed.size() < magic.size() + 4 + kDigest) wire::malformed("it ends too early");
  const std::string_view body = sealed.substr(0, sealed.size() - kDigest);
  if (!seeded(Seeded::ChecksumIgnored) && bytes_of(digest_of(body)) != sealed.substr(body.size())) {
    wire::malformed("its checksum is wrong");
  }
  wire::Reader reader(body.substr(magic.size()));
  const std::size_t length = reader.fixed32();
  if (length != reader.left()) wire::malformed("its length is wrong");
  return reader.raw(length);
}

void write_durably(Disk& disk, const std::string& dir, const std::string& name,
                   std::string_view bytes) {
  const std::string path = join_path(dir, name);
  const std::string temporary = seeded(Seeded::JournalInPlace) ? path : path + ".new";
  if (disk.stat(temporary)) disk.unlink(temporary);
  try {
    write_file(disk, temporary, bytes);
    if (temporary != path) disk.rename(temporary, path);
  } catch (...) {
    remove_quietly(disk, temporary);
    throw;
  }
  if (!seeded(Seeded::JournalDirNotSynced)) disk.sync_dir(dir);
}

}  // namespace xs
