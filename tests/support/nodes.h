// SPDX-License-Identifier: MIT
// A cluster as an operator has it: a primary with its tree, its server.ini and a real sshd, and
// secondaries with a tree, a configuration and a key of their own, each with the real programs.
// XS_CLIENT and XS_SERVER name them. Nothing outside of temporary directories is touched.
#pragma once

#include <string>
#include <vector>

#include "tests/support/sshd.h"
#include "tests/support/temp_dir.h"
#include "tests/support/temp_tree.h"

namespace xs::test {

class Primary {
 public:
  enum class Tree { Small, Real };
  // `server`: the server program's path. Real: a tree with keys that open, by
  // scripts/xroad_tree.py.
  explicit Primary(const std::string& server, Tree tree = Tree::Small);

  Sshd sshd;
  TempTree etc;
  TempDir conf;

  // A small tree like /etc/xroad, of a node that calls itself master.
  void fill();
  // Other lines for server.ini; the root's section comes last and may be continued by `root`.
  void configure(const std::string& server, const std::string& root = "");
  std::string marker() const { return conf / "restore_in_progress"; }
  // A key of a secondary that is let in, and the line for known_hosts.
  std::string let_in();
  std::string known_host() const;
  std::string known_host(std::uint16_t port) const;  // behind another port
  std::string host() const { return "127.0.0.1"; }
  const std::string& server() const { return server_; }
  std::string server_ini() const { return conf / "server.ini"; }

 private:
  std::string server_;
};

struct Ran {
  int code = 0;
  std::string out, err;  // err escaped
};

class Secondary {
 public:
  Secondary(const Primary& primary, const std::string& client, const std::string& key);

  TempTree etc;
  TempDir dir;

  // Further lines of the configuration, by section: "[keep]\ngenerations = 2\n".
  void configure(const std::string& more);
  // The client with our configuration in front of these words.
  Ran run(std::vector<std::string> words = {}) const;
  std::vector<std::string> command(std::vector<std::string> words = {}) const;
  // The client with these words alone.
  Ran bare(std::vector<std::string> words) const;
  // -e for the command line.
  std::string shell() const;
  std::string shell(std::uint16_t port) const;
  std::string source() const;
  std::string log() const;
  std::string file(std::string_view name) const { return dir / name; }

 private:
  const Primary& primary_;
  std::string client_;
  std::string key_;
};

// What most tests begin with: a primary, and one secondary that it lets in.
struct Nodes {
  Primary primary;
  Secondary second;

  explicit Nodes(Primary::Tree tree = Primary::Tree::Small)
      : primary(XS_SERVER, tree), second(primary, XS_CLIENT, primary.let_in()) {}
};

// scripts/xroad_tree.py with these words; what it printed. A failure is an exception.
std::string xroad_tree(std::vector<std::string> words);

// Runs to the end; the exit code, and both outputs apart.
Ran run_apart(const std::vector<std::string>& argv);
std::string user_name();

}  // namespace xs::test
