// SPDX-License-Identifier: MIT
#include "sync/report/itemize.h"

#include <cstdlib>
#include <ctime>

#include "base/text.h"
#include "tests/support/catch.h"
#include "tests/support/thrown.h"

namespace xs {
namespace {

Change change(EntryType type, const std::string& flags, const std::string& path = "a") {
  Change made;
  made.path = path;
  made.type = type;
  for (const char flag : flags) {
    switch (flag) {
      case '+': made.created = true; break;
      case '-': made.deleted = true; break;
      case 'c': made.content = true; break;
      case 's': made.size = true; break;
      case 't': made.time = true; break;
      case 'p': made.mode = true; break;
      case 'o': made.owner = true; break;
      case 'g': made.group = true; break;
      case 'a': made.acl = true; break;
      case 'x': made.xattr = true; break;
      default: FAIL("no such flag");
    }
  }
  return made;
}

std::string line(const ChangeDetail& detail, const char* format = "%i %n%L") {
  return ItemFormat(format).line(detail, {});
}

ChangeDetail detail(EntryType type, const std::string& flags, const std::string& path,
                    const std::string& target = "") {
  ChangeDetail made;
  made.change = change(type, flags, path);
  made.target = target;
  return made;
}

// Deep into a file's life: everything that rsync's own man page and log show.
TEST_CASE("itemize: the lines are rsync's", "[report]") {
  CHECK(line(detail(EntryType::File, "ct", "signer/keyconf.xml")) ==
        ">f..t...... signer/keyconf.xml");
  CHECK(line(detail(EntryType::File, "+", "signer/sync.testfile")) ==
        ">f+++++++++ signer/sync.testfile");
  CHECK(line(detail(EntryType::File, "p", "b.ini")) == ".f...p..... b.ini");
  CHECK(line(detail(EntryType::File, "cs", "big")) == ">f.s....... big");
  CHECK(line(detail(EntryType::File, "ogx", "sub/a")) == ".f....og..x sub/a");
  CHECK(line(detail(EntryType::File, "csa", "big")) == ">f.s.....a. big");
  CHECK(line(detail(EntryType::Symlink, "+", "a", "b")) == "cL+++++++++ a -> b");
  CHECK(line(detail(EntryType::Symlink, "ct", "link", "conf.d/b.ini")) ==
        "cLc.t...... link -> conf.d/b.ini");
  CHECK(line(detail(EntryType::Hardlink, "+", "sub/a", "sub/hl")) == "hf+++++++++ sub/a => sub/hl");
  CHECK(line(detail(EntryType::Hardlink, "", "a", "b")) == "hf          a => b");
  CHECK(line(detail(EntryType::Hardlink, "c", "a", "b")) == "hf          a => b");
  CHECK(line(detail(EntryType::Dir, "t", "")) == ".d..t...... ./");
  CHECK(line(detail(EntryType::Dir, "+", "conf.d")) == "cd+++++++++ conf.d/");
  CHECK(line(detail(EntryType::Fifo, "+", "fifo")) == "cS+++++++++ fifo");
  CHECK(line(detail(EntryType::CharDevice, "c", "tty")) == "cDc........ tty");
  CHECK(line(detail(EntryType::File, "-", "xdir/y/f")) == "*deleting   xdir/y/f");
  CHECK(line(detail(EntryType::Dir, "-", "xdir/y")) == "*deleting   xdir/y/");
  CHECK(line(detail(EntryType::Symlink, "-", "l", "gone")) == "*deleting   l");
}

TEST_CASE("itemize: -c shows contents of files, without -t their times are not kept", "[report]") {
  CHECK(itemize(change(EntryType::File, "ct"), {true, true}) == ">fc.t......");
  CHECK(itemize(change(EntryType::File, "t"), {true, true}) == ".f..t......");
  CHECK(itemize(change(EntryType::File, "c"), {false, false}) == ">f..T......");
  CHECK(itemize(change(EntryType::File, "p"), {false, false}) == ".f...p.....");
  CHECK(itemize(change(EntryType::File, "c")) == ">f.........");
}

TEST_CASE("itemize: every change has eleven characters", "[report]") {
  for (int type = 0; type <= 7; ++type) {
    for (unsigned bits = 0; bits < 1024; ++bits) {
      std::string flags;
      const std::string all = "+-cstpogax";
      for (unsigned i = 0; i < all.size(); ++i) {
        if ((bits >> i & 1) != 0) flags += all[i];
      }
      CHECK(itemize(change(static_cast<EntryType>(type), flags)).size() == 11);
    }
  }
}

TEST_CASE("itemize: no name can forge a line, and the name comes back", "[report]") {
  const std::string evil = "a\n2026/01/01 00:00:00 [1] *deleting   b\x1b[31m\xff \\#012 \xc3\x89";
  const std::string shown = line(detail(EntryType::File, "+", evil), "%n");
  CHECK(shown.find('\n') == std::string::npos);
  CHECK(shown.find('\x1b') == std::string::npos);
  CHECK(shown.find("\xc3\x89") != std::string::npos);
  CHECK(unescape(shown) == evil);
  CHECK(line(detail(EntryType::Symlink, "+", "l", "x\ny")) == "cL+++++++++ l -> x\\#012y");
}

TEST_CASE("itemize: every escape of a format is filled", "[report]") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  ChangeDetail file = detail(EntryType::File, "+", "d/f");
  file.size = 1'234'567;
  file.mtime_ns = 1'000'000'000'000'000'000;
  file.mode = 04751;
  file.uid = 7;
  file.gid = 8;
  file.digest = Digest{};
  ItemContext context;
  context.host = "ss1.example";
  context.address = "192.0.2.1";
  context.time = "2026/11/20 17:09:41";
  context.pid = 42;
  const auto filled = [&](const char* format) { return ItemFormat(format).line(file, context); };
  CHECK(filled("%o %h [%a] %m (%l) %f") == "recv ss1.example [192.0.2.1]  (1234567) d/f");
  CHECK(filled("%p %t %M %B %U %G 100%%") ==
        "42 2026/11/20 17:09:41 2001/09/09-01:46:40 rwsr-x--x 7 8 100%");
  CHECK(filled("%C") == std::string(32, '0'));
  CHECK(filled("%'l %''l %'''l %10l|%-10l|%'12l") ==
        "1,234,567 1.23M 1.18M    1234567|1234567   |   1,234,567");
  CHECK(filled("%5n|%-5n|%2n") == "  d/f|d/f  |d/f");
  ChangeDetail gone = detail(EntryType::Dir, "-", "d");
  CHECK(line(gone, "%o %n") == "del. d/");
  CHECK(line(gone, "%n%L") == "deleting d/");
  CHECK(line(detail(EntryType::Dir, "t", ""), "%f") == ".");
  CHECK(line(detail(EntryType::Symlink, "+", "l", "t"), "%B|%C|") ==
        "rwxrwxrwx|" + std::string(32, ' ') + "|");
}

TEST_CASE("itemize: an escape that cannot be filled is refused by its name", "[report]") {
  for (const char* const format : {"%b", "x %10c", "%u", "%P"}) {
    const auto error = test::thrown_by([&] { ItemFormat made{format}; });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Unsupported);
    const char letter = std::string(format).back();
    CHECK(error->text().find(std::string("'%") + letter + "'") != std::string::npos);
  }
  for (const char* const format : {"%", "%i %", "%10", "%z", "%-", "%'", "% n", "%\n"}) {
    const auto error = test::thrown_by([&] { ItemFormat made{format}; });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
    CHECK(error->text().find('\n') == std::string::npos);
  }
}

TEST_CASE("itemize: a width as large as memory pads no line", "[report]") {
  const std::string padded = line(detail(EntryType::File, "+", "a"), "%99999999999999999999n");
  CHECK(padded.size() == 9999);
}

TEST_CASE("itemize: without %i attributes of a file alone are not told, as rsync has it",
          "[report]") {
  const ItemFormat plain("%n%L");
  CHECK_FALSE(plain.shows(change(EntryType::File, "p")));
  CHECK(plain.shows(change(EntryType::File, "c")));
  CHECK(plain.shows(change(EntryType::Dir, "p")));
  CHECK(plain.shows(change(EntryType::File, "-")));
  CHECK(plain.shows(change(EntryType::Symlink, "+")));
  CHECK(ItemFormat("%n %i").shows(change(EntryType::File, "p")));
}

}  // namespace
}  // namespace xs
