// SPDX-License-Identifier: MIT
// What the client does with the primary's host key, and how an administrator vouches for it.
#include "tests/support/catch.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using xs::test::Ran;

namespace {

struct Cluster : xs::test::Nodes {
  std::string port() const { return std::to_string(primary.sshd.port()); }
  std::string host() const { return "[127.0.0.1]:" + port(); }
  void know(const std::string& lines) const { second.dir.write("known_hosts", lines); }
  // A key of the type that is not the primary's.
  std::string other_key(const std::string& type) const {
    const std::string name = "other_" + type;
    xs::test::make_key(second.dir, name, {type, 0, ""});
    const std::string text = second.dir.read(name + ".pub");
    return text.substr(0, text.find(' ', text.find(' ') + 1));
  }
  std::string fingerprint() const {
    second.dir.write("host_key.pub", primary.sshd.host_key() + "\n");
    const std::string said = xs::test::run({"ssh-keygen", "-lf", second.file("host_key.pub")});
    return said.substr(said.find("SHA256:"),
                       said.find(' ', said.find("SHA256:")) - said.find("SHA256:"));
  }
  void refused(const std::string& word) const {
    const Ran ran = second.run();
    INFO(ran.err);
    CHECK(ran.code == 41);
    CHECK_THAT(ran.err, Contains(word) && Contains("SHA256:"));
    CHECK_FALSE(second.etc.exists("signer"));
  }
  Ran trust(std::vector<std::string> words) const {
    words.insert(words.begin(), {XS_CLIENT, "trust", "--known-hosts", second.file("known_hosts")});
    words.push_back("127.0.0.1:" + port());
    return xs::test::run_apart(words);
  }
};

}  // namespace

TEST_CASE("host key: unknown, changed, of another type and revoked are 41, each in its words",
          "[e2e]") {
  const Cluster cluster;
  cluster.know("");
  cluster.refused("unknown");
  cluster.know(cluster.host() + " " + cluster.other_key("ed25519") + "\n");
  cluster.refused("CHANGED");
  cluster.know(cluster.host() + " " + cluster.other_key("ecdsa") + "\n");
  cluster.refused("another type");
  cluster.know(cluster.primary.known_host() + "@revoked " + cluster.primary.known_host());
  cluster.refused("REVOKED");
  cluster.know("127.0.0.1 " + cluster.primary.sshd.host_key() + "\n");  // of port 22
  cluster.refused("unknown");
}

TEST_CASE("host key: a hashed line is as good as a plain one", "[e2e]") {
  const Cluster cluster;
  xs::test::run({"ssh-keygen", "-q", "-H", "-f", cluster.second.file("known_hosts")});
  REQUIRE_THAT(cluster.second.dir.read("known_hosts"), Contains("|1|"));
  CHECK(cluster.second.run().code == 0);
}

TEST_CASE("host key: trust writes what the administrator knows, and nothing else", "[e2e]") {
  const Cluster cluster;
  cluster.know("");
  const Ran wrong =
      cluster.trust({"--fingerprint", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
  INFO(wrong.out << wrong.err);
  CHECK(wrong.code == 41);
  CHECK(cluster.second.dir.read("known_hosts").empty());
  const Ran nobody = cluster.trust({});  // nobody there to answer
  CHECK(nobody.code != 0);
  CHECK(cluster.second.dir.read("known_hosts").empty());
  const Ran right = cluster.trust({"--fingerprint", cluster.fingerprint()});
  INFO(right.out << right.err);
  CHECK(right.code == 0);
  CHECK(cluster.second.run().code == 0);
}

TEST_CASE("host key: a host that has got a new key is trusted again with --replace only", "[e2e]") {
  const Cluster cluster;
  const std::string old = cluster.host() + " " + cluster.other_key("ed25519") + "\n";
  const std::string bystander = "elsewhere " + cluster.other_key("ecdsa") + "\n";
  cluster.know(old + bystander);
  const Ran refused = cluster.trust({"--fingerprint", cluster.fingerprint()});
  INFO(refused.out << refused.err);
  CHECK(refused.code == 41);
  CHECK(cluster.second.dir.read("known_hosts") == old + bystander);
  const Ran done = cluster.trust({"--replace", "--fingerprint", cluster.fingerprint()});
  INFO(done.out << done.err);
  CHECK(done.code == 0);
  CHECK_THAT(cluster.second.dir.read("known_hosts"), Contains(bystander) && !Contains(old));
  CHECK(cluster.second.run().code == 0);
}
