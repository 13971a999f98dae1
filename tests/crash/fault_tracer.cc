// SPDX-License-Identifier: MIT
#include "tests/crash/fault_tracer.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "base/clock.h"
#include "base/error.h"

namespace xs::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);  // what runs for so long hangs
constexpr std::size_t kPart = 64 * 1024;              // at most, of a shortened call

// In the child, between fork and exec: allocates nothing that matters, sends the listener away.
// The calls of the table ask, all others pass.
void install_filter(int channel) {
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  const auto& kinds = call_kinds();
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto ahead = static_cast<std::uint8_t>(kinds.size() - i);
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(kinds[i].number), ahead, 0));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  auto listener = static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
  if (listener < 0) ::_exit(126);
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &listener, sizeof listener);
  if (::sendmsg(channel, &message, 0) != 1) ::_exit(126);
}

Fd receive_listener(int channel) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(&message) == nullptr)
    throw Error(Fault::Io, "the kernel gave no listener for the program's system calls");
  int listener = -1;
  std::memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof listener);
  return Fd(listener);
}

pid_t process_of(pid_t task) {
  std::ifstream status("/proc/" + std::to_string(task) + "/status");
  for (std::string word; status >> word;) {
    pid_t process = 0;
    if (word == "Tgid:" && status >> process) return process;
  }
  return 0;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool reads(const Call& call) {
  return call.kind->number == SYS_read || call.kind->number == SYS_pread64;
}

}  // namespace

bool FaultTracer::possible(std::string& why) {
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) {
    why = "this kernel has no seccomp user notification";
    return false;
  }
  const Fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  const Fd copy(self ? static_cast<int>(::syscall(SYS_pidfd_getfd, self.get(), self.get(), 0))
                     : -1);
  if (!copy) why = "this kernel has no pidfd_getfd (Linux 5.6), or forbids it";
  return static_cast<bool>(copy);
}

bool FaultTracer::is_ours(pid_t task) {
  const auto [at, is_new] = of_client_.try_emplace(task, false);
  if (is_new) at->second = task == client_ || process_of(task) == client_;
  return at->second == (injection_->side == Side::Client);
}

// A call that is interrupted is tried again, so for ever would mean for ever; and to a rhythm, two
// calls of one attempt could fail in turn.
bool FaultTracer::fails(const Call& call) {
  const std::uint64_t now = watched_.calls.size();
  if (injection_->at == 0 || now < injection_->at || !call.can(injection_->failure)) return false;
  const bool libraries = call.is_file() && call.subject.rfind(injection_->within, 0) != 0;
  if (libraries && invisible(injection_->failure)) return false;
  if (!injection_->persistent) return now == injection_->at;
  return injection_->failure != EINTR || random_() % 2 == 0;
}

// Reads or writes a part for the program, on its own open file. Not done where that could block.
std::int64_t FaultTracer::do_part(pid_t task, const Call& call, bool& done) const {
  done = false;
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, process_of(task), 0)));
  if (!process) return 0;
  const Fd file(static_cast<int>(
      ::syscall(SYS_pidfd_getfd, process.get(), static_cast<int>(call.args[0]), 0)));
  const bool plain = file && (call.is_file() || (::fcntl(file.get(), F_GETFL) & O_NONBLOCK) != 0);
  if (!plain) return 0;
  const std::size_t wanted = std::min<std::uint64_t>(call.args[2], kPart);
  std::vector<char> bytes(injection_->persistent ? (wanted + 1) / 2 : 1);
  iovec here{bytes.data(), bytes.size()};
  iovec there{reinterpret_cast<void*>(call.args[1]), bytes.size()};
  const auto offset = static_cast<off_t>(call.args[3]);
  ssize_t moved = 0;
  if (reads(call)) {
    moved = call.kind->number == SYS_read ? ::read(file.get(), bytes.data(), bytes.size())
                                          : ::pread(file.get(), bytes.data(), bytes.size(), offset);
    here.iov_len = there.iov_len = static_cast<std::size_t>(std::max<ssize_t>(moved, 0));
    if (moved > 0 && ::process_vm_writev(task, &here, 1, &there, 1, 0) != moved)
      throw_errno("process_vm_writev", "a part of a read");
  } else {
    if (::process_vm_readv(task, &here, 1, &there, 1, 0) != static_cast<ssize_t>(bytes.size()))
      throw_errno("process_vm_readv", "a part of a write");
    moved = call.kind->number == SYS_write
                ? ::write(file.get(), bytes.data(), bytes.size())
                : ::pwrite(file.get(), bytes.data(), bytes.size(), offset);
  }
  done = true;
  return moved < 0 ? -errno : moved;
}

void FaultTracer::answer(int listener) {
  seccomp_notif asked{};
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
    if (errno == ENOENT || errno == EINTR) return;  // it was killed meanwhile
    throw_errno("ioctl", "a system call of the program");
  }
  seccomp_notif_resp reply{};
  reply.id = asked.id;
  reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  const auto task = static_cast<pid_t>(asked.pid);
  if (is_ours(task)) {
    std::uint64_t args[6];
    std::copy(std::begin(asked.data.args), std::end(asked.data.args), std::begin(args));
    Call call = describe_call(task, asked.data.nr, args);
    started_ = started_ || (call.kind->names == Names::At && call.kind->number == SYS_openat &&
                            ends_with(call.subject, '/' + injection_->start));
    if (started_) {
      watched_.calls.push_back(call);
      if (fails(call)) {
        bool done = true;
        const std::int64_t value =
            injection_->failure == kShort ? do_part(task, call, done) : -injection_->failure;
        if (done) {
          reply.flags = 0;
          reply.error = static_cast<std::int32_t>(std::min<std::int64_t>(value, 0));
          reply.val = std::max<std::int64_t>(value, 0);
          watched_.failed.push_back(std::move(call));
        }
      }
    }
  }
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) != 0 && errno != ENOENT)
    throw_errno("ioctl", "an answer to a system call");
}

Watched FaultTracer::watch(const std::vector<std::string>& argv, const Injection& injection) {
  injection_ = &injection;
  watched_ = {};
  started_ = false;
  random_.seed();
  of_client_.clear();
  std::array<int, 2> raw{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw.data()) != 0)
    throw_errno("socketpair", "a listener");
  const Fd ours(raw[0]);
  Fd theirs(raw[1]);
  client_ = start(argv, [&] { install_filter(theirs.get()); });
  theirs = Fd();
  const Fd listener = receive_listener(ours.get());
  SteadyClock clock;
  const Instant deadline = clock.now() + kPatience;
  // Hung up: neither the program nor anything that it started lives any more.
  for (;;) {
    pollfd wanted{listener.get(), POLLIN, 0};
    if (clock.poll({&wanted, 1}, deadline) == 0) {
      watched_.hung = true;
      ::kill(client_, SIGKILL);
      break;
    }
    if ((wanted.revents & POLLIN) != 0)
      answer(listener.get());
    else if ((wanted.revents & POLLHUP) != 0)
      break;
  }
  Ended ended;
  if (::waitpid(client_, &ended.status, 0) != client_) throw_errno("waitpid", argv[0]);
  watched_.ended = collect(std::move(ended));
  return std::move(watched_);
}

}  // namespace xs::test
