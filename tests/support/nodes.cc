// SPDX-License-Identifier: MIT
#include "tests/support/nodes.h"

#include <pwd.h>
#include <unistd.h>

#include <stdexcept>

#include "base/text.h"
#include "tests/support/program.h"

namespace xs::test {
namespace {

constexpr std::string_view kEnded = "it ended with status ";

}  // namespace

std::string user_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  if (entry == nullptr) throw std::runtime_error("no name for the user of the test");
  return entry->pw_name;
}

std::string xroad_tree(std::vector<std::string> words) {
  words.insert(words.begin(), XS_SOURCE_DIR "/scripts/xroad_tree.py");
  return test::run(words);
}

Ran run_apart(const std::vector<std::string>& argv) {
  const Outcome outcome = run_program(argv);
  const std::size_t at = outcome.end.rfind(kEnded);
  Ran ran;
  ran.out = outcome.out;
  ran.err = outcome.end;
  if (at == std::string::npos) throw std::runtime_error(argv.at(0) + " did not end: " + ran.err);
  ran.code = static_cast<int>(
      parse_number(std::string_view(outcome.end).substr(at + kEnded.size())).value_or(255));
  return ran;
}

// ---- Primary

Primary::Primary(const std::string& server, Tree tree) : server_(server) {
  configure("");
  if (tree == Tree::Small) {
    fill();
  } else {
    xroad_tree({"make", etc.path()});
  }
}

void Primary::configure(const std::string& server, const std::string& root) {
  conf.write("server.ini", server + "[root etc]\npath = " + etc.path() +
                               "\npreset = xroad\nnode-ini = " + etc.path_of("conf.d/node.ini") +
                               "\nrestore-marker = " + marker() + "\n" + root);
}

void Primary::fill() {
  etc.dir("conf.d", 0750).dir("signer", 0750).dir("signer/softtoken", 0750).dir("ssl", 0750);
  etc.file("conf.d/node.ini", "[node]\ntype=master\n", 0640);
  etc.file("conf.d/local.ini", "[proxy]\nserver-support-clients-pooled-connections=false\n", 0640);
  etc.file("db.properties", "serverconf.hibernate.connection.password=primary\n", 0640);
  etc.file("signer/keyconf.xml", "<keyConf/>\n", 0640);
  etc.file("signer/softtoken/.softtoken.p12", "pin", 0640);
  etc.file("signer/softtoken/AA.p12", "key aa", 0640);
  etc.file("ssl/internal.key", "secret", 0660);
  etc.symlink("conf.d/link.ini", "local.ini");
}

std::string Primary::let_in() {
  return sshd.let_in({}, "restrict,command=\"" + server_ + " --config " + server_ini() + "\"");
}

std::string Primary::known_host() const { return known_host(sshd.port()); }

std::string Primary::known_host(std::uint16_t port) const {
  return "[127.0.0.1]:" + std::to_string(port) + " " + sshd.host_key() + "\n";
}

// ---- Secondary

Secondary::Secondary(const Primary& primary, const std::string& client, const std::string& key)
    : primary_(primary), client_(client), key_(key) {
  etc.dir("conf.d", 0750);
  etc.file("conf.d/node.ini", "[node]\ntype=slave\n", 0640);
  etc.file("db.properties", "serverconf.hibernate.connection.password=secondary\n", 0640);
  dir.write("known_hosts", primary.known_host());
  configure("");
}

void Secondary::configure(const std::string& more) {
  dir.write("sync.ini",
            "[primary]\nhost = 127.0.0.1\nport = " + std::to_string(primary_.sshd.port()) +
                "\nuser = " + user_name() + "\npath = " + primary_.etc.path() +
                "\nidentity = " + key_ + "\nknown-hosts = " + file("known_hosts") +
                "\n[sync]\ndestination = " + etc.path() + "\n[pause]\nflag = " + file("flag") +
                "\nstate = " + file("paused") + "\n[status]\nfile = " + file("status.json") +
                "\n[log]\nfile = " + file("sync.log") +
                "\njournal = no\n[wake]\nhooks = " + file("hooks.d") + "\n" + more);
}

std::vector<std::string> Secondary::command(std::vector<std::string> words) const {
  words.insert(words.begin(), {client_, "--config", file("sync.ini")});
  return words;
}

Ran Secondary::run(std::vector<std::string> words) const {
  return run_apart(command(std::move(words)));
}

Ran Secondary::bare(std::vector<std::string> words) const {
  words.insert(words.begin(), client_);
  return run_apart(words);
}

std::string Secondary::shell() const { return shell(primary_.sshd.port()); }

std::string Secondary::shell(std::uint16_t port) const {
  return "ssh -p " + std::to_string(port) + " -i " + key_ +
         " -o UserKnownHostsFile=" + file("known_hosts") + " -o ConnectTimeout=5 ";
}

std::string Secondary::source() const {
  return user_name() + "@127.0.0.1:" + primary_.etc.path() + "/";
}

std::string Secondary::log() const { return dir.read("sync.log"); }

}  // namespace xs::test
