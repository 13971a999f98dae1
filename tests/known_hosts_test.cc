// SPDX-License-Identifier: MIT
#include "protocol/known_hosts.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "base/text.h"
#include "protocol/process_stream.h"
#include "protocol/sha256.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"

using namespace xs;
using Catch::Matchers::Contains;

namespace {

std::string field(std::string_view bytes) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(bytes.size() >> shift & 0xFF);
  return out + std::string(bytes);
}

// A key as far as known_hosts looks into it.
HostKey key_of(const std::string& type, const std::string& secret) {
  return {type, field(type) + field(secret + std::string(32, 'k'))};
}

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

std::string text_of(const HostKey& key) { return key.type + " " + base64(key.blob); }

const HostKey kEd = key_of("ssh-ed25519", "one");
const HostKey kEdOther = key_of("ssh-ed25519", "two");
const HostKey kRsa = key_of("ssh-rsa", "one");
const HostKey kEcdsa = key_of("ecdsa-sha2-nistp256", "one");

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "xs-known-hosts-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    std::ofstream(file(name), std::ios::binary) << text;
    REQUIRE(::chmod(file(name).c_str(), mode) == 0);
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

std::string slurp(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What the program prints on stdout.
std::string run(const std::vector<std::string>& argv) {
  SteadyClock clock;
  const Instant deadline = clock.now() + std::chrono::seconds(30);
  ProcessStream child(argv, clock);
  child.close_write();
  std::string out;
  std::array<char, 4096> piece;
  while (clock.now() < deadline) {
    const auto got = child.read_some(piece);
    if (got == 0U) {
      const std::string words = child.last_words();
      INFO(words);
      REQUIRE_THAT(words, Catch::Matchers::EndsWith("it ended with status 0"));
      return out;
    }
    if (got) {
      out.append(piece.data(), *got);
    } else {
      child.wait(false, deadline);
    }
  }
  FAIL(argv.front() << " did not end");
  return out;
}

// The key of a .pub file, through our own reader.
HostKey public_key(const std::string& file) {
  const auto known = KnownHosts::parse("host " + slurp(file), file).lines("host", 22);
  REQUIRE(known.size() == 1);
  return known.front().key;
}

HostKeyVerdict check(const std::string& text, const HostKey& offered,
                     std::string_view host = "host", std::uint16_t port = 22) {
  return KnownHosts::parse(text, "kh").check(host, port, offered);
}

Error load_error(const std::string& file) {
  try {
    KnownHosts::load({file});
  } catch (const Error& error) {
    return error;
  }
  return Error(Fault::Usage, "no error");
}

}  // namespace

