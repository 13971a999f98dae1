// SPDX-License-Identifier: MIT
#include "base/ini.h"

#include <sys/stat.h>

#include <optional>

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace xs {
namespace {

using namespace std::string_literals;
using test::TempDir;

// Every value as "section|key|value@line".
std::string shown(const Ini& ini) {
  std::string out;
  for (const IniValue& value : ini.values()) {
    if (!out.empty()) out += ' ';
    out += value.section + "|" + value.key + "|" + value.value + "@" + std::to_string(value.line);
  }
  return out;
}

std::string parsed(std::string_view text) { return shown(Ini::parse(text, "f.ini")); }

// The text of the Usage error, or nothing of the sort.
std::string refusal(std::string_view text) {
  const auto error = test::thrown_by([&] { Ini::parse(text, "f.ini"); });
  if (!error) return "not refused";
  return error->fault() == Fault::Usage ? error->text() : "of another class: " + error->text();
}

}  // namespace

TEST_CASE("ini: each value knows its section, key, file and line", "[base]") {
  const Ini ini =
      Ini::parse("; X-Road\n[proxy]\n\nport = 5500\n[signer]\n  pin=1\n", "a/local.ini");
  REQUIRE(ini.values().size() == 2);
  CHECK(ini.values()[0] == IniValue{"proxy", "port", "5500", "a/local.ini", 4});
  CHECK(ini.values()[1] == IniValue{"signer", "pin", "1", "a/local.ini", 6});
  CHECK(ini.values()[1].where() == "a/local.ini:6");
}

TEST_CASE("ini: where() escapes the file name", "[base]") {
  CHECK(IniValue{"", "", "", "a\nb", 7}.where() == "a\\#012b:7");
}

TEST_CASE("ini: an empty text, blank lines and comments give no values", "[base]") {
  for (const std::string_view text :
       {"", "\n", "\n\n\n", " \t\r\n", "; a = b", "# a = b\n", "  ; a = b\n\t# a = b\n", "[a]",
        "\xEF\xBB\xBF", ";", "; a\x01 = b\n"}) {
    CAPTURE(text);
    CHECK(parsed(text).empty());
  }
}

TEST_CASE("ini: a comment begins only where its line begins", "[base]") {
  CHECK(parsed("k = v ; no comment # here\n") == "|k|v ; no comment # here@1");
  CHECK(parsed("k = ;v\n") == "|k|;v@1");
  CHECK(parsed("k;#x = v") == "|k;#x|v@1");
}

TEST_CASE("ini: the first '=' divides", "[base]") {
  CHECK(parsed("k = a=b==c") == "|k|a=b==c@1");
  CHECK(parsed("k==") == "|k|=@1");
  CHECK(parsed("[a=b]\nk=v") == "a=b|k|v@2");
}

TEST_CASE("ini: blanks around key, value and section are cut, inner ones stay", "[base]") {
  CHECK(parsed(" \t k  k \t=\t v  v \t\r\n") == "|k  k|v  v@1");
  CHECK(parsed("  [ a  b\tc ]  \nk=v") == "a  b\tc|k|v@2");
  CHECK(parsed("k = a\tb") == "|k|a\tb@1");
}

TEST_CASE("ini: a value may be empty", "[base]") {
  CHECK(parsed("k =") == "|k|@1");
  CHECK(parsed("k =  \n") == "|k|@1");
  const Ini ini = Ini::parse("k =", "f.ini");
  REQUIRE(ini.find("", "k") != nullptr);
  CHECK(ini.find("", "k")->value.empty());
}

TEST_CASE("ini: the last line needs no newline, and lines may end in CRLF", "[base]") {
  CHECK(parsed("[a]\nk = 1\nl = 2") == "a|k|1@2 a|l|2@3");
  CHECK(parsed("[a]\r\nk = 1\r\n\r\nl = 2\r\n") == "a|k|1@2 a|l|2@4");
  CHECK(parsed("[a]\r\nk = 1\r") == "a|k|1@2");
}

TEST_CASE("ini: a byte order mark is skipped at the start and nowhere else", "[base]") {
  CHECK(parsed("\xEF\xBB\xBF[a]\nk = 1") == "a|k|1@2");
  CHECK(parsed("\xEF\xBB\xBFk = 1") == "|k|1@1");
  CHECK(parsed("\n\xEF\xBB\xBFk = 1") == "|\xEF\xBB\xBFk|1@2");
}

TEST_CASE("ini: names and values are bytes, neither folded, expanded nor unescaped", "[base]") {
  const Ini ini = Ini::parse("[A]\nKey = ${HOME} \\n %s \"q\" 'q' \xff é\n", "f.ini");
  REQUIRE(ini.find("A", "Key") != nullptr);
  CHECK(ini.find("A", "Key")->value == "${HOME} \\n %s \"q\" 'q' \xff é");
  CHECK(ini.find("a", "Key") == nullptr);
  CHECK(ini.find("A", "key") == nullptr);
  CHECK(ini.find("", "Key") == nullptr);
  CHECK(ini.find("A", "Ke") == nullptr);
}

TEST_CASE("ini: a value before any section is in the section without a name", "[base]") {
  CHECK(parsed("k = 1\n[a]\nk = 2") == "|k|1@1 a|k|2@3");
}

TEST_CASE("ini: of one key the last value wins and the weaker ones are kept", "[base]") {
  const Ini ini = Ini::parse("[a]\nk = 1\n[b]\nk = 2\n[a]\nk = 3\n", "f.ini");
  CHECK(shown(ini) == "a|k|1@2 b|k|2@4 a|k|3@6");
  REQUIRE(ini.find("a", "k") != nullptr);
  CHECK(*ini.find("a", "k") == IniValue{"a", "k", "3", "f.ini", 6});
  CHECK(ini.find("b", "k")->value == "2");
}

TEST_CASE("ini: what is merged later is stronger and keeps its origin", "[base]") {
  Ini ini = Ini::parse("[a]\nk = weak\nonly = here", "default.ini");
  ini.merge(Ini::parse("\n\n[a]\nk = strong", "local.ini"));
  ini.merge(Ini());
  REQUIRE(ini.find("a", "k") != nullptr);
  CHECK(ini.find("a", "k")->value == "strong");
  CHECK(ini.find("a", "k")->where() == "local.ini:4");
  CHECK(ini.find("a", "only")->where() == "default.ini:3");
  CHECK(shown(ini) == "a|k|weak@2 a|only|here@3 a|k|strong@4");
}

TEST_CASE("ini: a malformed line is refused with file, line and reason", "[base]") {
  const std::string section = "malformed section: write [name]";
  CHECK(refusal("[a]\n\nneither\n") == "f.ini:3: neither [section] nor key = value");
  CHECK(refusal("= v") == "f.ini:1: there is no key before '='");
  CHECK(refusal("\r\n \t= v") == "f.ini:2: there is no key before '='");
  for (const std::string_view text : {"[", "[]", "[ ]", "[a", "[a]b", "[a] ; comment", "[[a]]",
                                      "[a]]", "[a[b]", "[a]=b", "[a] [b]", "[\n]"}) {
    CAPTURE(text);
    CHECK(refusal(text) == "f.ini:1: " + section);
  }
  CHECK(refusal("a]") == "f.ini:1: neither [section] nor key = value");
}

TEST_CASE("ini: a control character is refused with its column in the line", "[base]") {
  CHECK(refusal("k\0 = v"s) == "f.ini:1: control character at column 2: remove it");
  CHECK(refusal("\n  k = \x1b[31m\n") == "f.ini:2: control character at column 7: remove it");
  CHECK(refusal("k = a\rl = b") == "f.ini:1: control character at column 6: remove it");
  CHECK(refusal("[a\x7f]") == "f.ini:1: control character at column 3: remove it");
  CHECK(refusal("\0"s) == "f.ini:1: control character at column 1: remove it");
  CHECK(refusal("\xFF\xFE[\0a\0]\0"s) == "f.ini:1: control character at column 4: remove it");
}

TEST_CASE("ini: the file name in a refusal is escaped", "[base]") {
  const auto error = test::thrown_by([] { Ini::parse("x", "a\x1b.ini"); });
  REQUIRE(error);
  CHECK(error->text() == "a\\#033.ini:1: neither [section] nor key = value");
}

TEST_CASE("ini: no text of a refused line is in its error", "[base]") {
  const std::string secret = "hunter2";
  for (const std::string& text :
       {secret, "= " + secret, "[db] password = " + secret, "[" + secret, "[db " + secret + "]x",
        "password = \x01" + secret, "password " + secret, secret + "\0"s,
        "p = " + secret + std::string(Ini::kLineLimit, 'x')}) {
    const std::string said = refusal(text);
    CAPTURE(text, said);
    CHECK(said.rfind("f.ini:1: ", 0) == 0);
    CHECK(said.find(secret) == std::string::npos);
  }
}

TEST_CASE("ini: a line at the limit is read, one byte more is refused", "[base]") {
  const std::string fits = "k=" + std::string(Ini::kLineLimit - 2, 'x');
  CHECK(Ini::parse("\n" + fits + "\n", "f.ini").find("", "k")->value.size() == Ini::kLineLimit - 2);
  CHECK(refusal("\n" + fits + "x") == "f.ini:2: the line is longer than 16384 bytes");
}

TEST_CASE("ini: load reads a file and names it in each value", "[base]") {
  const TempDir dir;
  const std::string file = dir.write("local.ini", "[a]\nk = 1\n");
  CHECK(shown(Ini::load(file)) == "a|k|1@2");
  CHECK(Ini::load(file).values()[0].where() == file + ":2");
  CHECK(Ini::load_if_exists(file).values() == Ini::load(file).values());
  const auto error = test::thrown_by([&] { Ini::load(dir.write("bad.ini", "\nx")); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Usage);
  CHECK(error->text() == dir / "bad.ini:2: neither [section] nor key = value");
}

TEST_CASE("ini: a file at the limit is read, a larger one is an error", "[base]") {
  const TempDir dir;
  const std::string lines(Ini::kFileLimit, '\n');
  CHECK(Ini::load(dir.write("fits.ini", lines)).values().empty());
  const std::string large = dir.write("large.ini", lines + "\n");
  for (const auto load : {&Ini::load, &Ini::load_if_exists}) {
    const auto error = test::thrown_by([&] { load(large); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Io);
    CHECK(error->text() == "'" + large + "' is larger than 1048576 bytes");
  }
}

TEST_CASE("ini: only load_if_exists takes an absent file for an empty one", "[base]") {
  const TempDir dir;
  CHECK(Ini::load_if_exists(dir / "missing.ini").values().empty());
  const auto error = test::thrown_by([&] { Ini::load(dir / "missing.ini"); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Io);
  CHECK(error->code() == ENOENT);
}

TEST_CASE("ini: a directory or a fifo in place of a file is an error", "[base]") {
  const TempDir dir;
  const std::string fifo = dir / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  for (const auto load : {&Ini::load, &Ini::load_if_exists}) {
    for (const std::string& path : {fifo, dir.path()}) {
      const auto error = test::thrown_by([&] { load(path); });
      REQUIRE(error);
      CHECK(error->text() == "'" + path + "' is not a regular file");
    }
  }
}

}  // namespace xs
