// SPDX-License-Identifier: MIT
// The API key's file, and where the key is never found.
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "tests/companion/central/center.h"
#include "tests/companion/pki.h"
#include "tests/support/catch.h"
#include "tests/support/daemon.h"
#include "tests/support/sshd.h"
#include "tests/support/tls_peer.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

TEST_CASE("central server: a key that others could know or change is not used",
          "[companion][central]") {
  const Identity identity = self_signed();
  const TlsPeer peer(identity, serving(reply_of(body_of({{"node_0", "OK"}}))));
  const Center center;
  const auto with = [&](const std::string& file) {
    return std::vector<std::string>{
        "--no-database",  "--central-server", peer.where(), "--fingerprint",
        pin_of(identity), "--api-key-file",   file};
  };
  const auto file = [&](const std::string& text, unsigned mode = 0600) {
    return center.dir.write("k", text, mode);
  };
  const std::string key = kKey;
  for (const unsigned mode : {0400U, 0440U, 0600U, 0640U}) center.run(0, with(file(key, mode)));
  center.run(0, with(file(key + "\r\n")));
  REQUIRE(peer.requests().size() == 5);
  for (const unsigned mode : {0644U, 0604U, 0666U}) {
    CHECK_THAT(center.fail(1, with(file(key, mode))),
               Contains("k' can be read by others, so it is not used: chmod 0640 '") &&
                   Contains("revoke the key"));
  }
  for (const unsigned mode : {0660U, 0602U, 0601U}) {
    CHECK_THAT(center.fail(1, with(file(key, mode))),
               Contains("k' can be changed by others, so it is not used: chmod 0640 '"));
  }
  CHECK_THAT(center.fail(1, with(file(""))), Contains("is empty"));
  CHECK_THAT(center.fail(1, with(file("\n"))), Contains("is empty"));
  CHECK_THAT(center.fail(1, with(file(key + "\n" + key + "\n"))), Contains("more than one line"));
  CHECK_THAT(center.fail(1, with(file(key + "\n\n"))), Contains("more than one line"));
  CHECK_THAT(center.fail(1, with(file(key + "\rX: y"))), Contains("that no API key has"));
  CHECK_THAT(center.fail(1, with(file(key + " "))), Contains("a blank or another character"));
  CHECK_THAT(center.fail(1, with(file(key + std::string(1, '\0')))), Contains("no API key has"));
  CHECK_THAT(center.fail(1, with(file(key + "\xc3\xa4"))), Contains("that no API key has"));
  CHECK_THAT(center.fail(1, with(file("short"))), Contains("holds 5 characters"));
  CHECK_THAT(center.fail(1, with(file(std::string(300, 'k')))), Contains("holds 300 characters"));
  CHECK_THAT(center.fail(11, with(file(std::string(5000, 'k')))), Contains("larger than 4096"));
  CHECK_THAT(center.fail(1, with(center.dir.path())), Contains("is not a regular file"));
  CHECK_THAT(center.fail(11, with(center.dir / "none")), Contains("No such file"));
  REQUIRE(::mkfifo((center.dir / "fifo").c_str(), 0600) == 0);
  CHECK_THAT(center.fail(1, with(center.dir / "fifo")), Contains("is not a regular file"));
  if (::geteuid() == 0) {
    const std::string theirs = file(key);
    REQUIRE(::chown(theirs.c_str(), 65534, 0) == 0);
    CHECK_THAT(center.fail(1, with(theirs)),
               Contains("belongs to another user") && Contains("chown root '"));
  }
  CHECK(peer.requests().size() == 5);
}

TEST_CASE("central server: the key is in no argument, environment or log", "[companion][central]") {
  const Identity identity = self_signed();
  TlsPlan plan = serving(reply_of(body_of({{"node_0", "OK"}})));
  plan.reply.resize(plan.reply.size() - 20);
  plan.hold = true;
  const TlsPeer peer(identity, plan);
  const Center center;
  Daemon daemon(center.line(center.words({peer.where()}, {"--fingerprint", pin_of(identity)})),
                center.dir / "log");
  REQUIRE(eventually(10s, [&] { return !peer.requests().empty(); }));
  const std::string proc = "/proc/" + std::to_string(daemon.pid()) + "/";
  for (const char* file : {"cmdline", "environ", "comm", "stat"}) {
    CHECK_THAT(read_file(proc + file, 1U << 20), !Contains(kKeyBegin));
  }
  CHECK(daemon.wait() == 30);
  CHECK_THAT(daemon.log(),
             Contains("did not answer in time") && !Contains(kKeyBegin) && !Contains("token="));
}
