// SPDX-License-Identifier: MIT
// The two programs over a real sshd, as a user meets them.
#include <fcntl.h>

#include "base/io.h"
#include "protocol/channel.h"
#include "protocol/transport.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/sshd.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

const std::string kDone = "it ended with status 0";

struct Primary {
  test::Sshd sshd;
  std::string known_hosts = sshd.dir() / "accepted";
  std::string key;

  explicit Primary(const std::string& server = XS_SERVER) {
    key = sshd.let_in({}, "restrict,command=\"" + server + "\"");
    accept(sshd.host_key());
  }
  void accept(const std::string& host_key) {
    sshd.dir().write("accepted",
                     "[127.0.0.1]:" + std::to_string(sshd.port()) + " " + host_key + "\n");
  }
  std::string shell() const {
    return "ssh -p " + std::to_string(sshd.port()) + " -i " + key +
           " -o UserKnownHostsFile=" + known_hosts;
  }
  test::Outcome probe(std::vector<std::string> more = {}) const {
    std::vector<std::string> argv{XS_CLIENT, "probe", "-e", shell(), "127.0.0.1"};
    argv.insert(argv.end(), more.begin(), more.end());
    return test::run_program(argv);
  }
  test::Outcome trust(std::vector<std::string> more = {}) const {
    std::vector<std::string> argv{XS_CLIENT, "trust", "--known-hosts", known_hosts,
                                  "127.0.0.1:" + std::to_string(sshd.port())};
    argv.insert(argv.end(), more.begin(), more.end());
    return test::run_program(argv);
  }
  std::string fingerprint_of_host() const {
    const std::string line = test::run({"ssh-keygen", "-lf", sshd.dir() / "host_ed25519.pub"});
    const std::size_t begin = line.find("SHA256:");
    return line.substr(begin, line.find(' ', begin) - begin);
  }
};

}  // namespace

TEST_CASE("session: probe logs in, shakes hands and gets its bytes back", "[integration]") {
  const Primary primary;
  const test::Outcome outcome = primary.probe({"--bytes", "100000"});
  INFO(outcome.out << outcome.end);
  CHECK(outcome.end == kDone);
  CHECK_THAT(outcome.out, Contains("hello           xroad-sync-server") && Contains("zstd") &&
                              Contains("100000 bytes there and back, unchanged"));
}

TEST_CASE(
    "session: the guide's -e works, and so does a remote shell that only a program can honour",
    "[integration]") {
  const Primary primary;
  for (const std::string& more :
       {std::string(" -o ConnectTimeout=5 "), std::string(" -F none -o LogLevel=ERROR")}) {
    const test::Outcome outcome = test::run_program(
        {XS_CLIENT, "probe", "-e", primary.shell() + more, "--bytes", "1000", "127.0.0.1"});
    INFO(more << "\n" << outcome.out << outcome.end);
    CHECK(outcome.end == kDone);
  }
}

TEST_CASE("session: a login shell that prints something is quoted, with what to do",
          "[integration]") {
  const Primary primary("echo 'Welcome to ss1'; exec " XS_SERVER);
  const test::Outcome outcome = primary.probe();
  CHECK_THAT(outcome.end, Contains("printed \"Welcome to ss1") && Contains("must print nothing") &&
                              Contains("status 2"));
}

TEST_CASE("session: another program in the server's place is named as such", "[integration]") {
  const Primary talks("echo this account is closed");
  CHECK_THAT(talks.probe().end, Contains("not xroad-sync-server") &&
                                    Contains("this account is closed") && Contains("status 2"));
  const Primary missing("/nowhere/xroad-sync-server");
  const test::Outcome outcome = missing.probe();
  CHECK_THAT(outcome.end,
             Contains("before it said anything") && Contains("127") && Contains("status 5"));
}

TEST_CASE("session: the server takes nothing from the command that the client asks for",
          "[integration]") {
  const Primary primary;
  const std::string planted = primary.sshd.dir() / "planted";
  const test::Outcome outcome = primary.probe({"--rsync-path", "touch " + planted, "--bytes", "0"});
  CHECK(outcome.end == kDone);
  CHECK_FALSE(open_if_exists(planted, O_RDONLY));
}

TEST_CASE("session: a tree that the server does not serve is refused with the server's reason",
          "[integration]") {
  const Primary primary;
  SteadyClock clock;
  TransportOptions options;
  options.remote_shell = primary.shell();
  const auto stream = open_transport(parse_endpoint("127.0.0.1"), options, clock);
  Channel channel(*stream, Side::Client, clock, options.deadlines, clock.now() + 30s);
  Hello hello;
  hello.root = "/root/secrets";
  try {
    channel.connect(hello);
    FAIL("welcomed");
  } catch (const Error& error) {
    CHECK(error.fault() != Fault::Stream);
    CHECK_THAT(error.text(), Contains("the server gave up") && Contains("/root/secrets"));
  }
}

