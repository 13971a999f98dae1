// SPDX-License-Identifier: MIT
#include "sync/hash.h"

#include <xxhash.h>

#include <new>
#include <vector>

#include "base/io.h"
#include "base/text.h"
#include "protocol/wire.h"
#include "sync/attributes.h"

namespace xs {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;

Digest canonical(const XXH128_hash_t& hash) {
  XXH128_canonical_t form;
  XXH128_canonicalFromHash(&form, hash);
  Digest digest;
  static_assert(sizeof form.digest == sizeof digest.bytes);
  std::copy(std::begin(form.digest), std::end(form.digest), digest.bytes.begin());
  return digest;
}

// One entry as the bytes that a generation is made of. Every field has its length or a fixed size,
// so two manifests have equal bytes only when they are equal.
class Canonical {
 public:
  Canonical(const Entries& entries, const Options& options)
      : entries_(entries), options_(options) {}

  std::string_view of(const Entry& entry) {
    out_.clear();
    wire::put_bytes(out_, entry.path);
    out_ += static_cast<char>(entry.type);
    put_metadata(entry);
    put_content(entry);
    put_xattrs(entry);
    return out_;
  }

 private:
  void put_metadata(const Entry& entry) {
    // Linux has no mode of symbolic links.
    if (options_.keep.has(Keep::Permissions) && entry.type != EntryType::Symlink) {
      wire::put_number(out_, entry.mode);
    }
    if (options_.keep.has(Keep::Owner)) put_principal(entries_.users.at(entry.owner));
    if (options_.keep.has(Keep::Group)) put_principal(entries_.groups.at(entry.group));
  }

  void put_principal(const Principal& one) {
    const bool by_number = one.name.empty() || options_.scan.has(Scan::NumericIds);
    wire::put_bytes(out_, by_number ? std::string_view() : one.name);
    if (by_number) wire::put_number(out_, one.id);
  }

  void put_content(const Entry& entry) {
    if (entry.type != EntryType::File) {
      wire::put_number(out_, entry.size);
      wire::put_bytes(out_, entry.content);
      return;
    }
    wire::put_number(out_, entry.size);
    if (options_.compare == Compare::Content) {
      out_ += entry.digest ? '\1' : '\0';
      if (entry.digest) out_.append(entry.digest->bytes.begin(), entry.digest->bytes.end());
    } else if (options_.compare != Compare::SizeOnly) {
      wire::put_number(out_, static_cast<std::uint64_t>(entry.mtime_ns));
    }
  }

  void put_xattrs(const Entry& entry) {
    for (const Xattr& one : entry.xattrs) {
      if (!options_.keep.has(is_acl(one.name) ? Keep::Acls : Keep::Xattrs)) continue;
      out_ += '\1';
      wire::put_bytes(out_, one.name);
      wire::put_bytes(out_, one.value);
    }
    out_ += '\0';
  }

  const Entries& entries_;
  const Options& options_;
  std::string out_;
};

}  // namespace

Hasher::Hasher() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  reset();
}

void Hasher::Free::operator()(XXH3_state_s* state) const noexcept { XXH3_freeState(state); }
void Hasher::update(std::string_view bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}
Digest Hasher::digest() const { return canonical(XXH3_128bits_digest(state_.get())); }
void Hasher::reset() { XXH3_128bits_reset(state_.get()); }

Digest digest_of(std::string_view bytes) {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

Digest digest_of_file(const Fd& file, std::string_view subject) {
  Hasher hasher;
  std::vector<char> buffer(kReadSize);
  for (;;) {
    const auto got = read_some(file.get(), buffer, subject);
    if (!got) throw_errno("read", subject, EAGAIN);
    if (*got == 0) return hasher.digest();
    hasher.update({buffer.data(), *got});
  }
}

std::string to_hex(const Digest& digest) {
  return hex({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()});
}

std::uint16_t shape_of(const Entry& entry, std::uint64_t seed) {
  std::string bytes = entry.path;
  bytes += static_cast<char>(entry.type);
  wire::put_fixed64(bytes, entry.size);
  return static_cast<std::uint16_t>(XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed));
}

std::vector<std::uint64_t> fingerprints(const Entries& entries, const Options& options,
                                        std::uint64_t seed) {
  Canonical canonical_form(entries, options);
  std::vector<std::uint64_t> prints;
  prints.reserve(entries.list.size());
  for (const Entry& entry : entries.list) {
    const std::string_view bytes = canonical_form.of(entry);
    const std::uint64_t hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
    prints.push_back(std::uint64_t{shape_of(entry, seed)} << 48 | (hash >> 16));
  }
  return prints;
}

Digest generation(const Entries& entries, const Options& options) {
  Hasher hasher;
  Canonical canonical_form(entries, options);
  // What is compared, and how, so that generations under different options never look equal.
  std::string head = "xroad-sync generation 1\n";
  head += static_cast<char>(options.compare);
  wire::put_number(head, options.keep.bits());
  head += static_cast<char>(options.scan.has(Scan::NumericIds) ? 1 : 0);
  hasher.update(head);
  for (const Entry& entry : entries.list) hasher.update(canonical_form.of(entry));
  return hasher.digest();
}

}  // namespace xs
