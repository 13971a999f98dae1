// SPDX-License-Identifier: MIT
#include "protocol/remote_shell.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "base/error.h"
#include "protocol/process_stream.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"

using namespace xs;
using Words = std::vector<std::string>;

namespace {

Words words(std::string_view command) { return parse_remote_shell(command).argv; }
bool ours(std::string_view command, std::string_view home = {}) {
  const RemoteShell shell = parse_remote_shell(command, home);
  // What is left to the program carries nothing that somebody could apply twice.
  if (!shell.use_libssh) {
    RemoteShell bare;
    bare.argv = shell.argv;
    CHECK(shell == bare);
  }
  return shell.use_libssh;
}

Fault fault_of(std::string_view command) {
  try {
    parse_remote_shell(command);
  } catch (const Error& error) {
    return error.fault();
  }
  return Fault::Io;
}

bool refused(const std::optional<std::string>& user, const std::string& host,
             const Words& command = {"server"}) {
  try {
    remote_argv(parse_remote_shell("ssh"), user, host, command);
  } catch (const Error& error) {
    return error.fault() == Fault::Usage;
  }
  return false;
}

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "xs-remote-shell-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string touch(const std::string& name) const {
    std::ofstream(path_ / name).put('\n');
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

// What `ssh -G` makes of the words: keyword to values.
std::multimap<std::string, std::string> ssh_settings(const Words& options) {
  Words argv = options;
  argv.insert(argv.end(), {"-F", "none", "-G", "host"});
  SteadyClock clock;
  const Instant deadline = clock.now() + std::chrono::seconds(20);
  ProcessStream child(argv, clock);
  child.close_write();
  std::string out;
  std::array<char, 4096> piece;
  for (;;) {
    REQUIRE(clock.now() < deadline);
    const auto got = child.read_some(piece);
    if (got == 0U) break;
    if (!got) child.wait(false, deadline);
    out.append(piece.data(), got.value_or(0));
  }
  const std::string end = child.last_words();
  INFO(end);
  REQUIRE_THAT(end, Catch::Matchers::EndsWith("it ended with status 0"));
  std::multimap<std::string, std::string> settings;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    settings.emplace(line.substr(0, blank), line.substr(std::min(blank + 1, line.size())));
  }
  return settings;
}

std::string one(const std::multimap<std::string, std::string>& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "" : found->second;
}

}  // namespace

TEST_CASE("remote_shell: words are divided as rsync divides them", "[protocol]") {
  CHECK(words("ssh -o ConnectTimeout=5 ") == Words{"ssh", "-o", "ConnectTimeout=5"});
  CHECK(words("  prog   a  b") == Words{"prog", "a", "b"});
  CHECK(words("prog a\tb") == Words{"prog", "a\tb"});
  CHECK(words("prog 'a b' \"c d\"") == Words{"prog", "a b", "c d"});
  CHECK(words("prog x'a b'y") == Words{"prog", "xa by"});
  CHECK(words("prog 'it''s'") == Words{"prog", "it's"});
  CHECK(words("prog \"a \"\"b\"\" c\"") == Words{"prog", "a \"b\" c"});
  CHECK(words("prog '\"' \"'\"") == Words{"prog", "\"", "'"});
  CHECK(words("prog '' \"\"") == Words{"prog", "", ""});
  CHECK(words("prog a\\ b") == Words{"prog", "a\\", "b"});
  CHECK(words("prog $(id) ; | > *") == Words{"prog", "$(id)", ";", "|", ">", "*"});
  CHECK(words("'/a b/prog'") == Words{"/a b/prog"});
}

TEST_CASE("remote_shell: an empty command and an open quote are usage errors", "[protocol]") {
  for (const std::string_view bad :
       {"", "   ", "''", "ssh 'a", "ssh \"a", "ssh 'a''", "ssh '\"", "'"}) {
    CAPTURE(bad);
    CHECK(fault_of(bad) == Fault::Usage);
  }
  CHECK(fault_of(std::string_view("ssh\0x", 5)) == Fault::Usage);
  CHECK_THROWS_WITH(parse_remote_shell("ssh 'a"), Catch::Matchers::Contains("lacks a closing '"));
}

TEST_CASE("remote_shell: the guide's command is done by our own session", "[protocol]") {
  const RemoteShell shell = parse_remote_shell("ssh -o ConnectTimeout=5 ");
  RemoteShell expected;
  expected.use_libssh = true;
  expected.argv = {"ssh", "-o", "ConnectTimeout=5"};
  expected.connect_timeout = std::chrono::seconds(5);
  CHECK(shell == expected);
  CHECK(parse_remote_shell("ssh").use_libssh);
  CHECK_FALSE(parse_remote_shell("/usr/bin/ssh")
                  .use_libssh);  // with a path it is a program of the operator's choice
}

