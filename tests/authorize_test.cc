// SPDX-License-Identifier: MIT
#include "cli/authorize.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/error.h"
#include "protocol/host_key.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using cli::authorized_line;
using cli::with_authorized_line;

namespace {

std::string wire_string(const std::string& bytes) {
  return std::string(3, '\0') + static_cast<char>(bytes.size()) + bytes;
}

const std::string kKey =
    "ssh-ed25519 " + to_base64(wire_string("ssh-ed25519") + wire_string(std::string(32, 'k')));

std::string refusal(const std::string& text,
                    const std::string& server = "/usr/bin/xroad-sync-server") {
  try {
    return "accepted: " + authorized_line(text, server);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Usage);
    return error.text();
  }
}

}  // namespace

TEST_CASE("authorize: a public key becomes a line that can run one program", "[cli]") {
  CHECK(authorized_line(kKey + " ss2 of member\n", cli::kServerProgram) ==
        "restrict,command=\"/usr/bin/xroad-sync-server\" " + kKey + " ss2 of member");
  CHECK(authorized_line("  " + kKey + "  ", "/opt/x") == "restrict,command=\"/opt/x\" " + kKey);
}

TEST_CASE("authorize: whatever is no single usable public key is refused", "[cli]") {
  CHECK_THAT(refusal(""), Contains("TYPE BASE64"));
  CHECK_THAT(refusal("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"), Contains("private half"));
  CHECK_THAT(refusal(kKey + "\n" + kKey), Contains("more than one line"));
  CHECK_THAT(refusal("command=\"sh\" " + kKey), Contains("TYPE BASE64"));
  CHECK_THAT(refusal(kKey.substr(0, kKey.size() - 4)), Contains("not a public key"));
  CHECK_THAT(refusal("ssh-rsa" + kKey.substr(11)), Contains("TYPE BASE64"));
  CHECK_THAT(refusal("ssh-dss " + to_base64(wire_string("ssh-dss") + wire_string("x"))),
             Contains("not a public key"));
}

TEST_CASE("authorize: a comment or a path cannot smuggle anything into the line", "[cli]") {
  const std::string line = authorized_line(kKey + " a\x1b[2Jb", cli::kServerProgram);
  CHECK(line.find('\x1b') == std::string::npos);
  for (const char* bad : {"",
                          "relative",
                          "/a b",
                          "/a\"b",
                          "/a\nb",
                          "/a\\b",
                          "/",
                          "/a;b",
                          "/a$(b)",
                          "/a`b`",
                          "/a'b",
                          "/a*",
                          "/a|b",
                          "/a&",
                          "/a --config",
                          "/a --config ",
                          "/a --config b",
                          "/a --config /b c",
                          "/a --config /b;c",
                          "/a  --config /b",
                          "/a --other /b",
                          "/a%u"}) {
    INFO(bad);
    CHECK_THAT(refusal(kKey, bad), Contains("absolute path"));
  }
  CHECK(authorized_line(kKey, "/usr/bin/x --config /etc/x/server.ini") ==
        "restrict,command=\"/usr/bin/x --config /etc/x/server.ini\" " + kKey);
}

TEST_CASE("authorize: a file keeps its other lines and has each key once", "[cli]") {
  const std::string line = authorized_line(kKey + " new", "/opt/x");
  CHECK(with_authorized_line("", line) == line + "\n");
  CHECK(with_authorized_line("# note\n\nssh-rsa AAAA other", line) ==
        "# note\n\nssh-rsa AAAA other\n" + line + "\n");
  CHECK(with_authorized_line(line + "\nssh-rsa AAAA other\n", line) ==
        line + "\nssh-rsa AAAA other\n");
  // The first line for a key is the one that counts: an open one must not stay.
  CHECK(with_authorized_line("a b\n" + kKey + " open\nc d\nrestrict " + kKey + "\n", line) ==
        "a b\n" + line + "\nc d\n");
  CHECK(with_authorized_line("# " + kKey + "\n", line) == "# " + kKey + "\n" + line + "\n");
}

namespace {

struct Account {
  test::TempTree tree;
  cli::AuthorizeRequest request;

