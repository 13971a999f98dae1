// SPDX-License-Identifier: MIT
// Everything that can break between two programs: each ends with its fault, in time.
#include <sys/socket.h>

#include <csignal>

#include "protocol/tcp_connect.h"
#include "tests/integration/pump.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/relay.h"
#include "tests/support/rude_server.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"

namespace xs::test {
namespace {

using namespace std::chrono_literals;

struct Timed {
  Error error;
  Duration took;
};

Timed timed_error(const SshTarget& target, const Deadlines& deadlines) {
  SteadyClock clock;
  const Instant start = clock.now();
  Error error = error_of([&] { open_ssh(target, deadlines, clock); });
  return {std::move(error), clock.now() - start};
}

}  // namespace

TEST_CASE("ssh: a port on which nobody listens is a network fault", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  target.port = free_port();
  const Timed timed = timed_error(target, Deadlines{});
  INFO(timed.error.text());
  REQUIRE(timed.error.fault() == Fault::Network);
  REQUIRE(timed.took < 2s);
}

TEST_CASE("ssh: a listener that stays silent is left at the login's deadline", "[integration]") {
  Sshd sshd;
  const SilentPort silent;
  Deadlines deadlines;
  deadlines.login = 300ms;
  const Timed timed = timed_error(sshd.behind(silent.port(), "true"), deadlines);
  INFO(timed.error.text());
  REQUIRE(timed.error.fault() == Fault::Timeout);
  REQUIRE(timed.took >= 300ms);
  REQUIRE(timed.took < 2s);
}

TEST_CASE("ssh: the total deadline also bounds a login", "[integration]") {
  Sshd sshd;
  const SilentPort silent;
  Deadlines deadlines;
  deadlines.total = 200ms;
  const Timed timed = timed_error(sshd.behind(silent.port(), "true"), deadlines);
  REQUIRE(timed.error.fault() == Fault::Timeout);
  REQUIRE(timed.took < 2s);
}

TEST_CASE("ssh: a login that stalls or is cut anywhere ends in time", "[integration]") {
  Sshd sshd;
  RelayPlan plan;
  const std::uint64_t at = GENERATE(1U, 20U, 45U, 500U, 1100U, 1500U, 1700U, 2000U);
  const int how = GENERATE(0, 1, 2);
  INFO("byte " << at << ", way " << how);
  (how == 0 ? plan.stall_after : plan.cut_after) = at;
  plan.cut = how == 1 ? RelayPlan::Cut::Reset : RelayPlan::Cut::End;
  const Relay relay(sshd.port(), plan);
  Deadlines deadlines;
  deadlines.login = 400ms;
  deadlines.close = 100ms;
  SteadyClock clock;
  const Instant start = clock.now();
  try {
    const auto stream = open_ssh(sshd.behind(relay.port(), "cat /dev/zero"), deadlines, clock);
    read_to_end(*stream, clock, 400ms);
    FAIL("there is no end");
  } catch (const Error& error) {
    INFO(error.text());
    const Fault fault = error.fault();
    REQUIRE((fault == Fault::Timeout || fault == Fault::Network || fault == Fault::Auth ||
             fault == Fault::Stream));
  }
  REQUIRE(clock.now() - start < 3s);
}

TEST_CASE("ssh: a connection that is cut in mid-stream is a stream fault", "[integration]") {
  Sshd sshd;
  RelayPlan plan;
  plan.cut_after = GENERATE(100'000U, 1'000'001U);
  plan.cut = GENERATE(RelayPlan::Cut::Reset, RelayPlan::Cut::End);
  const Relay relay(sshd.port(), plan);
  SteadyClock clock;
  const auto stream = open_ssh(sshd.behind(relay.port(), "cat /dev/zero"), Deadlines{}, clock);
  const Error error = error_of([&] { read_to_end(*stream, clock); });
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Stream);
  REQUIRE(stream->last_words().empty());
  REQUIRE(error_of([&] { write_all(*stream, "more", clock); }).fault() == Fault::Stream);
}

TEST_CASE("ssh: a stalled connection holds neither reader nor destructor", "[integration]") {
  Sshd sshd;
  RelayPlan plan;
  plan.stall_after = 200'000;
  const Relay relay(sshd.port(), plan);
  SteadyClock clock;
  Deadlines deadlines;
  deadlines.close = 200ms;
  auto stream = open_ssh(sshd.behind(relay.port(), "cat /dev/zero"), deadlines, clock);
  REQUIRE(error_of([&] { read_to_end(*stream, clock, 500ms); }).fault() == Fault::Timeout);
  const Instant start = clock.now();
  stream.reset();
  REQUIRE(clock.now() - start < 1s);
}

// libssh makes the socket blocking; where we did not undo that, this would never end.
TEST_CASE("ssh: a peer that takes nothing more holds no writer", "[integration]") {
  Sshd sshd;
  RelayPlan plan;
  plan.stall_after = 20'000;
  plan.small_buffer = true;
  const Relay relay(sshd.port(), plan);
  SteadyClock clock;
  const Instant patience = clock.now() + 10s;
  const SshTarget target = complete(sshd.behind(relay.port(), "cat /dev/zero"));
  Fd connection = tcp_connect(target.host, target.port, target.family, clock, patience);
  const int little = 8192;
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  auto stream =
      std::make_unique<SshStream>(ssh_login(target, std::move(connection), clock, patience),
                                  target.command, clock, 200ms, patience);
  REQUIRE(error_of([&] { read_to_end(*stream, clock, 300ms); }).fault() == Fault::Timeout);
  const std::string bytes(std::size_t{8} << 20, 'x');
  const Instant start = clock.now();
  REQUIRE(error_of([&] { write_all(*stream, bytes, clock, 300ms); }).fault() == Fault::Timeout);
  stream.reset();
  REQUIRE(clock.now() - start < 2s);
}

TEST_CASE("ssh: an sshd that is killed in mid-stream is a stream fault", "[integration]") {
  Sshd sshd;
  SteadyClock clock;
  const auto stream = open_ssh(sshd.target("cat /dev/zero"), Deadlines{}, clock);
  REQUIRE(read_to_end(*stream, clock, 20s, 100'000).size() >= 100'000);
  for (const pid_t pid : descendants(sshd.pid())) ::kill(pid, SIGKILL);
  const Error error = error_of([&] { read_to_end(*stream, clock); });
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Stream);
}

TEST_CASE("ssh: a program that is killed tells its signal", "[integration]") {
  Sshd sshd;
  SteadyClock clock;
  const auto stream = open_ssh(sshd.target("echo before; kill -TERM $$"), Deadlines{}, clock);
  REQUIRE(read_to_end(*stream, clock) == "before\n");
  INFO(stream->last_words());
  REQUIRE(stream->last_words().find("signal TERM") != std::string::npos);
}

TEST_CASE("ssh: a command that is not there leaves status 127 and what the shell said",
          "[integration]") {
  Sshd sshd;
  SteadyClock clock;
  const auto stream = open_ssh(sshd.target("no-such-command-here"), Deadlines{}, clock);
  REQUIRE(read_to_end(*stream, clock).empty());
  const std::string words = stream->last_words();
  INFO(words);
  REQUIRE(words.find("127") != std::string::npos);
  REQUIRE(words.find("no-such-command-here") != std::string::npos);
}

TEST_CASE("ssh: an end before the exit status still gets the exit status", "[integration]") {
  Sshd sshd;
  SteadyClock clock;
  const auto stream =
      open_ssh(sshd.target("echo data; exec >&- 2>&-; read -r line; exit 7"), Deadlines{}, clock);
  REQUIRE(read_to_end(*stream, clock) == "data\n");
  write_all(*stream, "go\n", clock);
  REQUIRE(stream->last_words() == "it ended with status 7");
}

TEST_CASE("ssh: a flood on stderr neither blocks the data nor fills the memory", "[integration]") {
  Sshd sshd;
  SteadyClock clock;
  const auto stream =
      open_ssh(sshd.target("echo first >&2; head -c 20000000 /dev/zero >&2; echo data; exit 3"),
               Deadlines{}, clock);
  REQUIRE(read_to_end(*stream, clock) == "data\n");
  const std::string words = stream->last_words();
  REQUIRE(words.find("first") != std::string::npos);
  REQUIRE(words.find("status 3") != std::string::npos);
  REQUIRE(words.size() < 6 * limits::kStderr);
}

TEST_CASE("ssh: what the server prints on stderr is shown escaped", "[integration]") {
  Sshd sshd;
  SteadyClock clock;
  const auto stream = open_ssh(sshd.target("printf '\\033[31mred\\n' >&2"), Deadlines{}, clock);
  read_to_end(*stream, clock);
  REQUIRE(stream->last_words().find('\033') == std::string::npos);
  REQUIRE(stream->last_words().find("\\#033[31mred") != std::string::npos);
}

TEST_CASE("ssh: a server that opens no session says so", "[integration]") {
  Sshd sshd({{"ed25519"}, {"MaxSessions 0"}});
  const Timed timed = timed_error(sshd.target("true"), Deadlines{});
  INFO(timed.error.text());
  REQUIRE(timed.error.fault() == Fault::Start);
  REQUIRE(has(timed.error, "MaxSessions"));
}

TEST_CASE("ssh: a forced command that fails leaves its status", "[integration]") {
  Sshd sshd({{"ed25519"}, {"ForceCommand /bin/false"}});
  SteadyClock clock;
  const auto stream = open_ssh(sshd.target("true"), Deadlines{}, clock);
  REQUIRE(read_to_end(*stream, clock).empty());
  REQUIRE(stream->last_words() == "it ended with status 1");
}

TEST_CASE("ssh: a forced command runs in place of ours", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("echo ours");
  target.identity_files = {sshd.let_in({}, "restrict,command=\"echo forced\"")};
  SteadyClock clock;
  REQUIRE(read_to_end(*open_ssh(target, Deadlines{}, clock), clock) == "forced\n");
}

TEST_CASE("ssh: a server that refuses the program says so although we did not wait",
          "[integration]") {
  Sshd keys;
  Rudeness rudeness;
  (GENERATE(true, false) ? rudeness.refuse_exec : rudeness.ignore_exec) = true;
  const RudeServer server(keys.dir() / "host_ed25519", rudeness);
  SteadyClock clock;
  const Error error = error_of([&] {
    const auto stream = open_ssh(keys.behind(server.port(), "wanted"), Deadlines{}, clock);
    if (rudeness.refuse_exec) write_all(*stream, "the first frame", clock);
    read_to_end(*stream, clock);
  });
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Start);
  REQUIRE(has(error, "'wanted'"));
}

