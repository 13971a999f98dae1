// SPDX-License-Identifier: MIT
#include "sync/report/journal_events.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/io.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace xs {
namespace {

using test::TempDir;

class Journal {
 public:
  Journal() : path_(dir_ / "socket"), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  const std::string& path() const { return path_; }

  // Fields without newlines; empty when nothing came.
  std::map<std::string, std::string> next() {
    std::string buffer(65536, '\0');
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    std::map<std::string, std::string> fields;
    if (got <= 0) return fields;
    std::istringstream in(buffer.substr(0, static_cast<std::size_t>(got)));
    for (std::string line; std::getline(in, line);) {
      const std::size_t sign = line.find('=');
      REQUIRE(sign != std::string::npos);
      fields[line.substr(0, sign)] = line.substr(sign + 1);
    }
    return fields;
  }

 private:
  TempDir dir_;
  std::string path_;
  Fd fd_;
};

TEST_CASE("journal events: the catalogue explains each, and nothing else", "[report]") {
  const std::string text =
      read_file(std::string(XS_SOURCE_DIR) + "/systemd/xroad-sync.catalog", 1 << 20);
  std::set<std::string> explained;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("-- ", 0) == 0) CHECK(explained.insert(line.substr(3)).second);
  }
  std::set<std::string> sent;
  std::set<std::string_view> names;
  for (const JournalEventInfo& info : kJournalEvents) {
    CHECK(std::regex_match(std::string(info.message_id), std::regex("[0-9a-f]{32}")));
    sent.insert(std::string(info.message_id));
    names.insert(info.name);
  }
  CHECK(sent == explained);
  CHECK(sent.size() == kJournalEvents.size());
  CHECK(names.size() == kJournalEvents.size());
}

TEST_CASE("journal events: the catalogue names only fields that its events have", "[report]") {
  Journal journal;
  JournalEvents events(journal.path(), "xroad-sync", 1, "ss1");
  std::map<std::string, std::map<std::string, std::string>> seen;
  const auto take = [&] {
    auto fields = journal.next();
    seen[fields["MESSAGE_ID"]] = fields;
  };
  events.synced({}, "abc", true);
  take();
  events.synced({}, "abc", false);
  take();
  events.file({}, {});
  take();
  events.failed(Error(Fault::Auth, "refused", 13));
  take();
  for (const JournalEventInfo& info : kJournalEvents) {
    if (seen.count(std::string(info.message_id)) != 0) continue;
    events.tell(info.event, "text", "some/path");
    take();
  }
  std::istringstream in(
      read_file(std::string(XS_SOURCE_DIR) + "/systemd/xroad-sync.catalog", 1 << 20));
  std::string id;
  const std::regex field("@([A-Z_]+)@");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("-- ", 0) == 0) id = line.substr(3);
    for (std::sregex_iterator at(line.begin(), line.end(), field), end; at != end; ++at) {
      INFO(line);
      CHECK(seen[id].count((*at)[1]) == 1);
    }
  }
}

TEST_CASE("journal events: a failure has its class, code, errno and what to do", "[report]") {
  Journal journal;
  JournalEvents events(journal.path(), "xroad-sync", 0xab, "ss1");
  events.failed(Error(Fault::Io, "write 'x\\#012': No space left on device", 28));
  const auto fields = journal.next();
  CHECK(fields.at("MESSAGE") == "write 'x\\#012': No space left on device");
  CHECK(fields.at("PRIORITY") == "3");
  CHECK(fields.at("SYSLOG_IDENTIFIER") == "xroad-sync");
  CHECK(fields.at("XROAD_SYNC_EVENT") == "error");
  CHECK(fields.at("XROAD_SYNC_RUN_ID") == "00000000000000ab");
  CHECK(fields.at("XROAD_SYNC_EXIT") == "11");
  CHECK(fields.at("XROAD_SYNC_FAULT") == "io");
  CHECK(fields.at("ERRNO") == "28");
}

TEST_CASE("journal events: a name forges no field", "[report]") {
  Journal journal;
  JournalEvents events(journal.path(), "xroad-sync", 1, "ss1");
  ChangeDetail detail;
  detail.change.path = "a b";
  detail.change.created = true;
  events.file(detail, {});
  CHECK(journal.next().at("XROAD_SYNC_PATH") == "a b");
  CHECK(journal_datagram({{"XROAD_SYNC_PATH", "a\nPRIORITY=0"}}).find("\nPRIORITY=0\n") ==
        std::string("XROAD_SYNC_PATH\n").size() + 8 + 1);
  events.tell(JournalEvent::Left, "text\nPRIORITY=0");
  CHECK(journal.next().at("MESSAGE") == "text\\#012PRIORITY=0");
}

TEST_CASE("journal events: without a journal nothing happens", "[report]") {
  const TempDir dir;
  JournalEvents events(dir / "absent", "xroad-sync", 1, "ss1");
  CHECK_NOTHROW(events.tell(JournalEvent::Paused, "paused"));
}

}  // namespace
}  // namespace xs