TEST_CASE("sha256: digests are those of the standard's examples", "[protocol]") {
  const auto digest = [](std::string_view bytes) {
    const auto raw = sha256(bytes);
    return hex({reinterpret_cast<const char*>(raw.data()), raw.size()});
  };
  CHECK(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("base64: every length goes there and back, and nothing else comes back", "[protocol]") {
  std::string bytes;
  for (int length = 1; length < 200; ++length) {
    bytes += static_cast<char>(length * 37);
    CHECK(to_base64(bytes) == base64(bytes));
    CHECK(from_base64(to_base64(bytes)) == bytes);
  }
  for (const char* bad : {"", "A", "AA", "AAA", "A===", "====", "AB==", "AAB=", "AA=A", "A AA",
                          "AAAA====", "AA==AAAA", "AAA\n", "AA-_"}) {
    INFO(bad);
    CHECK_FALSE(from_base64(bad));
  }
}

TEST_CASE("known_hosts: each verdict follows from the lines of the host", "[protocol]") {
  const std::string listed = "host " + text_of(kEd) + "\n";
  CHECK(check(listed, kEd) == HostKeyVerdict::Known);
  CHECK(check(listed, kEdOther) == HostKeyVerdict::Changed);
  CHECK(check(listed, kRsa) == HostKeyVerdict::OtherType);
  CHECK(check(listed, kEd, "elsewhere") == HostKeyVerdict::Unknown);
  CHECK(check("", kEd) == HostKeyVerdict::Unknown);
  CHECK(check(listed + "@revoked * " + text_of(kEd) + "\n", kEd) == HostKeyVerdict::Revoked);
}

TEST_CASE("known_hosts: a second key of one type is as good as the first", "[protocol]") {
  const std::string two =
      "host " + text_of(kEd) + "\nhost " + text_of(kRsa) + "\nhost " + text_of(kEdOther);
  CHECK(check(two, kEd) == HostKeyVerdict::Known);
  CHECK(check(two, kEdOther) == HostKeyVerdict::Known);
  CHECK(check(two, kRsa) == HostKeyVerdict::Known);
  CHECK(check(two, key_of("ssh-ed25519", "three")) == HostKeyVerdict::Changed);
  CHECK(check(two, kEcdsa) == HostKeyVerdict::OtherType);
}

TEST_CASE("known_hosts: a revoked key is refused wherever its line stands", "[protocol]") {
  const std::string good = "host " + text_of(kEd) + "\n";
  const std::string bad = "@revoked * " + text_of(kEd) + "\n";
  CHECK(check(good + bad, kEd) == HostKeyVerdict::Revoked);
  CHECK(check(bad + good, kEd) == HostKeyVerdict::Revoked);
  CHECK(check(bad, kEd, "host", 2222) == HostKeyVerdict::Revoked);
  CHECK(check(bad, kEdOther) == HostKeyVerdict::Unknown);
  CHECK(check("@revoked other " + text_of(kEd) + "\n" + good, kEd) == HostKeyVerdict::Known);
  CHECK(check("@revoked\thost\t" + text_of(kEd) + "\n" + good, kEd) == HostKeyVerdict::Revoked);
}

TEST_CASE("known_hosts: the types to ask for leave out revoked keys", "[protocol]") {
  const std::string text = "host " + text_of(kRsa) + "\nhost " + text_of(kEd) + "\nhost " +
                           text_of(kEdOther) + "\nelsewhere " + text_of(kEcdsa) + "\n@revoked * " +
                           text_of(kRsa) + "\n";
  const KnownHosts known = KnownHosts::parse(text, "kh");
  CHECK(known.types("host", 22) == std::vector<std::string>{"ssh-ed25519"});
  CHECK(known.types("elsewhere", 22) == std::vector<std::string>{"ecdsa-sha2-nistp256"});
  CHECK(known.types("nowhere", 22).empty());
  CHECK(known.types("host", 2222).empty());
}

TEST_CASE("known_hosts: only [host]:port names a host at another port", "[protocol]") {
  const std::string plain = "host " + text_of(kEd);
  const std::string ported = "[host]:2222 " + text_of(kEd);
  CHECK(check(plain, kEd, "host", 2222) == HostKeyVerdict::Unknown);
  CHECK(check(ported, kEd, "host", 2222) == HostKeyVerdict::Known);
  CHECK(check(ported, kEd, "host", 2223) == HostKeyVerdict::Unknown);
  CHECK(check(ported, kEd, "host", 22) == HostKeyVerdict::Unknown);
  CHECK(check("[2001:db8::1]:2222 " + text_of(kEd), kEd, "2001:DB8::1", 2222) ==
        HostKeyVerdict::Known);
  CHECK(check("2001:db8::1 " + text_of(kEd), kEd, "2001:db8::1") == HostKeyVerdict::Known);
}

TEST_CASE("known_hosts: patterns match as in ssh", "[protocol]") {
  const auto known = [](const std::string& names, std::string_view host) {
    return check(names + " " + text_of(kEd), kEd, host) == HostKeyVerdict::Known;
  };
  CHECK(known("HOST.Example.com", "host.eXAMPLE.com"));
  CHECK(known("a,host,b", "host"));
  CHECK(known("a,,host,", "host"));
  CHECK_FALSE(known("a,host2,b", "host"));
  CHECK(known("*.example.com", "a.b.example.com"));
  CHECK_FALSE(known("*.example.com", "example.com"));
  CHECK(known("h?st", "host"));
  CHECK_FALSE(known("h?st", "hst"));
  CHECK(known("*", "host"));
  CHECK(known("*o*t*", "host"));
  CHECK_FALSE(known("*,!host", "host"));
  CHECK_FALSE(known("!host,*", "host"));
  CHECK_FALSE(known("!h*,host", "HOST"));
  CHECK(known("!other,*", "host"));
  CHECK_FALSE(known("!other", "host"));
  CHECK_FALSE(known("!", "host"));
  CHECK_FALSE(known(",", ""));
  // ssh has no character classes.
  CHECK_FALSE(known("[h]ost", "host"));
}

TEST_CASE("known_hosts: a pattern made to backtrack is still judged at once", "[protocol]") {
  std::string pattern;
  for (int i = 0; i < 2000; ++i) pattern += "*a";
  pattern += std::string(2000, 'a');
  const std::string host(9000, 'a');
  const auto before = std::chrono::steady_clock::now();
  CHECK(check(pattern + "b " + text_of(kEd), kEd, host) == HostKeyVerdict::Unknown);
  CHECK(check(pattern + " " + text_of(kEd), kEd, host) == HostKeyVerdict::Known);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(60));
}

TEST_CASE("known_hosts: blanks, comments and line ends do not matter", "[protocol]") {
  const std::string key = kEd.type + "\t \t" + base64(kEd.blob);
  for (const std::string& text : {"host " + key, "host " + key + "\r\n", "\t host\t" + key + "\r\n",
                                  "host " + key + " a comment\n",
                                  "# comment\r\n\r\n \t \n#host\nhost " + key + "\t# more\r\n"}) {
    CAPTURE(text);
    const KnownHosts known = KnownHosts::parse(text, "kh");
    CHECK(known.check("host", 22, kEd) == HostKeyVerdict::Known);
    CHECK(known.warnings().empty());
  }
}

TEST_CASE("known_hosts: a malformed line is skipped and its place remembered", "[protocol]") {
  const std::string encoded = base64(kEd.blob);
  const std::string good = "host " + text_of(kEd) + "\n";
  std::string stray = base64(kEd.blob.substr(0, kEd.blob.size() - 1));  // ends in "=" or "=="
  REQUIRE(stray.ends_with('='));
  const std::vector<std::string> bad{
      "host",
      "host ssh-ed25519",
      "host ssh-ed25519 ",
      "host ssh-rsa " + encoded,                                     // another type inside
      "host 1024 35 1234567890",                                     // SSH protocol 1
      "host ssh-ed25519 " + encoded.substr(0, encoded.size() - 1),   // cut
      "host ssh-ed25519 " + encoded.substr(0, 4),                    // cut inside the type
      "host ssh-ed25519 " + base64(field("ssh-ed25519")),            // nothing behind the type
      "host ssh-ed25519 " + base64("\xFF\xFF\xFF\xFFssh-ed25519x"),  // a length of 2^32-1
      "host ssh-ed25519 " + stray.substr(0, stray.find('=')),        // padding left out
      "host ssh-ed25519 =" + encoded.substr(1),
      "host ssh-ed25519 !" + encoded.substr(1),
      "|1|c2FsdA==|aGFzaA== " + text_of(kEd),  // salt and hash too short
      "|1|" + base64(std::string(20, 's')) + " " + text_of(kEd),
      "|2|" + base64(std::string(20, 's')) + "|" + base64(std::string(20, 's')) + " " +
          text_of(kEd),
      std::string("ho\0st ", 6) + text_of(kEd),
      std::string(KnownHosts::kLineLimit, 'h') + " " + text_of(kEd),
      "@cert-authority * " + text_of(kEd),
      "@future * " + text_of(kEd),
  };
  for (const std::string& line : bad) {
    CAPTURE(line.substr(0, 200));
    std::string text = "# first\n";
    text.append(line).append("\n").append(good);
    const KnownHosts known = KnownHosts::parse(text, "dir/kh");
    REQUIRE(known.warnings().size() == 1);
    CHECK_THAT(known.warnings().front(), Catch::Matchers::StartsWith("dir/kh:2: "));
    CHECK(known.check("host", 22, kEd) == HostKeyVerdict::Known);
    CHECK(known.lines("host", 22).size() == 1);
    CHECK(known.lines("host", 22).front().where == "dir/kh:3");
  }
}

TEST_CASE("known_hosts: every truncation of a line is refused", "[protocol]") {
  const std::string line = "host " + text_of(kEd);
  for (std::size_t length = 1; length < line.size(); ++length) {
    CAPTURE(length);
    const KnownHosts known = KnownHosts::parse(line.substr(0, length), "kh");
    CHECK(known.warnings().size() == 1);
    CHECK(known.lines("host", 22).empty());
  }
}

TEST_CASE("known_hosts: a revoking line that cannot be read is an error", "[protocol]") {
  const std::string cut = "@revoked * ssh-ed25519 " + base64(kEd.blob).substr(0, 5);
  CHECK_THROWS_WITH(KnownHosts::parse("\n" + cut, "kh"), Contains("kh:2") && Contains("revokes"));
  CHECK_THROWS_AS(KnownHosts::parse("@revoked", "kh"), Error);
}

TEST_CASE("known_hosts: warnings are bounded and escaped", "[protocol]") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "@\x1b[2J x\n";
  const KnownHosts known = KnownHosts::parse(text, "kh");
  CHECK(known.warnings().size() == KnownHosts::kWarnings + 1);
  for (const std::string& warning : known.warnings())
    CHECK(warning.find('\x1b') == std::string::npos);
}

