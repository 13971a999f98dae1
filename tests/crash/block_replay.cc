// SPDX-License-Identifier: MIT
// block_replay [--seed N] [--states N] [--only CUT.DRAW] [--save FILE]
//              LOG LOOP BACKING TYPE MOUNTPOINT
//              -- BEFORE... -- RECOVER... -- CHECK...
// Cuts the power in a recording of block_recorder: makes the disk that a cut could leave, mounts
// it, runs BEFORE (a word {} in it is the last generation acknowledged before the cut) and RECOVER,
// which have to succeed, and CHECK, which exits with the generation that it finds. That has to be
// the last one acknowledged or the next. BACKING is the file behind the attached device LOOP, of
// the recorded disk's size. About half the states are the prefixes in order, all of them if N
// allows, and the rest random subsets with torn blocks. Exits 1 when a state was bad, after it
// named the first ones so that --only finds them again.
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "tests/crash/block_tape.h"

namespace {

using namespace xs;
using test::State;
using test::Tape;

constexpr std::size_t kShown = 5;
constexpr int kTooLong = 1000;
constexpr auto kPatience = std::chrono::seconds(60);

struct Words {
  std::string log, loop, backing, type, mountpoint, only, save;
  std::vector<std::string> before, recover, check;
  std::uint64_t seed = 1;
  std::size_t states = 1000;
};

std::uint64_t number(const std::string& text) {
  const auto value = parse_number(text);
  if (!value) throw Error(Fault::Usage, "not a number: " + quote(text));
  return *value;
}

Words parse(int argc, char** argv) {
  Words words;
  std::vector<std::string> parts[4];
  std::size_t part = 0;
  for (int at = 1; at < argc; ++at) {
    const std::string word = argv[at];
    if (word == "--" && part < 3)
      ++part;
    else if (part == 0 && word == "--seed" && at + 1 < argc)
      words.seed = number(argv[++at]);
    else if (part == 0 && word == "--states" && at + 1 < argc)
      words.states = number(argv[++at]);
    else if (part == 0 && word == "--only" && at + 1 < argc)
      words.only = argv[++at];
    else if (part == 0 && word == "--save" && at + 1 < argc)
      words.save = argv[++at];
    else
      parts[part].push_back(word);
  }
  if (parts[0].size() != 5 || parts[1].empty() || parts[2].empty() || parts[3].empty())
    throw Error(Fault::Usage,
                "block_replay [OPTION]... LOG LOOP BACKING TYPE MOUNTPOINT -- BEFORE... "
                "-- RECOVER... -- CHECK...");
  words.log = parts[0][0];
  words.loop = parts[0][1];
  words.backing = parts[0][2];
  words.type = parts[0][3];
  words.mountpoint = parts[0][4];
  words.before = parts[1];
  words.recover = parts[2];
  words.check = parts[3];
  return words;
}

// The exit code of a program, 128 + the signal that ended it, or kTooLong.
int run(const std::vector<std::string>& words, const std::string& output) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = -1;  // spawned, not forked: copying the page tables of two disks would take longer
  const int failed =
      ::posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw_errno("posix_spawn", words[0], failed);
  const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!handle) throw_errno("pidfd_open", words[0]);
  SteadyClock clock;
  pollfd wanted{handle.get(), POLLIN, 0};
  const bool ended = clock.poll({&wanted, 1}, clock.now() + kPatience) == 1;
  if (!ended) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw_errno("waitpid", words[0]);
  if (!ended) return kTooLong;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class Memory {
 public:
  Memory(int fd, std::size_t size) : size_(size) {
    const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (at == MAP_FAILED) throw_errno("mmap", "a disk image");
    bytes_ = static_cast<char*>(at);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { ::munmap(bytes_, size_); }
  char* bytes() const { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  char* bytes_;
  std::size_t size_;
};

std::vector<State> choose(const Words& words, std::size_t pieces) {
  if (!words.only.empty()) {
    const std::size_t dot = words.only.find('.');
    if (dot == std::string::npos) throw Error(Fault::Usage, "--only CUT.DRAW");
    const State only{number(words.only.substr(0, dot)),
                     static_cast<std::uint32_t>(number(words.only.substr(dot + 1)))};
    if (only.cut > pieces) throw Error(Fault::Usage, "--only: the recording ends before this cut");
    return {only};
  }
  std::vector<State> states;
  const std::size_t stride = std::max<std::size_t>(1, 2 * pieces / words.states);
  for (std::size_t cut = 0; cut <= pieces; cut += stride) states.push_back({cut, 0});
  std::mt19937_64 random(words.seed);
  for (std::uint32_t draw = 1; states.size() < words.states; ++draw)
    states.push_back({random() % (pieces + 1), draw});
  std::stable_sort(states.begin(), states.end(),
                   [](const State& a, const State& b) { return a.cut < b.cut; });
  return states;
}

struct Counts {
  std::size_t tried = 0, same = 0, kept = 0, next = 0, bad = 0, unmountable = 0;
};

class Replay {
 public:
  Replay(const Words& words, std::size_t size, int backing)
      : words_(words), tape_(words.log, size), disk_(backing, size), image_(-1, size) {
    output_ = words.backing + ".output";
    choices_.seed(words.seed);
  }

  Counts run_all() {
    for (const State& state : choose(words_, tape_.pieces())) try_state(state);
    return counts_;
  }
  const Tape& tape() const { return tape_; }

 private:
  void try_state(const State& state) {
    tape_.play(state, words_.seed, image_.bytes());
    if (seen_.insert(tape_.choice()).second) {
      lay_out();
      ++counts_.tried;
      judge(state);
    } else {
      ++counts_.same;
    }
    tape_.rewind(image_.bytes());
  }

  // Only what differs, and while no file system looks: the kernel forgets the pages of a block
  // device when its last user closes it.
  void lay_out() {
    for (std::size_t at = 0; at < disk_.size(); at += Tape::kBlock)
      if (std::memcmp(disk_.bytes() + at, image_.bytes() + at, Tape::kBlock) != 0)
        std::memcpy(disk_.bytes() + at, image_.bytes() + at, Tape::kBlock);
  }

  void judge(const State& state) {
    ::unlink(output_.c_str());
    if (::mount(words_.loop.c_str(), words_.mountpoint.c_str(), words_.type.c_str(), MS_NOATIME,
                nullptr) != 0) {
      // xfs does not replay its log onto a block whose torn header says that it is new already, and
      // then finds the checksum wrong: a matter between it and the disk, before any of us runs.
      if (tape_.torn()) return static_cast<void>(++counts_.unmountable);
      return bad(state, "cannot be mounted: " + errno_text(errno));
    }
    const auto acknowledged = static_cast<int>(tape_.acknowledged(state.cut));
    std::vector<std::string> first = words_.before;
    std::replace(first.begin(), first.end(), std::string("{}"), std::to_string(acknowledged));
    const int before = run(first, output_);
    const int recovered = run(words_.recover, output_);
    const int found = run(words_.check, output_);
    if (::umount2(words_.mountpoint.c_str(), 0) != 0) throw_errno("umount", words_.mountpoint);
    if (before != 0)
      bad(state, "the check before recovery exits " + std::to_string(before));
    else if (recovered != 0)
      bad(state, "recovery exits " + std::to_string(recovered));
    else if (found == acknowledged)
      ++counts_.kept;
    else if (found == acknowledged + 1)
      save(acknowledged, ++counts_.next);
    else
      bad(state,
          "acknowledged " + std::to_string(acknowledged) + ", found " + std::to_string(found));
  }

  // The one kept in the end is any of them with the same chance.
  void save(int acknowledged, std::size_t found) {
    if (words_.save.empty() || choices_() % found != 0) return;
    std::ofstream(words_.save, std::ios::binary)
        .write(image_.bytes(), static_cast<std::streamsize>(image_.size()));
    std::ofstream(words_.save + ".acknowledged") << acknowledged << '\n';
  }

  void bad(const State& state, const std::string& what) {
    if (++counts_.bad > kShown) return;
    std::printf("  bad --seed %llu --only %zu.%u: %s\n",
                static_cast<unsigned long long>(words_.seed), state.cut, state.draw, what.c_str());
    std::fflush(stdout);
    const Fd output(::open(output_.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 2000> text;
    const ssize_t size = output ? ::read(output.get(), text.data(), text.size()) : 0;
    if (size > 0) std::printf("%.*s\n", static_cast<int>(size), text.data());
  }

  const Words& words_;
  Tape tape_;
  Memory disk_;   // what the kernel sees
  Memory image_;  // what it shall see
  std::string output_;
  std::unordered_set<std::uint64_t> seen_;
  std::mt19937_64 choices_;
  Counts counts_;
};

int replay(int argc, char** argv) {
  const Words words = parse(argc, argv);
  const Fd backing(::open(words.backing.c_str(), O_RDWR | O_CLOEXEC));
  struct stat st {};
  if (!backing || ::fstat(backing.get(), &st) != 0) throw_errno("open", words.backing);
  Replay replay(words, static_cast<std::size_t>(st.st_size), backing.get());
  const auto began = std::chrono::steady_clock::now();
  const Counts counts = replay.run_all();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(
      "  %zu states of %zu writes and %zu flushes, seed %llu: %zu old, %zu new, %zu bad, "
      "%zu torn beyond mounting, %zu drawn twice; %.1f s, %.0f states/s\n",
      counts.tried, replay.tape().pieces(), replay.tape().flushes(),
      static_cast<unsigned long long>(words.seed), counts.kept, counts.next, counts.bad,
      counts.unmountable, counts.same, took.count(),
      static_cast<double>(counts.tried) / took.count());
  return counts.bad == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return replay(argc, argv);
  } catch (const xs::Error& error) {
    std::fprintf(stderr, "block_replay: %s\n", error.what());
    return 2;
  }
}
