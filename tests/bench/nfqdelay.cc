// SPDX-License-Identifier: MIT
// nfqdelay: holds every packet of a netfilter queue for a while, then lets it pass, in order. It
// stands in for a long way on loopback where `tc netem` is missing: TCP itself is delayed, its
// hand-shake and its acknowledgements included, and thousands of packets may be under way. There is
// neither loss nor a limit of bandwidth.
//   nfqdelay QUEUE ONE_WAY_MS    prints "ready" once the queue is bound; ends at a signal
// In a network namespace of one's own:
//   iptables-legacy -A INPUT -p tcp --dport PORT -j NFQUEUE --queue-num QUEUE    (and --sport)
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace {

using namespace xs;

constexpr int kSocketBuffer = 64 << 20;
constexpr std::uint32_t kQueueLength = 1U << 20;

// One message to the kernel: a netlink header, nfnetlink's own, and attributes.
class Request {
 public:
  Request(std::uint16_t queue, int type, int flags) {
    head().nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type);
    head().nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    head().nlmsg_len = NLMSG_LENGTH(sizeof(nfgenmsg));
    nfgenmsg body{AF_UNSPEC, NFNETLINK_V0, htons(queue)};
    std::memcpy(bytes_.data() + NLMSG_HDRLEN, &body, sizeof body);
  }

  template <class Value>
  Request& with(std::uint16_t type, const Value& value) {
    static_assert(sizeof value <= 16);  // of which three fit
    const nlattr attribute{static_cast<std::uint16_t>(NLA_HDRLEN + sizeof value), type};
    char* at = bytes_.data() + NLMSG_ALIGN(head().nlmsg_len);
    std::memcpy(at, &attribute, sizeof attribute);
    std::memcpy(at + NLA_HDRLEN, &value, sizeof value);
    head().nlmsg_len = NLMSG_ALIGN(head().nlmsg_len) + NLA_ALIGN(attribute.nla_len);
    return *this;
  }

  void send(int fd) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const auto* to = reinterpret_cast<const sockaddr*>(&kernel);
    if (::sendto(fd, bytes_.data(), head().nlmsg_len, 0, to, sizeof kernel) < 0) {
      throw_errno("sendto", "netlink");
    }
  }

 private:
  nlmsghdr& head() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }

  alignas(nlmsghdr) std::array<char, 128> bytes_{};
};

// The number of the packet that a message of the kernel announces.
std::optional<std::uint32_t> packet_id(const nlmsghdr* message) {
  if ((message->nlmsg_type & 0xff) != NFQNL_MSG_PACKET) return std::nullopt;
  const char* at = reinterpret_cast<const char*>(message) + NLMSG_LENGTH(sizeof(nfgenmsg));
  const char* end = reinterpret_cast<const char*>(message) + message->nlmsg_len;
  while (end - at >= NLA_HDRLEN) {
    nlattr attribute;
    std::memcpy(&attribute, at, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR) {
      nfqnl_msg_packet_hdr header;
      std::memcpy(&header, at + NLA_HDRLEN, sizeof header);
      return ntohl(header.packet_id);
    }
    at += NLA_ALIGN(attribute.nla_len);
  }
  return std::nullopt;
}

class DelayQueue {
 public:
  DelayQueue(std::uint16_t queue, Duration delay) : queue_(queue), delay_(delay) {
    fd_ = Fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!fd_) throw_errno("socket", "netfilter");
    set_option(SOL_SOCKET, SO_RCVBUFFORCE, kSocketBuffer);
    set_option(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
    bind();
    // Only the headers of a packet are copied to us, and a large one stays in one piece.
    configure(Request(queue_, NFQNL_MSG_CONFIG, NLM_F_ACK)
                  .with(NFQA_CFG_PARAMS, nfqnl_msg_config_params{0, NFQNL_COPY_META})
                  .with(NFQA_CFG_QUEUE_MAXLEN, htonl(kQueueLength)));
    configure(Request(queue_, NFQNL_MSG_CONFIG, NLM_F_ACK)
                  .with(NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO))
                  .with(NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO)));
  }

  [[noreturn]] void run() {
    for (;;) {
      release_due();
      pollfd one{fd_.get(), POLLIN, 0};
      if (clock_.poll({&one, 1}, held_.empty() ? Instant::max() : held_.front().due) > 0) take();
    }
  }

 private:
  struct Packet {
    Instant due;
    std::uint32_t id;
  };

  void set_option(int level, int option, int value) {
    if (::setsockopt(fd_.get(), level, option, &value, sizeof value) != 0) {
      throw_errno("setsockopt", "netlink");
    }
  }

  void bind() {
    nfqnl_msg_config_cmd command{};
    command.command = NFQNL_CFG_CMD_BIND;
    command.pf = htons(AF_INET);
    configure(Request(queue_, NFQNL_MSG_CONFIG, NLM_F_ACK).with(NFQA_CFG_CMD, command));
  }

  void configure(Request& request) {
    request.send(fd_.get());
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) throw_errno("recv", "netlink");
    const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    const auto* verdict = reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(answer));
    if (answer->nlmsg_type == NLMSG_ERROR && verdict->error != 0) {
      throw_errno("configure", "netfilter queue", -verdict->error);
    }
  }

  // One verdict covers every packet up to its number.
  void release_due() {
    const Instant now = clock_.now();
    std::optional<std::uint32_t> last;
    for (; !held_.empty() && held_.front().due <= now; held_.pop_front()) last = held_.front().id;
    if (!last) return;
    const nfqnl_msg_verdict_hdr verdict{htonl(NF_ACCEPT), htonl(*last)};
    Request(queue_, NFQNL_MSG_VERDICT_BATCH, 0).with(NFQA_VERDICT_HDR, verdict).send(fd_.get());
  }

  void take() {
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) throw_errno("recv", "netlink");
    const Instant due = clock_.now() + delay_;
    auto left = static_cast<std::size_t>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (const auto id = packet_id(message)) held_.push_back({due, *id});
    }
  }

  SteadyClock clock_;
  std::uint16_t queue_;
  Duration delay_;
  Fd fd_;
  std::deque<Packet> held_;
  alignas(nlmsghdr) std::array<char, std::size_t{1} << 16> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: nfqdelay QUEUE ONE_WAY_MS\n", stderr);
    return 1;
  }
  try {
    const std::chrono::duration<double, std::milli> delay(std::strtod(argv[2], nullptr));
    DelayQueue queue(static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)),
                     std::chrono::duration_cast<Duration>(delay));
    std::puts("ready");
    std::fflush(stdout);
    queue.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nfqdelay: %s\n", error.what());
    return 1;
  }
}
