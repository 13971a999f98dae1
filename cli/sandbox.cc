// SPDX-License-Identifier: MIT
#include "cli/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "sync/dir.h"

namespace xs::cli {
namespace {

#ifdef XS_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// From the kernel's landlock.h, whose newer parts the distribution's header lacks.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskAbi = 1;
constexpr int kPathBeneath = 1;
constexpr std::uint64_t kReadFile = 1U << 2;
constexpr std::uint64_t kReadDir = 1U << 3;

struct Ruleset {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};
struct [[gnu::packed]] PathRule {
  std::uint64_t allowed;
  std::int32_t parent;
};

constexpr std::size_t kDescriptors = 256;  // a scan holds 64 directories
// The id that nobody can have: systemd's module answers it at once, others it looks up in eight
// directories.
constexpr uid_t kNobodysId = static_cast<uid_t>(-1);

[[noreturn]] void refuse(std::string_view call, std::string_view what) {
  throw_errno(Fault::Start, call, what);
}

// Each rung: what the ABI of this number can deny.
Ruleset deniable(long abi) {
  Ruleset rules{(1U << 13) - 1, 0, 0};
  if (abi >= 2) rules.files |= 1U << 13;  // linking and renaming across directories
  if (abi >= 3) rules.files |= 1U << 14;  // truncating
  if (abi >= 4) rules.network = 3;        // TCP: binding, connecting
  if (abi >= 5) rules.files |= 1U << 15;  // ioctl of devices
  if (abi >= 6) rules.scoped = 3;         // abstract sockets and signals outside
  return rules;
}

std::size_t size_of_ruleset(long abi) { return abi >= 6 ? 24 : abi >= 4 ? 16 : 8; }

void allow(const Fd& ruleset, const Fd& path, std::uint64_t rights, const std::string& what) {
  const PathRule rule{rights, path.get()};
  if (::syscall(kAddRule, ruleset.get(), kPathBeneath, &rule, 0) != 0)
    refuse("landlock_add_rule", what);
}

void allow_root(const Fd& ruleset, const std::string& root) {
  try {
    const Dir dir = Dir::open_root(root);
    const Fd held(::open(dir.proc_path(Dir::kSelf).c_str(), O_PATH | O_CLOEXEC));
    if (!held) refuse("open", root);
    allow(ruleset, held, kReadFile | kReadDir, root);
  } catch (const Error& error) {
    if (error.fault() == Fault::Start) throw;  // otherwise the client will hear why
  }
}

void allow_file(const Fd& ruleset, const std::string& path, std::uint64_t rights = kReadFile) {
  const Fd held(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (held) allow(ruleset, held, rights, path);
}

long restrict_files(const SandboxRequest& request) {
  const long abi = ::syscall(kCreateRuleset, nullptr, 0, kAskAbi);
  if (abi < 1) return 0;  // not built in, or switched off
  const Ruleset rules = deniable(abi);
  const Fd ruleset(static_cast<int>(::syscall(kCreateRuleset, &rules, size_of_ruleset(abi), 0)));
  if (!ruleset) refuse("landlock_create_ruleset", "the sandbox");
  for (const std::string& root : request.roots) allow_root(ruleset, root);
  for (const std::string& file : request.files) allow_file(ruleset, file);
  // Look-ups of names read these every time.
  for (const char* file : {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"})
    allow_file(ruleset, file);
  allow_file(ruleset, "/var/lib/sss/mc", kReadFile | kReadDir);
  if (kSanitized) allow_file(ruleset, "/proc", kReadFile | kReadDir);
  if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0) refuse("landlock_restrict_self", "");
  return abi;
}

using Resource = decltype(RLIMIT_AS);

void limit(Resource resource, rlim_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) refuse("getrlimit", "");
  now.rlim_max = std::min(now.rlim_max, value);
  now.rlim_cur = std::min(now.rlim_cur, now.rlim_max);
  if (::setrlimit(resource, &now) != 0) refuse("setrlimit", "");
}

void limit_resources(const SandboxRequest& request) {
  std::signal(SIGXFSZ, SIG_IGN);  // a write that is too much shall fail, with its error
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, kDescriptors);
  if (request.cpu.count() > 0) limit(RLIMIT_CPU, static_cast<rlim_t>(request.cpu.count()));
  if (kSanitized) return;  // they map terabytes, fork at the end, and write reports
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_NPROC, 0);
  if (request.memory > 0) limit(RLIMIT_AS, request.memory);
}

// The C library loads its modules for names (nsswitch.conf) when they are first needed, and cannot
// do so later. An id that nobody has goes through all of them.
void load_name_services() {
  std::array<char, 16384> buffer{};
  passwd user{};
  passwd* found_user = nullptr;
  (void)::getpwuid_r(kNobodysId, &user, buffer.data(), buffer.size(), &found_user);
  group team{};
  group* found_team = nullptr;
  (void)::getgrgid_r(kNobodysId, &team, buffer.data(), buffer.size(), &found_team);
}

}  // namespace

SandboxReport enter_sandbox(const SandboxRequest& request) {
  load_name_services();
  limit_resources(request);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) refuse("prctl", "PR_SET_NO_NEW_PRIVS");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) refuse("prctl", "PR_SET_DUMPABLE");
  SandboxReport report;
  report.landlock_abi = restrict_files(request);
  if (report.landlock_abi == 0) report.missing = "Landlock";
  report.seccomp = !kSanitized && restrict_system_calls();
  if (!report.seccomp) report.missing += report.missing.empty() ? "seccomp" : " and seccomp";
  return report;
}

}  // namespace xs::cli
