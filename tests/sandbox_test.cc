// SPDX-License-Identifier: MIT
// What the sandbox takes away, tried for real from inside it.
#include "cli/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/fd.h"
#include "sync/attributes.h"
#include "sync/scan.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using cli::enter_sandbox;
using test::TempTree;

namespace {

// Each is a step; the first that does not hold is the child's exit status.
class Steps {
 public:
  void hold(bool fine) {
    ++count_;
    if (!fine && first_ == 0) first_ = count_;
  }
  // A call that must fail with one of these.
  void denied(long result, int one = EPERM, int other = EACCES) {
    const int err = errno;
    hold(result < 0 && (err == one || err == other));
  }
  int result() const { return first_; }

 private:
  int count_ = 0;
  int first_ = 0;
};

struct Inside {
  TempTree tree;
  TempTree outside;

  Inside() {
    tree.file("file", "bytes").dir("dir").file("dir/key", "secret").mode("dir/key", 0644);
    outside.file("other", "not yours");
  }
  cli::SandboxRequest request() const {
    cli::SandboxRequest made;
    made.roots = {tree.path()};
    made.memory = std::uint64_t{1} << 30;
    return made;
  }
};

int files(const Inside& inside) {
  Steps steps;
  // What was opened before, only the filter of system calls can take away.
  const int writable = ::open(inside.tree.path_of("file").c_str(), O_RDWR);
  const auto report = enter_sandbox(inside.request());
  const std::string file = inside.tree.path_of("file");
  const std::string fresh = inside.tree.path_of("new");
  const std::string outside = inside.outside.path_of("other");
  steps.hold(Fd(::open(file.c_str(), O_RDONLY)).get() >= 0);                   // 1
  steps.denied(::open(file.c_str(), O_WRONLY));                                // 2
  steps.denied(::open(file.c_str(), O_RDONLY | O_TRUNC));                      // 3
  steps.denied(::open(fresh.c_str(), O_RDWR | O_CREAT, 0600));                 // 4
  steps.denied(::open(inside.tree.path().c_str(), O_TMPFILE | O_RDWR, 0600));  // 5
  steps.denied(::open(outside.c_str(), O_RDONLY));                             // 6
  steps.denied(::open("/etc/hostname", O_RDONLY));                             // 7
  steps.denied(::open((inside.tree.path() + "/../").c_str(), O_RDONLY));       // 8
  steps.denied(::mkdir(fresh.c_str(), 0700));                                  // 9
  steps.denied(::unlink(file.c_str()));                                        // 10
  steps.denied(::rename(file.c_str(), fresh.c_str()));                         // 11
  steps.denied(::symlink("file", fresh.c_str()));                              // 12
  steps.denied(::link(file.c_str(), fresh.c_str()));                           // 13
  steps.hold(!report.seccomp || writable < 0 ||
             ::pwrite(writable, "longer than before", 18, 5) < 0);  // 14
  return steps.result();
}

int processes(const Inside& inside) {
  Steps steps;
  const pid_t parent = ::getppid();
  const Fd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto report = enter_sandbox(inside.request());
  if (!report.seccomp) return 0;  // sanitizers; files() still holds
  char program[] = "/bin/true";
  char* const argv[] = {program, nullptr};
  steps.denied(::execv(program, argv));  // 1
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  steps.denied(child);                              // 2
  steps.denied(::socket(AF_INET, SOCK_STREAM, 0));  // 3
  steps.denied(::socket(AF_UNIX, SOCK_DGRAM, 0));   // 4
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(22);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  steps.denied(::connect(tcp.get(), to, sizeof address));            // 5
  steps.denied(::bind(tcp.get(), to, sizeof address));               // 6
  steps.denied(::sendto(tcp.get(), "x", 1, 0, to, sizeof address));  // 7
  steps.denied(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));       // 8
  steps.denied(::kill(parent, 0));                                   // 9
  steps.hold(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
             MAP_FAILED);                                            // 10
  steps.denied(::setuid(0));                                         // 11
  steps.denied(::chmod(inside.tree.path_of("file").c_str(), 0777));  // 12
  rlimit more{RLIM_INFINITY, RLIM_INFINITY};
  steps.denied(::setrlimit(RLIMIT_AS, &more));           // 13
  steps.hold(::syscall(447, 0) < 0 && errno == ENOSYS);  // 14
  return steps.result();
}

