// SPDX-License-Identifier: MIT
// Sandbox: takes from this process, for good, what serving a tree does not need. Entered by the
// server before it parses the first byte of its client. What the kernel or the architecture lacks
// is left out and named in the report; what it has and refuses to do is an Error of class Start,
// and then nothing must be served.
//   rlimits    memory, CPU time, descriptors; no new process, no file growth, no core
//   Landlock   reading below the roots and what look-ups of owner names need; no TCP, no signals
//              and no abstract sockets outside (as far as the kernel's ABI goes)
//   seccomp    an allow list of system calls: no exec, fork, socket, open for writing, ptrace
// A call that is not allowed fails with EPERM and is logged by the audit system; it does not kill:
// what was denied did not happen either way, and a gap in the list ends the session with an error
// that names the call to the client instead of a connection that just breaks. System calls newer
// than this list give ENOSYS, so that a newer C library falls back to the ones it knew.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace xs::cli {

struct SandboxRequest {
  std::vector<std::string> roots;  // directories to read below; one that is missing is left out
  std::vector<std::string> files;  // to read besides
  std::uint64_t memory = 0;        // bytes of address space; 0: no limit
  std::chrono::seconds cpu{0};     // 0: no limit
};

struct SandboxReport {
  long landlock_abi = 0;  // 0: the kernel has none
  bool seccomp = false;
  std::string missing;  // what is not there, for the log; empty: nothing
};

SandboxReport enter_sandbox(const SandboxRequest& request);

// The second half, in sandbox_seccomp.cc. False where there is no list for this architecture, or no
// such kernel.
bool restrict_system_calls();

}  // namespace xs::cli