TEST_CASE("remote_shell: every option that libssh can honour is read", "[protocol]") {
  const RemoteShell shell = parse_remote_shell(
      "ssh -qTxa -p2222 -l xroad-slave -i /k/one -oIdentityFile=/k/two -o 'connecttimeout "
      "7' "
      "-o 'UserKnownHostsFile = /h/a  /h/b' -o GLOBALKNOWNHOSTSFILE=/h/c -o BatchMode=yes "
      "-o StrictHostKeyChecking=yes -6");
  CHECK(shell.use_libssh);
  CHECK(shell.port == 2222);
  CHECK(shell.user == "xroad-slave");
  CHECK(shell.identity_files == Words{"/k/one", "/k/two"});
  CHECK(shell.connect_timeout == std::chrono::seconds(7));
  CHECK(shell.known_hosts == Words{"/h/a", "/h/b", "/h/c"});
  CHECK(shell.ipv6_only);
  CHECK_FALSE(shell.ipv4_only);
}

TEST_CASE("remote_shell: the first value of an option wins", "[protocol]") {
  const RemoteShell shell = parse_remote_shell(
      "ssh -o Port=5 -p 6 -l a -o User=b -o ConnectTimeout=1 -oConnectTimeout=2 "
      "-o UserKnownHostsFile=/a -o UserKnownHostsFile=/b -o AddressFamily=inet -o "
      "AddressFamily=inet6");
  CHECK(shell.use_libssh);
  CHECK(shell.port == 5);
  CHECK(shell.user == "a");
  CHECK(shell.connect_timeout == std::chrono::seconds(1));
  CHECK(shell.known_hosts == Words{"/a"});
  CHECK(shell.ipv4_only);
  CHECK(parse_remote_shell("ssh -4 -o AddressFamily=inet6").ipv4_only);
  CHECK(parse_remote_shell("ssh -o AddressFamily=inet6 -4").ipv4_only);
  CHECK(parse_remote_shell("ssh -46").ipv6_only);
}

TEST_CASE("remote_shell: what libssh cannot honour is left to the program unchanged",
          "[protocol]") {
  for (const std::string_view command :
       {"/usr/local/bin/myssh",
        "ssh2",
        "rsh",
        "/opt/ssh/client",
        "SSH",
        "ssh -o StrictHostKeyChecking=no",
        "ssh -o StrictHostKeyChecking=accept-new",
        "ssh -o StrictHostKeyChecking=ask",
        "ssh -J jump",
        "ssh -o ProxyJump=jump",
        "ssh -o ProxyCommand=nc",
        "ssh -F none",
        "ssh -v",
        "ssh -C",
        "ssh -A",
        "ssh -t",
        "ssh gateway ssh",
        "ssh --",
        "ssh -",
        "ssh ''",
        "ssh -p",
        "ssh -o",
        "ssh -p 0",
        "ssh -p 65536",
        "ssh -p ssh",
        "ssh -p -1",
        "ssh -p ''",
        "ssh -o Port=",
        "ssh -o Port",
        "ssh -o =5",
        "ssh -o ''",
        "ssh -o 'Port 22 23'",
        "ssh -o Port==22",
        "ssh -o BatchMode=no",
        "ssh -o ConnectTimeout=0",
        "ssh -o ConnectTimeout=1m",
        "ssh -o ConnectTimeout=none",
        "ssh -o ConnectTimeout=-5",
        "ssh -o ConnectTimeout=99999999999999999999",
        "ssh -o AddressFamily=both",
        "ssh -o Unknown=1",
        "ssh -o 'Port 22 # x'",
        "ssh -o 'User \"a b\"'",
        "ssh -o User=%u",
        "ssh -l -x",
        "ssh -l 'a;b'",
        "ssh -i ''",
        "ssh -i /k/%u",
        "ssh -i ~/.ssh/id",
        "ssh -o IdentityFile=none",
        "ssh -o UserKnownHostsFile=/dev/null",
        "ssh -o 'UserKnownHostsFile=/a none'",
        "ssh -o 'IdentityFile=/a /b'",
        "ssh -p22x",
        "ssh -qv",
        "ssh -i ~root/id",
        "ssh -o 'Port=22\n'",
        "ssh -o StrictHostKeyChecking=yes -o StrictHostKeyChecking=no"}) {
    CAPTURE(command);
    CHECK_FALSE(ours(command));
  }
  CHECK(words("ssh -J jump -p 22") == Words{"ssh", "-J", "jump", "-p", "22"});
}

TEST_CASE("remote_shell: a leading tilde is the home that is passed in", "[protocol]") {
  const RemoteShell shell =
      parse_remote_shell("ssh -i ~/.ssh/id -o UserKnownHostsFile=~/kh", "/home/xroad");
  CHECK(shell.use_libssh);
  CHECK(shell.identity_files == Words{"/home/xroad/.ssh/id"});
  CHECK(shell.known_hosts == Words{"/home/xroad/kh"});
  CHECK_FALSE(ours("ssh -i ~other/id", "/home/xroad"));
}