TEST_CASE("session: trust writes only what was agreed to", "[integration]") {
  Primary primary;
  SECTION("a key that is known already changes nothing") {
    const std::string before = read_file(primary.known_hosts, 10'000);
    CHECK_THAT(primary.trust({"--fingerprint", "SHA256:other"}).out, Contains("trusted already"));
    CHECK(read_file(primary.known_hosts, 10'000) == before);
  }
  SECTION("a new host, by its fingerprint, beside what was there") {
    primary.sshd.dir().write("accepted", "# ours\nother " + primary.sshd.host_key());
    CHECK_THAT(primary.probe().end, Contains("is unknown") && Contains("status 41"));
    primary.sshd.dir().write("accepted.new", "left by a run that was cut off");
    const test::Outcome outcome = primary.trust({"--fingerprint", primary.fingerprint_of_host()});
    CHECK(outcome.end == kDone);
    CHECK_THAT(outcome.out, Contains(primary.fingerprint_of_host()));
    CHECK_THAT(read_file(primary.known_hosts, 10'000), Catch::StartsWith("# ours\nother "));
    CHECK(primary.probe({"--bytes", "0"}).end == kDone);
  }
  SECTION("neither a wrong fingerprint nor a missing terminal writes anything") {
    primary.sshd.dir().write("accepted", "");
    CHECK_THAT(primary.trust({"--fingerprint", "SHA256:other"}).end,
               Contains("nothing was written") && Contains("status 41"));
    CHECK_THAT(primary.trust().end, Contains("no terminal") && Contains("status 1"));
    CHECK(read_file(primary.known_hosts, 10'000).empty());
  }
  SECTION("a changed key needs --replace, a revoked one stays refused") {
    const std::string stranger = test::make_key(primary.sshd.dir(), "stranger");
    const std::string other = read_file(stranger + ".pub", 10'000);
    const std::string changed = other.substr(0, other.find(' ', other.find(' ') + 1));
    primary.accept(changed);
    const std::string right = primary.fingerprint_of_host();
    CHECK_THAT(primary.probe().end, Contains("trust --replace") && Contains("status 41"));
    CHECK_THAT(primary.trust({"--fingerprint", right}).end, Contains("status 41"));
    CHECK(primary.trust({"--fingerprint", right, "--replace"}).end == kDone);
    CHECK(primary.probe({"--bytes", "0"}).end == kDone);
    CHECK(read_file(primary.known_hosts, 10'000).find(changed) == std::string::npos);
    primary.sshd.dir().write("accepted", "@revoked * " + primary.sshd.host_key() + "\n");
    CHECK_THAT(primary.trust({"--fingerprint", right, "--replace"}).end,
               Contains("revoked") && Contains("status 41"));
  }
}

TEST_CASE("session: wrong input ends with one line and the code of its class", "[integration]") {
  struct Case {
    std::vector<std::string> arguments;
    std::string code;
  };
  const std::vector<Case> cases{
      {{}, "status 1"},
      {{"probe"}, "status 1"},
      {{"prob", "x"}, "status 1"},
      {{"probe", "-e", "ssh 'x", "host"}, "status 1"},
      {{"probe", "-oProxyCommand=x"}, "status 1"},
      {{"probe", "--timeout", "-1", "host"}, "status 1"},
      {{"probe", "--timeout", "ten", "host"}, "status 1"},
      {{"probe", "-e", "/nowhere/ssh", "primary.example"}, "status 5"},
      {{"probe", "127.0.0.1", "-e", "ssh -p 1 -i /nowhere -o UserKnownHostsFile=/nowhere"},
       "status 10"},
      {{"authorize", "/nowhere"}, "status 11"},
      {{"trust", "host:99999"}, "status 1"}};
  for (const Case& one : cases) {
    std::vector<std::string> argv{XS_CLIENT};
    argv.insert(argv.end(), one.arguments.begin(), one.arguments.end());
    const test::Outcome outcome = test::run_program(argv);
    INFO((one.arguments.empty() ? "" : one.arguments.back()) << ": " << outcome.end);
    CHECK_THAT(outcome.end, Contains("xroad-sync: ") && Contains(one.code));
    CHECK(outcome.out.empty());
  }
  CHECK_THAT(test::run_program({XS_SERVER, "--root=/"}).end,
             Contains("takes no arguments") && Contains("status 1"));
  CHECK_THAT(test::run_program({XS_SERVER}).end,
             Contains("the client left") && Contains("status 12"));
}
