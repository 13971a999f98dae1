// SPDX-License-Identifier: MIT
// codec_bench: what a message costs on one core from its struct to the bytes of a frame and back.
// CPU time, best of several rounds, so that other work on the machine does not count.
//   codec_bench [--check]    exit 1 below a million small messages a second or a GiB of data
//   frames a second, or above 14 bytes an entry of a large manifest
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/codec.h"
#include "protocol/frame.h"

namespace {

using namespace xs;

constexpr std::size_t kRounds = 9;
constexpr std::size_t kSmallMessages = 200'000;
constexpr std::size_t kDataBlocks = 256;               // 64 MiB
constexpr std::size_t kPiece = std::size_t{64} << 10;  // as a channel reads
constexpr std::size_t kBatch = limits::kOutgoing;      // as a channel gathers
constexpr std::uint64_t kSeed = 20240607;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Cost {
  double encode = 0;
  double decode = 0;
  double both() const { return encode + decode; }
};

// A result that nobody looks at might never be computed.
void check(bool same) {
  if (!same) throw std::logic_error("what was decoded is not what was encoded");
}

// Both directions of a connection in one: batches of frames, fed to the reader in pieces.
class Loop {
 public:
  Cost run(const std::vector<Message>& messages) {
    Cost cost;
    for (std::size_t next = 0; next < messages.size();) {
      double start = cpu_seconds();
      wire_.clear();
      const std::size_t first = next;
      while (next < messages.size() && wire_.size() < kBatch)
        writer_.append(messages[next++], wire_);
      cost.encode += cpu_seconds() - start;
      start = cpu_seconds();
      const std::size_t decoded = decode_all();
      cost.decode += cpu_seconds() - start;
      check(decoded == next - first && last_ == messages[next - 1]);
    }
    return cost;
  }

 private:
  std::size_t decode_all() {
    std::size_t count = 0;
    for (std::size_t at = 0; at < wire_.size(); at += kPiece) {
      reader_.feed(std::string_view(wire_).substr(at, kPiece));
      for (auto frame = reader_.next(); frame; frame = reader_.next(), ++count) {
        last_ = decode(frame->spec->number, frame->payload, kOurFeatures);
      }
    }
    return count;
  }