TEST_CASE("known_hosts: random bytes are read without an accepted key", "[protocol]") {
  const unsigned seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  constexpr std::string_view kAlphabet("|1*?!,[]:# \t\r\n=AAAAssh-ed25519@host\xFF\0", 37);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t i = random() % 300; i > 0; --i) text += kAlphabet[random() % kAlphabet.size()];
    if (text.find("@revoked") != std::string::npos) continue;
    CHECK(check(text, kEd) != HostKeyVerdict::Known);
  }
}

TEST_CASE("known_hosts: fingerprints, types and hashed names agree with ssh-keygen", "[protocol]") {
  const TempDir dir;
  const std::vector<std::array<std::string, 3>> kinds{{"ed25519", "256", "ssh-ed25519"},
                                                      {"ecdsa", "256", "ecdsa-sha2-nistp256"},
                                                      {"ecdsa", "521", "ecdsa-sha2-nistp521"},
                                                      {"rsa", "3072", "ssh-rsa"}};
  std::string text;
  std::vector<HostKey> keys;
  for (const auto& [kind, bits, type] : kinds) {
    const std::string file = dir.file(kind + bits);
    run({"ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "", "-f", file});
    keys.push_back(public_key(file + ".pub"));
    CHECK(keys.back().type == type);
    CHECK_THAT(run({"ssh-keygen", "-lf", file + ".pub"}),
               Contains(" " + fingerprint(keys.back()) + " "));
    text += "Primary.example.com,10.0.0.1 " + slurp(file + ".pub");
    text += "[primary.example.com]:2222 " + slurp(file + ".pub");
  }
  const std::string file = dir.write("known_hosts", text);
  run({"ssh-keygen", "-q", "-H", "-f", file});
  REQUIRE_THAT(slurp(file), Contains("|1|"));
  REQUIRE_THAT(slurp(file), !Contains("example"));
  const KnownHosts known = KnownHosts::load({file});
  CHECK(known.warnings().empty());
  const HostKey stranger = key_of("ssh-ed25519", "stranger");
  for (const HostKey& key : keys) {
    CHECK(known.check("PRIMARY.example.com", 22, key) == HostKeyVerdict::Known);
    CHECK(known.check("10.0.0.1", 22, key) == HostKeyVerdict::Known);
    CHECK(known.check("primary.example.com", 2222, key) == HostKeyVerdict::Known);
    CHECK(known.check("primary.example.com", 2223, key) == HostKeyVerdict::Unknown);
    CHECK(known.check("10.0.0.2", 22, key) == HostKeyVerdict::Unknown);
  }
  CHECK(known.check("primary.example.com", 22, stranger) == HostKeyVerdict::Changed);
  CHECK(known.types("primary.example.com", 22).size() == keys.size());
}

TEST_CASE("known_hosts: files add up and an absent one is fine", "[protocol]") {
  const TempDir dir;
  const std::string one = dir.write("one", "host " + text_of(kEd) + "\nbroken\n");
  const std::string two =
      dir.write("two", "\n@revoked * " + text_of(kEd) + "\nhost " + text_of(kRsa) + "\n", 0600);
  const KnownHosts known =
      KnownHosts::load({dir.file("absent"), one, dir.file("one/below-a-file"), two});
  CHECK(known.check("host", 22, kEd) == HostKeyVerdict::Revoked);
  CHECK(known.check("host", 22, kRsa) == HostKeyVerdict::Known);
  CHECK(known.warnings().size() == 1);
  CHECK(known.lines("host", 22).at(2).where == two + ":3");
  CHECK(KnownHosts::load({}).check("host", 22, kEd) == HostKeyVerdict::Unknown);
}

TEST_CASE("known_hosts: a file that others could have written is refused", "[protocol]") {
  const TempDir dir;
  const std::string good = "host " + text_of(kEd) + "\n";
  CHECK_THAT(load_error(dir.write("group", good, 0664)).text(), Contains("go-w"));
  CHECK_THAT(load_error(dir.write("other", good, 0646)).text(), Contains("go-w"));
  const std::string target = dir.write("target", good);
  const std::string link = dir.file("link");
  REQUIRE(::symlink(target.c_str(), link.c_str()) == 0);
  CHECK_THAT(load_error(link).text(), Contains("symbolic link") && Contains(link));
  CHECK_THAT(load_error(dir.file("")).text(), Contains("not a regular file"));
  const std::string fifo = dir.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THAT(load_error(fifo).text(), Contains("not a regular file"));
  const std::string limit(KnownHosts::kFileLimit, '\n');
  CHECK_NOTHROW(KnownHosts::load({dir.write("limit", limit)}));
  const Error large = load_error(dir.write("large", limit + "\n"));
  CHECK(large.fault() == Fault::Io);
  CHECK_THAT(large.text(), Contains("larger than"));
  if (::geteuid() == 0) {
    REQUIRE(::chown(target.c_str(), 12345, 0) == 0);
    CHECK_THAT(load_error(target).text(), Contains("belongs to user 12345"));
  } else {
    CHECK(load_error(dir.write("secret", good, 0)).code() == EACCES);
  }
}

TEST_CASE("known_hosts: each refusal says who, which keys, what it means and what mends it",
          "[protocol]") {
  const std::string text = "host " + text_of(kEd) + "\n[host]:2222 " + text_of(kEd) +
                           "\n@revoked * " + text_of(kRsa) + "\n";
  const KnownHosts known = KnownHosts::parse(text, "dir/kh");
  std::set<std::string> texts;
  const auto said = [&](std::uint16_t port, const HostKey& offered, HostKeyVerdict expected) {
    CHECK(known.check("host", port, offered) == expected);
    const Error error = host_key_error(expected, "host", port, offered, known);
    CHECK(error.fault() == Fault::HostKey);
    CHECK_THAT(error.text(),
               Contains("host:" + std::to_string(port)) && Contains(fingerprint(offered)));
    texts.insert(error.text());
    return error.text();
  };
  CHECK_THAT(said(22, kEdOther, HostKeyVerdict::Changed),
             Contains("CHANGED") && Contains(fingerprint(kEd)) && Contains("dir/kh:1") &&
                 Contains("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub") &&
                 Contains("`xroad-sync trust --replace host`"));
  CHECK_THAT(said(2222, kEdOther, HostKeyVerdict::Changed),
             Contains("dir/kh:2") && Contains("`xroad-sync trust --replace host:2222`"));
  CHECK_THAT(said(22, kEcdsa, HostKeyVerdict::OtherType),
             Contains("another type") && Contains(fingerprint(kEd)) && Contains("dir/kh:1") &&
                 Contains("`xroad-sync trust host`"));
  CHECK_THAT(said(22, kRsa, HostKeyVerdict::Revoked),
             Contains("REVOKED") && Contains("dir/kh:3") && Contains("`xroad-sync trust host`"));
  CHECK_THAT(
      said(2223, kEd, HostKeyVerdict::Unknown),
      Contains("unknown") && !Contains("dir/kh") && Contains("`xroad-sync trust host:2223`"));
  CHECK(texts.size() == 5);
  const Error six = host_key_error(HostKeyVerdict::Unknown, "2001:db8::1", 2222, kEd, known);
  CHECK_THAT(six.text(), Contains("`xroad-sync trust [2001:db8::1]:2222`"));
  const Error odd = host_key_error(HostKeyVerdict::Unknown, "h\x1b", 22, {"ssh\n", "x"}, known);
  CHECK(odd.text().find_first_of("\x1b\n") == std::string::npos);
}
