// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <string>
#include <type_traits>

#include "tests/support/catch.h"
#include "tests/support/thrown.h"

namespace xs {
namespace {

bool is_dashed_word(std::string_view name) {
  const bool letters = std::all_of(name.begin(), name.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
  return letters && !name.empty() && name.front() != '-' && name.back() != '-' &&
         name.find("--") == std::string_view::npos;
}

}  // namespace

TEST_CASE("error: no two faults share a number, a name or a meaning", "[base]") {
  std::set<int> numbers;
  std::set<std::string_view> names;
  std::set<std::string_view> meanings;
  for (const FaultInfo& info : kFaults) {
    CHECK(numbers.insert(exit_code(info.fault)).second);
    CHECK(names.insert(info.name).second);
    CHECK(meanings.insert(info.meaning).second);
  }
}

TEST_CASE("error: a fault's name is lower-case words with dashes", "[base]") {
  for (const FaultInfo& info : kFaults) {
    INFO(info.name);
    CHECK(is_dashed_word(info.name));
    CHECK(info.meaning.size() > 5);
  }
}

TEST_CASE("error: an exit code is neither success nor one that the shell gives", "[base]") {
  for (const FaultInfo& info : kFaults) {
    CHECK(exit_code(info.fault) > 0);
    CHECK(exit_code(info.fault) < 126);
  }
}

TEST_CASE("error: the number of a fault never changes", "[base]") {
  std::string table;
  for (const FaultInfo& info : kFaults) {
    table += std::to_string(exit_code(info.fault)) + " " + std::string(info.name) + "\n";
  }
  CHECK(table ==
        "1 usage\n2 protocol\n3 selection\n4 unsupported\n5 start\n10 network\n11 io\n12 stream\n"
        "20 interrupted\n22 memory\n23 partial\n24 vanished\n25 refused\n30 timeout\n"
        "35 connect-timeout\n40 locked\n41 host-key\n42 auth\n43 mismatch\n44 action\n45 paused\n"
        "46 role\n");
}

TEST_CASE("error: find_fault knows the numbers of the table and no others", "[base]") {
  std::size_t known = 0;
  for (int number = 0; number < 256; ++number) {
    const FaultInfo* info = find_fault(static_cast<std::uint8_t>(number));
    if (info == nullptr) continue;
    ++known;
    CHECK(exit_code(info->fault) == number);
  }
  CHECK(known == kFaults.size());
}

TEST_CASE("error: describe gives each fault its own row", "[base]") {
  for (const FaultInfo& info : kFaults) CHECK(&describe(info.fault) == &info);
}

TEST_CASE("error: an error carries its fault, text and code, also as std::exception", "[base]") {
  const Error error(Fault::Locked, "somebody is at work", EBUSY);
  const std::exception& base = error;
  CHECK(error.fault() == Fault::Locked);
  CHECK(error.text() == "somebody is at work");
  CHECK(std::string(base.what()) == error.text());
  CHECK(error.code() == EBUSY);
  CHECK(Error(Fault::Usage, "x").code() == 0);
}

TEST_CASE("error: throw_errno is of class Io and says call, subject and reason", "[base]") {
  const auto error = test::thrown_by([] { throw_errno("fsync", "keyconf.xml", ENOSPC); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Io);
  CHECK(error->code() == ENOSPC);
  CHECK(error->text() == "fsync 'keyconf.xml': No space left on device");
}

TEST_CASE("error: throw_errno escapes the subject", "[base]") {
  const auto error = test::thrown_by([] { throw_errno("open", "a\x1b[2J\nb\xff", EACCES); });
  REQUIRE(error);
  CHECK(error->text() == "open 'a\\#033[2J\\#012b\\#377': Permission denied");
}

TEST_CASE("error: throw_errno takes errno as it stands, and any fault", "[base]") {
  const auto error = test::thrown_by([] {
    errno = ETIMEDOUT;
    throw_errno(Fault::Network, "connect", "ss1");
  });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Network);
  CHECK(error->code() == ETIMEDOUT);
  CHECK(error->text() == "connect 'ss1': " + errno_text(ETIMEDOUT));
}

TEST_CASE("error: errno_text differs by number and keeps its earlier answers", "[base]") {
  const std::string missing = errno_text(ENOENT);
  CHECK(errno_text(EACCES) == "Permission denied");
  CHECK(missing == "No such file or directory");
  CHECK_FALSE(errno_text(123456).empty());
}

}  // namespace xs
