// SPDX-License-Identifier: MIT
// scan_bench: the speed of scan() as a share of a bare walk (openat, getdents64, statx, nothing
// kept) of the same tree in the same run, alternating, by CPU time; and the memory that a result
// takes. Exit 1 below 80 %.
//   scan_bench ROOT [FILES [ROUNDS]]    makes FILES files of 1 KiB in directories of 100 below ROOT
//   if ROOT is empty
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/hash.h"
#include "sync/scan.h"

namespace {

using namespace xs;

constexpr unsigned long kFilesPerDir = 100;

// CPU time of this thread: both walks are bound by it when the tree is cached, and other work on
// the machine does not count.
double milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

bool is_empty(const Dir& root) {
  Listing names;
  root.list(names);
  return names.size() == 0;
}

void make_tree(const Dir& root, unsigned long files) {
  const std::string bytes(1024, 'x');
  for (unsigned long i = 0; i < files; i += kFilesPerDir) {
    const std::string name = "d" + std::to_string(i / kFilesPerDir);
    root.mkdir(name, 0755);
    const Dir dir = root.open_dir(name);
    for (unsigned long k = i; k < std::min(files, i + kFilesPerDir); ++k) {
      const Fd file = dir.create_file("file" + std::to_string(k), 0644);
      if (::write(file.get(), bytes.data(), bytes.size()) < 0) std::perror("write");
    }
  }
}

std::size_t bare_walk(int fd) {
  std::size_t count = 0;
  std::vector<std::string> subs;
  alignas(dirent64) std::array<char, 65536> buffer;
  for (;;) {
    const long got = ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      const auto* one = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += one->d_reclen;
      const std::string_view name(one->d_name);
      if (name == "." || name == "..") continue;
      struct statx st;
      if (::statx(fd, one->d_name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0) ++count;
      if (one->d_type == DT_DIR) subs.emplace_back(name);
    }
  }
  for (const std::string& name : subs) {
    const Fd sub(::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (sub) count += bare_walk(sub.get());
  }
  return count;
}

double time_bare(const std::string& path) {
  const double start = milliseconds();
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  bare_walk(fd.get());
  return milliseconds() - start;
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

ScanRequest archive_request(Compare compare) {
  ScanRequest request;
  request.options.compare = compare;
  request.options.keep = {Keep::Permissions, Keep::Times, Keep::Owner, Keep::Group, Keep::Symlinks};
  request.options.scan = {Scan::Recursive};
  return request;
}

std::size_t heap() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

void report_costs(const Dir& root, const ScanRequest& request) {
  ::malloc_trim(0);
  const std::size_t before = heap();
  const ScanResult tree = scan(root, request);
  const double entries = static_cast<double>(tree.entries.list.size());
  std::printf("memory: %.1f bytes an entry\n", static_cast<double>(heap() - before) / entries);
  double start = milliseconds();
  const Digest digest = generation(tree.entries, request.options);
  std::printf("generation %s: %.1f ms\n", to_hex(digest).c_str(), milliseconds() - start);
  start = milliseconds();
  scan(root, archive_request(Compare::Content));
  std::printf("scan with every digest: %.1f ms\n", milliseconds() - start);
}

int run(const std::string& path, unsigned long files, int rounds) {
  const Dir root = Dir::open_root(path);
  if (is_empty(root)) make_tree(root, files);
  const ScanRequest request = archive_request(Compare::Quick);
  std::vector<double> bare;
  std::vector<double> ours;
  std::size_t entries = 0;
  time_bare(path);
  for (int i = 0; i < rounds; ++i) {
    bare.push_back(time_bare(path));
    const double start = milliseconds();
    const ScanResult tree = scan(root, request);
    ours.push_back(milliseconds() - start);
    entries = tree.entries.list.size();
  }
  const double share = median(bare) / median(ours);
  std::printf("%zu entries: bare walk %.1f ms, scan %.1f ms: %.0f %% of its speed (goal 80 %%)\n",
              entries, median(bare), median(ours), share * 100);
  report_costs(root, request);
  return share >= 0.8 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: scan_bench ROOT [FILES [ROUNDS]]\n", stderr);
    return 1;
  }
  try {
    const auto files = xs::parse_number(argc > 2 ? argv[2] : "100000");
    const auto rounds = xs::parse_number(argc > 3 ? argv[3] : "9");
    return run(argv[1], files.value_or(0), static_cast<int>(rounds.value_or(9)));
  } catch (const xs::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return xs::exit_code(error.fault());
  }
}