  FrameWriter writer_;
  FrameReader reader_;
  std::string wire_;
  Message last_;
};

// The cheapest round; its two halves belong together.
Cost best(const std::vector<Message>& messages) {
  Loop loop;
  Cost least = loop.run(messages);
  for (std::size_t round = 1; round < kRounds; ++round) {
    const Cost cost = loop.run(messages);
    if (cost.both() < least.both()) least = cost;
  }
  return least;
}

Digest random_digest(std::mt19937_64& random) {
  Digest digest;
  for (auto& byte : digest.bytes) byte = static_cast<std::uint8_t>(random());
  return digest;
}

std::vector<Message> small_messages(std::mt19937_64& random) {
  std::vector<Message> messages;
  messages.reserve(kSmallMessages);
  while (messages.size() < kSmallMessages) {
    const auto file = static_cast<std::uint32_t>(random() % 100'000);
    messages.emplace_back(Want{file, "", true});
    messages.emplace_back(File{file, Form::Whole, random() % 1'000'000});
    messages.emplace_back(FileEnd{FileResult::Complete, random_digest(random), ""});
    messages.emplace_back(Ping{PingKind::Question, "12345678"});
    messages.emplace_back(Seal{random_digest(random), file, random() % 1'000'000'000});
  }
  return messages;
}

std::vector<Message> data_messages(std::mt19937_64& random) {
  std::vector<Message> messages;
  for (std::size_t i = 0; i < kDataBlocks; ++i) {
    std::string bytes(limits::kBlock, '\0');
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t value = random();
      std::memcpy(bytes.data() + at, &value, sizeof value);
    }
    messages.emplace_back(Data{std::move(bytes)});
  }
  return messages;
}

// The floor: each block copied once, into memory that stays the same.
double best_copy(const std::vector<Message>& messages) {
  std::string to(limits::kBlock, '\0');
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t round = 0; round < kRounds; ++round) {
    const double start = cpu_seconds();
    for (const Message& message : messages) {
      const std::string& from = std::get<Data>(message).bytes;
      std::memcpy(to.data(), from.data(), from.size());
      asm volatile("" : : "r"(to.data()) : "memory");  // the copy has to happen
    }
    least = std::min(least, cpu_seconds() - start);
  }
  return least;
}

bool small_is_fast(std::mt19937_64& random) {
  const auto messages = small_messages(random);
  const Cost cost = best(messages);
  const double count = static_cast<double>(messages.size());
  std::printf("small messages  %.2f million/s encoded and decoded (encode %.2f, decode %.2f)\n",
              count / cost.both() / 1e6, count / cost.encode / 1e6, count / cost.decode / 1e6);
  return count / cost.both() >= 1e6;
}

bool data_is_fast(std::mt19937_64& random) {
  const auto messages = data_messages(random);
  const Cost cost = best(messages);
  const double copy = best_copy(messages);
  const double gib = static_cast<double>(kDataBlocks * limits::kBlock) / (1U << 30);
  std::printf("data frames     %.2f GiB/s encoded and decoded (encode %.2f, decode %.2f)\n",
              gib / cost.both(), gib / cost.encode, gib / cost.decode);
  std::printf("                %.1f times the CPU time of one memcpy (%.2f GiB/s)\n",
              cost.both() / copy, gib / copy);
  return gib / cost.both() >= 1.0;
}

// `spread`: how long ago the tree's files were last written, at random. A tree that was unpacked at
// one go has its times close to each other.
double bytes_per_entry(std::mt19937_64& random, std::int64_t spread) {
  constexpr int kDirs = 1000;
  constexpr int kFiles = 99;
  constexpr int kDirsPerPart = 20;
  const std::int64_t base = std::int64_t{1'700'000'000} * 1'000'000'000;
  const auto time = [&] {
    return base + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(spread));
  };
  FrameWriter writer;
  writer.use_compression();
  std::string wire;
  for (int dir = 0; dir < kDirs;) {
    Manifest part;
    part.entries.users = part.entries.groups = {{"xroad", 998}};
    for (int end = dir + kDirsPerPart; dir < end; ++dir) {
      Entry entry;
      entry.path = "d" + std::to_string(kDirs + dir);
      entry.type = EntryType::Dir;
      entry.mode = 0750;
      entry.mtime_ns = time();
      const std::string inside = entry.path + "/f";
      part.entries.list.push_back(std::move(entry));
      for (int file = 0; file < kFiles; ++file) {
        Entry one;
        one.path = inside + std::to_string(100 + file);
        one.mode = 0640;
        one.size = random() % 20'000;
        one.mtime_ns = time();
        part.entries.list.push_back(std::move(one));
      }
    }
    writer.append(part, wire);
  }
  return static_cast<double>(wire.size()) / (kDirs * (kFiles + 1));
}

bool manifest_is_small(std::mt19937_64& random) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const double unpacked = bytes_per_entry(random, 60 * kSecond);
  const double grown = bytes_per_entry(random, std::int64_t{365} * 86'400 * kSecond);
  std::printf("manifest        %.1f bytes an entry of 100,000 written within a minute\n", unpacked);
  std::printf("                %.1f bytes an entry of 100,000 written over a year\n", grown);
  return std::max(unpacked, grown) <= 14.0;
}

bool run() {
  std::mt19937_64 random(kSeed);
  const bool small = small_is_fast(random);
  const bool data = data_is_fast(random);
  const bool manifest = manifest_is_small(random);
  return small && data && manifest;
}

}  // namespace

int main(int argc, char** argv) {
  const bool must = argc == 2 && std::string_view(argv[1]) == "--check";
  if (argc > 1 && !must) {
    std::fputs("usage: codec_bench [--check]\n", stderr);
    return 1;
  }
  try {
    return run() || !must ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "codec_bench: %s\n", error.what());
    return 1;
  }
}