TEST_CASE("ssh: a channel that the server closes is an end, with all that came before",
          "[integration]") {
  Sshd keys;
  Rudeness rudeness;
  rudeness.say = noise(50'000, 1);
  const RudeServer server(keys.dir() / "host_ed25519", rudeness);
  SteadyClock clock;
  const auto stream = open_ssh(keys.behind(server.port(), "wanted"), Deadlines{}, clock);
  REQUIRE(read_to_end(*stream, clock) == rudeness.say);
  REQUIRE(stream->read_some({}) == 0U);
  // The end of the data comes first, and the close behind it.
  const Error error = error_of([&] {
    for (const Instant end = clock.now() + std::chrono::seconds(10); clock.now() < end;) {
      write_all(*stream, "more", clock);
      clock.poll({}, clock.now() + std::chrono::milliseconds(5));
    }
  });
  REQUIRE(error.fault() == Fault::Stream);
  REQUIRE(stream->last_words().empty());
}

TEST_CASE("ssh: a line that breaks while we wait for the program is a stream fault",
          "[integration]") {
  Sshd keys;
  Rudeness rudeness;
  (GENERATE(true, false) ? rudeness.drop_line : rudeness.disconnect) = true;
  const RudeServer server(keys.dir() / "host_ed25519", rudeness);
  SteadyClock clock;
  const Error error = error_of([&] {
    read_to_end(*open_ssh(keys.behind(server.port(), "wanted"), Deadlines{}, clock), clock);
  });
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Stream);
}

}  // namespace xs::test