  Account() {
    tree.file("key.pub", kKey + " ss2\n").dir("etc").mode("etc", 0755);
    request.key_file = tree.path_of("key.pub");
    request.install = true;
    request.file = tree.path_of("etc/keys");
  }
  std::string refused() const {
    const auto error = test::thrown_by([&] { cli::authorize(request); });
    return error ? error->text() : "accepted";
  }
};

}  // namespace

TEST_CASE("authorize: the file is root's, replaced as a whole, and the second time not at all",
          "[cli]") {
  if (::geteuid() != 0) return;
  Account account;
  const std::string line = authorized_line(kKey + " ss2", cli::kServerProgram) + "\n";
  account.tree.file("etc/keys", "# mine\n", 0600).owner("etc/keys", 65534, 65534);
  account.tree.symlink("etc/keys.new", "../key.pub");
  CHECK(account.refused() == "accepted");
  CHECK(account.tree.read("etc/keys") == "# mine\n" + line);
  CHECK(account.tree.read("key.pub") == kKey + " ss2\n");
  CHECK_FALSE(account.tree.exists("etc/keys.new"));
  const auto first = account.tree.stat("etc/keys");
  CHECK(first.st_uid == 0);
  CHECK((first.st_mode & 07777U) == 0644);
  CHECK(account.refused() == "accepted");
  CHECK(account.tree.stat("etc/keys").st_ino == first.st_ino);
  account.tree.mode("etc/keys", 0666);
  CHECK(account.refused() == "accepted");
  CHECK((account.tree.stat("etc/keys").st_mode & 07777U) == 0644);
}

TEST_CASE("authorize: nothing is written where others can write, or through a link", "[cli]") {
  if (::geteuid() != 0) return;
  Account account;
  account.tree.mode("etc", 0775);
  CHECK_THAT(account.refused(), Contains("writable for nobody else"));
  account.tree.mode("etc", 0755).owner("etc", 65534, 0);
  CHECK_THAT(account.refused(), Contains("must be root's"));
  account.tree.owner("etc", 0, 0).symlink("etc/keys", "../key.pub");
  CHECK_THAT(account.refused(), Contains("no regular file"));
  CHECK(account.tree.read("key.pub") == kKey + " ss2\n");
  account.request.file = "keys";
  CHECK_THAT(account.refused(), Contains("absolute path"));
  account.request.file.clear();
  account.request.user = "nobody like this";
  CHECK_THAT(account.refused(), Contains("no user 'nobody like this'"));
  CHECK(test::as_nobody(
            [&] { return account.refused().find("as root") == std::string::npos ? 1 : 0; }) == 0);
}

TEST_CASE("authorize: an account's own directory is taken from it, and no link in it followed",
          "[cli]") {
  if (::geteuid() != 0) return;
  Account account;
  account.request.file.clear();
  account.request.user = "slave";
  account.tree.dir("home").owner("home", 65534, 65534).dir("elsewhere");
  account.tree.file("passwd",
                    "slave:x:65534:65534::" + account.tree.path_of("home") + ":/bin/sh\n");
  // 100: no mounts of our own here.
  const auto install = [&] {
    return test::in_child([&] {
      if (::unshare(CLONE_NEWNS) != 0 ||
          ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount(account.tree.path_of("passwd").c_str(), "/etc/passwd", nullptr, MS_BIND,
                  nullptr) != 0) {
        return 100;
      }
      return account.refused() == "accepted" ? 0 : 1;
    });
  };
  const int first = install();
  if (first == 100) return;
  CHECK(first == 0);
  CHECK(account.tree.stat("home/.ssh").st_uid == 0);
  CHECK((account.tree.stat("home/.ssh").st_mode & 07777U) == 0755);
  CHECK(account.tree.stat("home/.ssh/authorized_keys").st_uid == 0);
  CHECK(account.tree.stat("home").st_uid == 65534);
  account.tree.owner("home/.ssh", 65534, 65534).mode("home/.ssh", 0777);
  CHECK(install() == 0);
  CHECK(account.tree.stat("home/.ssh").st_uid == 0);
  account.tree.remove("home/.ssh/authorized_keys").remove("home/.ssh");
  account.tree.symlink("home/.ssh", "../elsewhere");
  CHECK(install() == 1);
  CHECK_FALSE(account.tree.exists("elsewhere/authorized_keys"));
  CHECK(account.tree.stat("elsewhere").st_uid == 0);
}