TEST_CASE("remote_shell: the argument vector ends in user, host and command", "[protocol]") {
  const RemoteShell shell = parse_remote_shell("myssh -x 'a b'");
  CHECK(remote_argv(shell, "me", "host", {"server", "--root=/e tc"}) ==
        Words{"myssh", "-x", "a b", "-l", "me", "host", "server", "--root=/e tc"});
  CHECK(remote_argv(shell, std::nullopt, "fe80::1%eth0", {"server"}) ==
        Words{"myssh", "-x", "a b", "fe80::1%eth0", "server"});
}

TEST_CASE("remote_shell: a host or user that ssh could take for something else is refused",
          "[protocol]") {
  CHECK_FALSE(refused("xroad-slave", "primary.example.com"));
  CHECK_FALSE(refused(std::nullopt, "h\xC3\xB6st"));
  for (const std::string& bad :
       {std::string(), std::string("-oProxyCommand=id"), std::string("-"), std::string("a b"),
        std::string("a\n"), std::string("a\tb"), std::string("\x7F"), std::string("a\0b", 3),
        std::string("$(id)"), std::string("`id`"), std::string("a;id"), std::string("a|b"),
        std::string("a&b"), std::string("a'b"), std::string("a\"b"), std::string("a\\b"),
        std::string("a>b"), std::string("{a}")}) {
    CAPTURE(bad);
    CHECK(refused(std::nullopt, bad));
    CHECK(refused(bad, "host"));
  }
  CHECK(refused(std::nullopt, "user@host"));
  CHECK(refused(std::nullopt, "host", {}));
  CHECK(refused(std::nullopt, "host", {""}));
  CHECK_THROWS_WITH(check_remote_names(std::nullopt, "a\x1b"), !Catch::Matchers::Contains("\x1b"));
}

TEST_CASE("remote_shell: random options mean what ssh -G says", "[protocol]") {
  const TempDir dir;
  const std::string key = dir.touch("key");
  const std::string second = dir.touch("key two");
  const Words pool{"-4",
                   "-6",
                   "-q",
                   "-Tx",
                   "-p 22",
                   "-p2201",
                   "-qp2202",
                   "-o Port=2203",
                   "-o 'port 2204'",
                   "-oPort=2205",
                   "-l anna",
                   "-lbert",
                   "-o User=carl",
                   "-o 'USER = dora'",
                   "-o ConnectTimeout=5",
                   "-o 'ConnectTimeout 6'",
                   "-oConnectTimeout=7s",
                   "-o ConnectTimeout=08",
                   "-o AddressFamily=inet",
                   "-o addressfamily=INET6",
                   "-o AddressFamily=any",
                   "-o UserKnownHostsFile=/a",
                   "-o 'UserKnownHostsFile /b /c'",
                   "-o GlobalKnownHostsFile=/d",
                   "-o 'globalknownhostsfile=/e /f'",
                   "-i " + key,
                   "-i '" + second + "'",
                   "-o IdentityFile=" + key,
                   "-oIdentityFile=/absent"};
  const unsigned seed = test::random_seed();
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    std::string command = "ssh";
    for (std::size_t i = random() % 8; i > 0; --i) command += " " + pool[random() % pool.size()];
    INFO("seed " << seed << ": " << command);
    const RemoteShell shell = parse_remote_shell(command);
    REQUIRE(shell.use_libssh);
    const auto settings = ssh_settings(shell.argv);
    CHECK(std::to_string(shell.port.value_or(22)) == one(settings, "port"));
    if (shell.user) CHECK(*shell.user == one(settings, "user"));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
        shell.connect_timeout.value_or(std::chrono::milliseconds(0)));
    CHECK((shell.connect_timeout ? std::to_string(seconds.count()) : "none") ==
          one(settings, "connecttimeout"));
    CHECK((shell.ipv4_only   ? "inet"
           : shell.ipv6_only ? "inet6"
                             : "any") == one(settings, "addressfamily"));
    if (!shell.identity_files.empty()) {
      Words files;
      const auto [first, last] = settings.equal_range("identityfile");
      // ssh keeps a file twice that came by -i and by -o; trying it twice gains nothing.
      for (auto it = first; it != last; ++it) {
        if (std::find(files.begin(), files.end(), it->second) == files.end())
          files.push_back(it->second);
      }
      CHECK(shell.identity_files == files);
    }
    // ssh fills in its own default for the list that is not given; ours then holds the other one
    // only.
    std::string joined;
    for (const std::string& file : shell.known_hosts) joined += (joined.empty() ? "" : " ") + file;
    std::string theirs;
    for (const std::string key_word : {"userknownhostsfile", "globalknownhostsfile"}) {
      const std::string value = one(settings, key_word);
      if (value.find("ssh_known_hosts") != std::string::npos ||
          value.find(".ssh/") != std::string::npos)
        continue;
      theirs += (theirs.empty() ? "" : " ") + value;
    }
    CHECK(joined == theirs);
  }
}