int memory(const Inside& inside) {
  if (!enter_sandbox(inside.request()).seccomp) return 0;
  const std::unique_ptr<char[]> much(new (std::nothrow) char[std::size_t{2} << 30]);
  return much ? 1 : 0;
}

// What serving needs.
int serving(const Inside& inside) {
  Steps steps;
  const uid_t us = ::getuid();
  const std::string name = ::getpwuid(us)->pw_name;
  enter_sandbox(inside.request());
  ScanRequest request;
  request.options.keep = {Keep::Owner, Keep::Group, Keep::Acls, Keep::Xattrs};
  request.options.scan = {Scan::Recursive};
  const ScanResult found = scan(Dir::open_root(inside.tree.path()), request);
  steps.hold(found.entries.list.size() == 4);  // 1
  steps.hold(found.problems.empty());          // 2
  bool all = true;
  for (const Entry& entry : found.entries.list) {
    all = all && (entry.type == EntryType::Dir || entry.digest);
    all = all && !found.entries.users.at(entry.owner).name.empty();
  }
  steps.hold(all);  // 3
  const Entry& file = found.entries.list.back();
  steps.hold(file.path == "file");                                    // 4
  steps.hold(file.xattrs.empty() || file.xattrs[0].value == "kept");  // 5
  steps.hold(inside.tree.stat("file").st_uid != us ||
             found.entries.users.at(file.owner).name == name);  // 6
  return steps.result();
}

using Body = int (*)(const Inside&);

}  // namespace

TEST_CASE("sandbox: nothing is written, and nothing outside of the roots is read", "[cli]") {
  const Inside inside;
  CHECK(test::in_child([&] { return files(inside); }) == 0);
  CHECK(test::as_nobody([&] { return files(inside); }) == 0);
  CHECK(inside.tree.read("file") == "bytes");
}

TEST_CASE("sandbox: no program, no process, no connection, no other process is reached", "[cli]") {
  const Inside inside;
  CHECK(test::in_child([&] { return processes(inside); }) == 0);
  CHECK(test::as_nobody([&] { return processes(inside); }) == 0);
}

TEST_CASE("sandbox: memory beyond the limit is refused", "[cli]") {
  const Inside inside;
  CHECK(test::in_child([&] { return memory(inside); }) == 0);
}

TEST_CASE("sandbox: a tree with owners, attributes and contents is still served", "[cli]") {
  const Inside inside;
  const std::string file = inside.tree.path_of("file");
  (void)::setxattr(file.c_str(), "user.test", "kept", 4, 0);  // where the file system has them
  CHECK(test::in_child([&] { return serving(inside); }) == 0);
  CHECK(test::as_nobody([&] { return serving(inside); }) == 0);
}

TEST_CASE("sandbox: it is entered whole where the kernel has it, and the report says so", "[cli]") {
  const Inside inside;
  const auto complete = [&] {
    const auto report = enter_sandbox(inside.request());
    return report.missing.empty() == (report.landlock_abi > 0 && report.seccomp) ? 0 : 1;
  };
  CHECK(test::in_child(complete) == 0);
  CHECK(test::in_child([&] {
          cli::SandboxRequest request = inside.request();
          request.roots.push_back("/nowhere/at all");
          request.files = {"/nowhere/either"};
          enter_sandbox(request);
          return 0;
        }) == 0);
}

TEST_CASE("sandbox: an assertion that fails still ends the process", "[cli]") {
  const Inside inside;
  CHECK(test::in_child([&]() -> int {
          std::signal(SIGABRT, SIG_DFL);  // Catch2 has one of its own
          enter_sandbox(inside.request());
          std::abort();
        }) == 102);
}
