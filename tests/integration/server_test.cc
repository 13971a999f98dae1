// SPDX-License-Identifier: MIT
// xroad-sync-server as a primary has it: behind a real sshd's forced command, with a server.ini.
#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <array>
#include <cstring>
#include <thread>

#include "base/io.h"
#include "base/text.h"
#include "protocol/frame.h"
#include "protocol/preamble.h"
#include "protocol/process_stream.h"
#include "protocol/ssh_stream.h"
#include "protocol/transport.h"
#include "sync/receiver.h"
#include "tests/support/catch.h"
#include "tests/support/sshd.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Contains;
using test::TempTree;

namespace {

// Keeps the lines that the server logs.
class LogDaemon {
 public:
  explicit LogDaemon(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  std::string next() const {
    SteadyClock clock;
    std::array<pollfd, 1> ready{pollfd{fd_.get(), POLLIN, 0}};
    if (clock.poll(ready, clock.now() + 10s) == 0) return "no line";
    std::array<char, 8192> text{};
    const ssize_t size = ::recv(fd_.get(), text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
  }

 private:
  Fd fd_;
};

test::SshdOptions telling() {
  test::SshdOptions options;
  options.lines = {"ExposeAuthInfo yes"};
  return options;
}

struct Primary {
  TempTree tree;
  TempTree etc;
  TempTree here;  // the secondary
  LogDaemon log{etc.path_of("log")};
  test::Sshd sshd{telling()};
  std::string key;
  std::string known_hosts = sshd.dir() / "accepted";
  std::uint64_t runs = 0;
  PullRequest request;

  Primary() {
    tree.dir("signer", 0750).file("signer/keyconf.xml", "<keys/>", 0640).dir("conf.d");
    tree.dir("signer/softtoken", 0700).file("signer/softtoken/a.p12", "key", 0600);
    tree.file("conf.d/local.ini", "local").file("conf.d/node.ini", "[node]\ntype=master\n");
    tree.file("db.properties", "password").file("x.tmp").dir("globalconf").file("globalconf/a");
    tree.file("custom.bak").symlink("link", "signer").symlink("out", "/etc");
    configure();
    key = sshd.let_in({}, "restrict,command=\"" XS_SERVER " --config " + ini() + "\"");
    sshd.dir().write("accepted",
                     "[127.0.0.1]:" + std::to_string(sshd.port()) + " " + sshd.host_key() + "\n");
    request.root = tree.path();
    request.version = "a test";
    request.destination = here.path();
    request.options.keep = {Keep::Permissions, Keep::Times, Keep::Owner, Keep::Group,
                            Keep::Symlinks};
    request.options.scan = {Scan::Recursive};
    request.options.inline_limit = 4096;
    request.keep.count = 0;
  }
  std::string ini() const { return etc.path_of("server.ini"); }
  void configure(const std::string& server = "", const std::string& root = "preset = xroad\n") {
    etc.file("server.ini", "[server]\nlog = syslog\nlog-socket = " + etc.path_of("log") + "\n" +
                               server + "[root]\npath = " + tree.path() + "\nexclude = *.bak\n" +
                               root);
  }

  std::unique_ptr<Stream> connect(Clock& clock, const std::string& program = "xroad-sync-server") {
    TransportOptions options;
    options.remote_shell = "ssh -p " + std::to_string(sshd.port()) + " -i " + key +
                           " -o UserKnownHostsFile=" + known_hosts;
    options.remote_program = program;
    return open_transport(parse_endpoint("127.0.0.1"), options, clock);
  }
  PullResult pull_over(Stream& stream, Clock& clock) {
    PullRequest wanted = request;
    wanted.run_id = ++runs;
    Receiver receiver(wanted, clock);
    Channel channel(stream, Side::Client, clock, {}, clock.now() + 30s);
    return receiver.run(channel);
  }
  PullResult pull() {
    SteadyClock clock;
    const auto stream = connect(clock);
    return pull_over(*stream, clock);
  }
  Error failure() {
    auto error = test::thrown_by([&] { pull(); });
    REQUIRE(error);
    return *error;
  }
  // A hello that no client of ours would send.
  Error answer_to(const Hello& hello) {
    SteadyClock clock;
    const auto stream = connect(clock);
    Channel channel(*stream, Side::Client, clock, {}, clock.now() + 30s);
    auto error = test::thrown_by([&] {
      channel.connect(hello);
      channel.receive();
    });
    REQUIRE(error);
    return *error;
  }
};

const std::vector<std::string> kNever{"conf.d/node.ini", "db.properties", "x.tmp", "globalconf",
                                      "custom.bak"};

void check_nothing_left(const TempTree& here) {
  for (const std::string& path : kNever) {
    INFO(path);
    CHECK_FALSE(here.exists(path));
  }
}

}  // namespace

TEST_CASE("server: a tree arrives without what must not leave, and the log says who took it",
          "[integration]") {
  Primary primary;
  CHECK(primary.pull().changed);
  CHECK(primary.here.read("signer/softtoken/a.p12") == "key");
  CHECK(primary.here.read("conf.d/local.ini") == "local");
  check_nothing_left(primary.here);
  const std::string fingerprint =
      test::run({"ssh-keygen", "-lf", primary.key + ".pub"}).substr(0, 60);
  const std::string shown = fingerprint.substr(fingerprint.find("SHA256:"), 50);
  const std::string line = primary.log.next();
  CHECK_THAT(line, Contains("client=127.0.0.1 port=") && Contains("key=" + shown) &&
                       Contains("root='" + primary.tree.path() + "'") &&
                       Contains("version='a test'") && Contains("options=content,-plotg") &&
                       Contains("files=3 bytes=15") && Contains("done='"));
#ifndef XS_SANITIZED  // their run time needs what the sandbox takes away
  CHECK_THAT(line, !Contains("sandbox-without"));
#endif
  CHECK_FALSE(primary.pull().changed);
  CHECK_THAT(primary.log.next(), Contains(" unchanged "));
}

TEST_CASE("server: its log tells how it went at a client that does not wait for it",
          "[integration]") {
  Primary primary;
  SteadyClock clock;
  const auto pull_directly = [&] {
    SshTarget target;
    target.host = "127.0.0.1";
    target.port = primary.sshd.port();
    target.identity_files = {primary.key};
    target.known_hosts_files = {primary.known_hosts};
    target.use_agent = false;
    const auto stream = open_ssh(target, Deadlines{}, clock);
    primary.pull_over(*stream, clock);
  };
  for (int run = 0; run < 10; ++run) {
    primary.tree.file("conf.d/changes", std::to_string(run));
    pull_directly();
    CHECK_THAT(primary.log.next(), Contains(" changes'") && Contains("done='"));
    pull_directly();
    CHECK_THAT(primary.log.next(), Contains("done='nothing to do'"));
  }
}

TEST_CASE("server: owners, attributes and large files are served from inside the sandbox",
          "[integration]") {
  Primary primary;
  primary.tree.file("big", std::string(3'000'000, 'b'));
  const std::string file = primary.tree.path_of("conf.d/local.ini");
  const bool attributes = ::setxattr(file.c_str(), "user.kept", "v", 1, 0) == 0;
  if (attributes) {
    primary.request.options.keep = {Keep::Permissions, Keep::Owner,  Keep::Group,
                                    Keep::Symlinks,    Keep::Xattrs, Keep::Acls};
  }
  if (::geteuid() == 0) primary.tree.owner("big", 1, 2);  // daemon and bin, which have names
  const PullResult result = primary.pull();
  for (const Problem& problem : result.problems) FAIL_CHECK(problem.path << ": " << problem.what);
  CHECK(primary.here.read("big").size() == 3'000'000);
  if (::geteuid() == 0) CHECK(primary.here.stat("big").st_gid == 2);
  if (attributes) {
    std::array<char, 8> value{};
    CHECK(::getxattr(primary.here.path_of("conf.d/local.ini").c_str(), "user.kept", value.data(),
                     value.size()) == 1);
  }
  std::string edited(3'000'000, 'b');
  edited[1'500'000] = 'x';
  primary.tree.file("big", edited);
  CHECK(primary.pull().literal < 100'000);
  CHECK(primary.here.read("big") == edited);
}

TEST_CASE("server: a process of our own is a way to it, too", "[integration]") {
  Primary primary;
  SteadyClock clock;
  ProcessStream stream({XS_SERVER, "--config", primary.ini()}, clock);
  CHECK(primary.pull_over(stream, clock).changed);
  check_nothing_left(primary.here);
  CHECK_THAT(primary.log.next(), Contains("client=unknown port=unknown key=unknown root='"));
}

TEST_CASE("server: a path that is not served gets one answer, whatever is there", "[integration]") {
  Primary primary;
  const std::string root = primary.tree.path();
  for (const std::string& asked :
       {std::string("/etc"), std::string("/nowhere"), std::string("/"), std::string("etc"),
        root + "/..", root + "/signer/../conf.d", root + "/link", root + "/link/softtoken",
        root + "/out", root + "/globalconf", root + "/missing", root + "/db.properties",
        root + "x"}) {
    INFO(asked);
    primary.request.root = asked;
    const Error error = primary.failure();
    CHECK(error.fault() == Fault::Selection);
    CHECK_THAT(error.text(), Catch::EndsWith("this server does not serve " + quote(asked)));
    CHECK_THAT(primary.log.next(), Contains("failed='this server does not serve") &&
                                       Contains("because='") && Contains(" files=0 bytes=0"));
  }
}

TEST_CASE("server: below a root the root's excludes hold, and protect at the client",
          "[integration]") {
  Primary primary;
  primary.request.root = primary.tree.path() + "//conf.d/";
  primary.here.file("node.ini", "type=slave").file("stale", "x");
  CHECK(primary.pull().changed);
  CHECK(primary.here.read("local.ini") == "local");
  CHECK(primary.here.read("node.ini") == "type=slave");
  CHECK_FALSE(primary.here.exists("stale"));
  CHECK_FALSE(primary.pull().changed);
}

TEST_CASE("server: no filter and no option of a client lifts an exclude", "[integration]") {
  Primary primary;
  SECTION("includes") {
    for (const char* rule :
         {"+ db.properties", "+ /conf.d/node.ini", "+ *.tmp", "+ /globalconf/***", "S *.bak",
          "R /globalconf", "+/ /**", "+! nothing"})
      primary.request.filters.filter(rule);
  }
  SECTION("rules of the tree's own") {
    primary.tree.file(".rules", "!\n+ db.properties\n+ node.ini\n+ *\n");
    primary.request.filters.filter(": .rules");
    primary.request.filters.filter(": db.properties");
  }
  SECTION("--delete-excluded") {
    primary.request.options.scan = {Scan::Recursive, Scan::DeleteExcluded};
    primary.request.filters.filter("+ *");
  }
  SECTION("another comparison") {
    primary.request.options.compare = GENERATE(Compare::Quick, Compare::Always);
    primary.request.choose_compare = false;
  }
  primary.pull();
  check_nothing_left(primary.here);
  CHECK(primary.here.read("signer/softtoken/a.p12") == "key");
}

TEST_CASE("server: a hello of another making is refused, not misunderstood", "[integration]") {
  Primary primary;
  Hello hello;
  hello.root = primary.tree.path();
  hello.options.scan = {Scan::Recursive};
  for (const char* rule :
       {"!", "clear", "merge /etc/passwd", ". /etc/passwd", "-", "+,! x", "\x1b[2J"}) {
    INFO(rule);
    hello.filters = {rule};
    CHECK(primary.answer_to(hello).fault() == Fault::Protocol);
  }
  hello.filters = {"dir-merge /etc/passwd"};
  CHECK(primary.answer_to(hello).fault() == Fault::Protocol);
  primary.request.filters.filter(": /etc/passwd");  // outside of the root: no such file
  CHECK(primary.pull().changed);
}

TEST_CASE("server: the command that a client asks for is nothing to it", "[integration]") {
  Primary primary;
  const std::string planted = primary.etc.path_of("planted");
  SteadyClock clock;
  for (const std::string& command : std::vector<std::string>{
           "touch " + planted, "xroad-sync-server --config /etc/passwd", "$(touch " + planted + ")",
           "sh -c 'touch " + planted + "'", "--help", "a\nb"}) {
    INFO(command);
    const auto stream = primary.connect(clock, command);
    primary.pull_over(*stream, clock);
    CHECK(primary.here.exists("signer/keyconf.xml"));
    CHECK_FALSE(primary.etc.exists("planted"));
  }
}

TEST_CASE("server: a wrong configuration reaches the client with its reason", "[integration]") {
  Primary primary;
  SECTION("a wrong key") {
    primary.configure("idle = 5\n");
    const Error error = primary.failure();
    CHECK(error.fault() == Fault::Usage);
    CHECK_THAT(error.text(), Contains("the server gave up: " + primary.ini() + ":4: ") &&
                                 Contains("no key 'idle'"));
  }
  SECTION("writable for others") {
    primary.etc.mode("server.ini", 0666);
    const Error error = primary.failure();
    CHECK(error.fault() == Fault::Selection);
    CHECK_THAT(error.text(), Contains("writable for others"));
  }
  SECTION("missing") {
    primary.etc.remove("server.ini");
    CHECK_THAT(primary.failure().text(), Contains("server.ini': No such file"));
  }
  SECTION("a root that is not there") {
    primary.etc.file("server.ini", "[root]\npath = /nowhere/at/all\n");
    primary.request.root = "/nowhere/at/all";
    const Error error = primary.failure();
    CHECK(error.fault() == Fault::Partial);
    CHECK_THAT(error.text(), Contains("/nowhere/at/all"));
  }
  CHECK_FALSE(primary.here.exists("signer"));
}

TEST_CASE("server: its limits end a session with their reason", "[integration]") {
  Primary primary;
  SECTION("entries") {
    primary.configure("max-entries = 3\n");
    CHECK(primary.failure().fault() == Fault::Memory);
  }
  SECTION("the whole time, however busy the client looks") {
    primary.configure("total-timeout = 1\nidle-timeout = 10\n");
    SteadyClock clock;
    ProcessStream stream({XS_SERVER, "--config", primary.ini()}, clock);
    const Instant start = clock.now();
    Hello hello;
    hello.version = std::string(4000, 'v');
    std::string drip(kMagic);
    FrameWriter().append(hello, drip);
    std::string said;
    std::array<char, 4096> piece{};
    const auto drip_on = [&] {
      for (std::string_view rest = drip;;) {
        const auto got = stream.read_some(piece);
        if (got == 0U) return;
        said.append(piece.data(), got.value_or(0));
        rest.remove_prefix(stream.write_some(rest.substr(0, 1)).value_or(0));
        REQUIRE(clock.now() - start < 8s);
        stream.wait(false, clock.now() + 20ms);
      }
    };
    // Its end may be met by a write as well.
    if (const auto error = test::thrown_by(drip_on)) said += error->text();
    CHECK(clock.now() - start >= 1s);
    CHECK_THAT(said, Contains("the run took longer than its time limit"));
  }
}

TEST_CASE("server: two clients at once get the same tree", "[integration]") {
  Primary primary;
  primary.tree.file("big", std::string(2'000'000, 'b'));
  TempTree other;
  const auto pull_to = [&](const TempTree& where, std::uint64_t id) {
    SteadyClock clock;
    PullRequest wanted = primary.request;
    wanted.destination = where.path();
    wanted.run_id = id;
    Receiver receiver(wanted, clock);
    const auto stream = primary.connect(clock);
    Channel channel(*stream, Side::Client, clock, {}, clock.now() + 30s);
    return receiver.run(channel).generation;
  };
  Digest first;
  Digest second;
  std::thread one([&] { first = pull_to(primary.here, 1); });
  std::thread two([&] { second = pull_to(other, 2); });
  one.join();
  two.join();
  CHECK(first == second);
  CHECK(other.read("big") == primary.here.read("big"));
}

TEST_CASE("server: by hand on a terminal it says what it is", "[integration]") {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child == 0) {
    ::execl(XS_SERVER, "xroad-sync-server", nullptr);
    ::_exit(127);
  }
  const Fd held(terminal);
  std::string said;
  std::array<char, 4096> piece{};
  for (ssize_t got = 1; got > 0;) {
    got = ::read(terminal, piece.data(), piece.size());
    if (got > 0) said.append(piece.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 1);
  CHECK_THAT(said, Contains("the primary's side of xroad-sync") && Contains("server.ini"));
}
