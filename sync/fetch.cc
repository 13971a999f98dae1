// SPDX-License-Identifier: MIT
#include "sync/fetch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <variant>

#include "base/io.h"
#include "base/text.h"
#include "sync/delta.h"

namespace xs {
namespace {

// Requests under way: enough to fill a long way, few enough for the descriptors of their bases.
constexpr std::size_t kWindow = 128;
constexpr std::size_t kPiece = std::size_t{256} << 10;

Fd open_local(const Dir& root, const std::string& path) {
  const SplitPath parts = split_path(path);
  return root.walk(parts.parent).open_file(parts.name, O_RDONLY);
}

Basis basis_of(const Fd& file, std::uint64_t size, const std::string& subject) {
  return {[&file, subject](std::uint64_t offset, std::span<char> into) {
            ssize_t got = 0;
            do {
              got = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
            } while (got < 0 && errno == EINTR);
            if (got < 0) throw_errno("read", subject);
            return static_cast<std::size_t>(got);
          },
          size};
}

}  // namespace

Fetch::Fetch(Channel& channel, Staging& staging, const Dir& root)
    : channel_(channel), staging_(staging), root_(root), piece_(kPiece) {}

void Fetch::forget(const std::string& path) {
  const auto found = staged_.find(path);
  if (found == staged_.end()) return;
  staging_.drop(found->second);
  staged_.erase(found);
}

void Fetch::stage_early(const Entry& entry, FinalAttributes& attributes) {
  forget(entry.path);
  stage_bytes(entry, entry.content, attributes);
}

void Fetch::stage(const Plan& plan, const Entries& target,
                  const std::vector<std::uint32_t>& numbers, FinalAttributes& attributes,
                  const std::function<void()>& all_asked) {
  for (const StagedContent& content : plan.contents) {
    const Entry& entry = target.list.at(content.entry);
    // What came with the entry and was staged at once may not be what the plan wants.
    if (content.source == Source::Local && entry.inlined) forget(entry.path);
    if (staged_.count(entry.path) != 0) continue;
    if (content.source == Source::Inlined) {
      stage_bytes(entry, entry.content, attributes);
    } else if (content.source != Source::Local || !stage_local(entry, attributes)) {
      while (asked_.size() >= kWindow) take_answer(attributes);
      want(entry, numbers.at(content.entry), content.basis);
    }
  }
  all_asked();
  while (!asked_.empty()) take_answer(attributes);
}

void Fetch::drop_all_but(const Plan& plan, const Entries& target) {
  std::set<std::string_view> wanted;
  if (staged_.empty()) return;
  for (const StagedContent& content : plan.contents) {
    wanted.insert(target.list.at(content.entry).path);
  }
  for (auto at = staged_.begin(); at != staged_.end();) {
    if (wanted.count(at->first) != 0) {
      ++at;
      continue;
    }
    staging_.drop(at->second);
    at = staged_.erase(at);
  }
}

StagedFiles Fetch::staged(const Plan& plan, const Entries& target) const {
  StagedFiles files;
  for (const StagedContent& content : plan.contents) {
    const auto found = staged_.find(target.list.at(content.entry).path);
    if (found != staged_.end()) files.emplace(content.entry, found->second);
  }
  return files;
}

void Fetch::keep(const Entry& entry, StagedFile& file, const Digest& digest,
                 FinalAttributes& attributes) {
  if (entry.digest && *entry.digest != digest) {
    throw Error(Fault::Mismatch, "the contents of " + quote(entry.path) +
                                     " do not have their digest: nothing was changed");
  }
  staged_.insert_or_assign(entry.path, file.keep(attributes.of(entry)));
}

void Fetch::stage_bytes(const Entry& entry, std::string_view bytes, FinalAttributes& attributes) {
  if (bytes.size() != entry.size) {
    throw Error(Fault::Protocol, quote(entry.path) + " does not carry as many bytes as it has");
  }
  StagedFile file = staging_.create(entry.path);
  file.write(bytes);
  literal_ += bytes.size();
  keep(entry, file, digest_of(bytes), attributes);
}

// False when our file no longer has the bytes that it had: then they are fetched.
bool Fetch::stage_local(const Entry& entry, FinalAttributes& attributes) {
  const Fd from = open_local(root_, entry.path);
  StagedFile file = staging_.create(entry.path);
  Hasher hasher;
  while (const std::size_t got = read_some(from.get(), piece_, entry.path).value_or(0)) {
    hasher.update({piece_.data(), got});
    file.write({piece_.data(), got});
  }
  const bool same =
      file.size() == entry.size && (!entry.digest || *entry.digest == hasher.digest());
  if (same) keep(entry, file, hasher.digest(), attributes);
  return same;
}

void Fetch::want(const Entry& entry, std::uint32_t number, bool basis) {
  if (number == kNoNumber) {
    throw Error(Fault::Protocol,
                "the server never listed " + quote(entry.path) + ", of which we need the contents");
  }
  Request request{number, &entry, {}, 0};
  ++wanted_;
  if (basis && entry.size >= delta::kMinimum) {
    request.basis = open_local(root_, entry.path);
    request.basis_size = stat_fd(request.basis, entry.path).size;
  }
  if (!request.basis || !worth_delta(entry.size, request.basis_size)) {
    request.basis = Fd();
    channel_.send(Want{request.number, "", true});
    asked_.push_back(std::move(request));
    return;
  }
  SignatureMaker signature(request.basis_size);
  const Sink send = [&](std::string_view part) {
    channel_.send(Want{request.number, std::string(part), false}, true);
  };
  while (const std::size_t got = read_some(request.basis.get(), piece_, entry.path).value_or(0)) {
    signature.feed({piece_.data(), got}, send);
  }
  signature.finish(send);
  channel_.send(Want{request.number, "", true});
  asked_.push_back(std::move(request));
}

void Fetch::take_answer(FinalAttributes& attributes) {
  const Request request = std::move(asked_.front());
  asked_.pop_front();
  const Entry& entry = *request.entry;
  const Message first = channel_.receive();
  const auto* head = std::get_if<File>(&first);
  const Form expected = request.basis ? Form::Delta : Form::Whole;
  if (head == nullptr || head->file != request.number || head->form != expected ||
      head->size != entry.size) {
    throw Error(Fault::Protocol, "the server answers another question than " + quote(entry.path));
  }
  StagedFile file = staging_.create(entry.path);
  Hasher hasher;
  const Sink write = [&](std::string_view bytes) {
    if (file.size() + bytes.size() > entry.size) {
      throw Error(Fault::Protocol,
                  "the server sends more of " + quote(entry.path) + " than it announced");
    }
    hasher.update(bytes);
    file.write(bytes);
  };
  std::optional<Patcher> patcher;
  if (request.basis)
    patcher.emplace(basis_of(request.basis, request.basis_size, entry.path), entry.size);
  for (;;) {
    const Message message = channel_.receive();
    if (const auto* data = std::get_if<Data>(&message); data != nullptr && !patcher) {
      literal_ += data->bytes.size();
      write(data->bytes);
    } else if (const auto* part = std::get_if<Delta>(&message); part != nullptr && patcher) {
      literal_ += part->bytes.size();
      patcher->feed(part->bytes, write);
    } else if (const auto* end = std::get_if<FileEnd>(&message)) {
      if (end->result != FileResult::Complete) return;  // what changed will be told
      if (patcher) patcher->finish(write);
      if (file.size() != entry.size || hasher.digest() != end->digest) {
        throw Error(Fault::Mismatch, quote(entry.path) + " arrived damaged: nothing was changed");
      }
      keep(entry, file, end->digest, attributes);
      return;
    } else {
      throw Error(Fault::Protocol, "the server breaks off " + quote(entry.path));
    }
  }
}

}  // namespace xs
