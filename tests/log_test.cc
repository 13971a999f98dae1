// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/io.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace xs {
namespace {

using namespace std::string_literals;
using test::TempDir;

LogConfig to_file(const std::string& file) {
  LogConfig config;
  config.to_stderr = false;
  config.file = file;
  return config;
}

LogConfig to_journal(const std::string& socket) {
  LogConfig config;
  config.to_stderr = false;
  config.to_journal = true;
  config.journal_socket = socket;
  return config;
}

// A logger in which nothing may throw: spdlog would catch it and print it.
std::shared_ptr<spdlog::logger> strict_logger(const LogConfig& config) {
  auto logger = make_logger(config);
  logger->set_error_handler([](const std::string& what) { FAIL_CHECK("log threw: " << what); });
  return logger;
}

std::string refusal(const LogConfig& config) {
  const auto error = test::thrown_by([&] { make_logger(config); });
  if (!error) return "not refused";
  return error->fault() == Fault::Io ? error->text() : "of another class: " + error->text();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What follows "] " in a line of a log file.
std::string text_of(const std::string& line) { return line.substr(line.find("] ") + 2); }

mode_t mode_of(const std::string& path) {
  struct stat st {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  return st.st_mode & 07777;
}

class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

// Our stderr, led into a file.
class StderrTo {
 public:
  explicit StderrTo(const std::string& file) : before_(::dup(STDERR_FILENO)) {
    const Fd fd = open_file(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
    REQUIRE(::dup2(fd.get(), STDERR_FILENO) == STDERR_FILENO);
  }
  ~StderrTo() { ::dup2(before_.get(), STDERR_FILENO); }
  StderrTo(const StderrTo&) = delete;
  StderrTo& operator=(const StderrTo&) = delete;

 private:
  Fd before_;
};

// A journal of our own: a datagram socket that is read when the test asks.
class Journal {
 public:
  Journal() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path().c_str(), path().size() + 1);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  std::string path() const { return dir_ / "journal"; }
  // The next datagram; empty when there is none.
  std::string next() {
    std::array<char, 65'536> into{};
    const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
    return got < 0 ? "" : std::string(into.data(), static_cast<std::size_t>(got));
  }
  void vanish() {
    fd_ = Fd();
    REQUIRE(::unlink(path().c_str()) == 0);
  }

 private:
  TempDir dir_;
  Fd fd_;
};

// The descriptors that we have open now.
std::set<int> descriptors() {
  std::set<int> open;
  DIR* dir = ::opendir("/proc/self/fd");
  REQUIRE(dir != nullptr);
  while (const dirent* entry = ::readdir(dir)) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != ::dirfd(dir)) open.insert(fd);
  }
  ::closedir(dir);
  return open;
}

std::string message(const std::string& text, int priority = 6) {
  return "MESSAGE=" + text + "\nPRIORITY=" + std::to_string(priority) +
         "\nSYSLOG_IDENTIFIER=xroad-sync\n";
}

// Texts with which somebody would like to write a line of his own or to reach a terminal.
struct Forgery {
  std::string given;
  std::string shown;
};
const Forgery kForgeries[] = {
    {"a\n2026/11/20 11:42:01 [1] forged", "a\\#0122026/11/20 11:42:01 [1] forged"},
    {"a\rb", "a\\#015b"},
    {"\x1b[2J\x07\x7f", "\\#033[2J\\#007\\#177"},
    {"a\0b"s, "a\\#000b"},
    {"\u009b31m\u0085x", "\\#302\\#23331m\\#302\\#205x"},
    {"\x9b\xff", "\\#233\\#377"},
    {"\u202eevil\u2028x", "\\#342\\#200\\#256evil\\#342\\#200\\#250x"},
    {"escaped \\#012 before \\ after\\", "escaped \\#012 before \\ after\\"},
    {"\\\n\\", "\\\\#012\\"},
    {"Énode 日本 👩‍🔧 {} %v", "Énode 日本 👩‍🔧 {} %v"},
    {"", ""},
};

}  // namespace

TEST_CASE("log: a line of the file is date, time, process and text", "[base]") {
  const TempDir dir;
  const std::time_t before = std::time(nullptr);
  strict_logger(to_file(dir / "log"))->info("synced {} files", 3);
  const std::string log = dir.read("log");
  std::tm local{};
  local.tm_isdst = -1;
  REQUIRE(::strptime(log.c_str(), "%Y/%m/%d %H:%M:%S [", &local) != nullptr);
  std::array<char, 32> date{};
  REQUIRE(std::strftime(date.data(), date.size(), "%Y/%m/%d %H:%M:%S", &local) == 19);
  CHECK(log == date.data() + (" [" + std::to_string(::getpid()) + "] synced 3 files\n"));
  const std::time_t logged = std::mktime(&local);
  CHECK(logged >= before);
  CHECK(logged <= std::time(nullptr));
}

TEST_CASE("log: no text forges a line of the file", "[base]") {
  const TempDir dir;
  const auto logger = strict_logger(to_file(dir / "log"));
  for (const Forgery& forgery : kForgeries) logger->warn("{}", forgery.given);
  const auto lines = lines_of(dir.read("log"));
  REQUIRE(lines.size() == std::size(kForgeries));
  for (std::size_t i = 0; i < lines.size(); ++i) CHECK(text_of(lines[i]) == kForgeries[i].shown);
}

TEST_CASE("log: what is below the level is not written", "[base]") {
  const TempDir dir;
  LogConfig config = to_file(dir / "log");
  config.level = spdlog::level::warn;
  const auto logger = strict_logger(config);
  logger->debug("debug");
  logger->info("info");
  logger->warn("warn");
  logger->error("error");
  const auto lines = lines_of(dir.read("log"));
  REQUIRE(lines.size() == 2);
  CHECK(text_of(lines[0]) == "warn");
  CHECK(text_of(lines[1]) == "error");
}

TEST_CASE("log: the file is made 0640 even under umask 0, and appended to", "[base]") {
  const TempDir dir;
  const Umask none(0);
  strict_logger(to_file(dir / "log"))->info("one");
  CHECK(mode_of(dir / "log") == 0640);
  strict_logger(to_file(dir / "log"))->info("two");
  CHECK(lines_of(dir.read("log")).size() == 2);
  strict_logger(to_file(dir.write("old", "kept\n", 0600)))->info("new");
  CHECK(mode_of(dir / "old") == 0600);
  CHECK(dir.read("old").rfind("kept\n", 0) == 0);
}

TEST_CASE("log: a symbolic link for a log file is refused and its target untouched", "[base]") {
  const TempDir dir;
  dir.write("target", "kept");
  const std::string link = dir / "link";
  REQUIRE(::symlink("target", link.c_str()) == 0);
  CHECK(refusal(to_file(link)) ==
        "log file '" + link + "' is a symbolic link: name the file itself");
  REQUIRE(::symlink("absent", (dir / "dangling").c_str()) == 0);
  CHECK(refusal(to_file(dir / "dangling")).find("is a symbolic link") != std::string::npos);
  CHECK(dir.read("target") == "kept");
  CHECK(::access((dir / "absent").c_str(), F_OK) != 0);
}

TEST_CASE("log: a log file of a stranger is refused", "[base]") {
  const TempDir dir;
  const std::string file = dir.write("log", "");
  if (::geteuid() != 0) {
    WARN("only root can give a file away: not tested");
    return;
  }
  REQUIRE(::chown(file.c_str(), 65534, 65534) == 0);
  CHECK(refusal(to_file(file)) == "log file '" + file +
                                      "' belongs to user 65534: it must belong to root or to the "
                                      "user of this program");
  CHECK(dir.read("log").empty());
}

TEST_CASE("log: a fifo, a device, a directory or an absent parent is refused at once", "[base]") {
  const TempDir dir;
  const std::string fifo = dir / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(refusal(to_file(fifo)).find("log file '" + fifo + "'") != std::string::npos);
  const Fd reader = open_file(fifo, O_RDONLY | O_NONBLOCK);
  CHECK(refusal(to_file(fifo)) == "log file '" + fifo + "' is not a regular file");
  CHECK(refusal(to_file("/dev/null")) == "log file '/dev/null' is not a regular file");
  CHECK(refusal(to_file(dir.path())) == "open log file '" + dir.path() + "': Is a directory");
  CHECK(refusal(to_file(dir / "a\n/log")) ==
        "open log file '" + dir.path() + "/a\\#012/log': No such file or directory");
}

TEST_CASE("log: a refused set-up leaves no descriptor open, a good one none across exec",
          "[base]") {
  const TempDir dir;
  Journal journal;
  const auto before = descriptors();
  LogConfig config = to_journal(journal.path() + "-absent");
  config.file = dir / "log";
  CHECK(refusal(config) != "not refused");
  CHECK(descriptors() == before);
  config.journal_socket = journal.path();
  const auto logger = strict_logger(config);
  const auto now = descriptors();
  CHECK(now.size() == before.size() + 2);
  for (const int fd : now) {
    if (before.count(fd) == 0) CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("log: processes that share a file write whole lines", "[base]") {
  constexpr int kProcesses = 4;
  constexpr std::size_t kLines = 150;
  const TempDir dir;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const auto logger = make_logger(to_file(dir / "log"));
      const std::string text(5000, static_cast<char>('a' + i));
      for (std::size_t n = 0; n < kLines; ++n) logger->info("{}", text);
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  const auto lines = lines_of(dir.read("log"));
  CHECK(lines.size() == kProcesses * kLines);
  CHECK(std::all_of(lines.begin(), lines.end(), [&](const std::string& line) {
    const std::string text = text_of(line);
    const auto writer =
        std::find(children.begin(), children.end(), std::atoi(line.c_str() + line.find('[') + 1));
    return writer != children.end() &&
           text == std::string(5000, static_cast<char>('a' + (writer - children.begin())));
  }));
}

TEST_CASE("log: a line on stderr is the program and the text, and cannot be forged", "[base]") {
  const TempDir dir;
  LogConfig config;
  config.identifier = "prog";
  {
    const StderrTo file(dir / "stderr");
    const auto logger = strict_logger(config);
    logger->error("plain");
    for (const Forgery& forgery : kForgeries) logger->info("{}", forgery.given);
  }
  std::string expected = "prog: plain\n";
  for (const Forgery& forgery : kForgeries) expected += "prog: " + forgery.shown + "\n";
  CHECK(dir.read("stderr") == expected);
}

TEST_CASE("log: a full disk neither throws nor blocks", "[base]") {
  const StderrTo full("/dev/full");
  const auto logger = strict_logger(LogConfig());
  for (int i = 0; i < 10; ++i) logger->info("lost");
}

TEST_CASE("log: the journal gets message, priority and identifier in one datagram", "[base]") {
  Journal journal;
  LogConfig config = to_journal(journal.path());
  config.level = spdlog::level::trace;
  const auto logger = strict_logger(config);
  logger->critical("c");
  logger->error("e");
  logger->warn("w");
  logger->info("two {}", "words");
  logger->debug("d");
  logger->trace("t");
  CHECK(journal.next() == message("c", 2));
  CHECK(journal.next() == message("e", 3));
  CHECK(journal.next() == message("w", 4));
  CHECK(journal.next() == message("two words", 6));
  CHECK(journal.next() == message("d", 7));
  CHECK(journal.next() == message("t", 7));
  CHECK(journal.next().empty());
}

TEST_CASE("log: no text forges a field of the journal", "[base]") {
  Journal journal;
  const auto logger = strict_logger(to_journal(journal.path()));
  logger->info("x\nPRIORITY=0\n_UID=0");
  CHECK(journal.next() == message("x\\#012PRIORITY=0\\#012_UID=0"));
  for (const Forgery& forgery : kForgeries) {
    logger->info("{}", forgery.given);
    CHECK(journal.next() == message(forgery.shown));
  }
}

TEST_CASE("log: a journal that nobody reads costs messages, not the run", "[base]") {
  Journal journal;
  const auto logger = strict_logger(to_journal(journal.path()));
  for (int i = 0; i < 5000; ++i) logger->info("{}", i);
  CHECK(journal.next() == message("0"));
  int kept = 1;
  while (!journal.next().empty()) ++kept;
  CHECK(kept < 5000);
  logger->info("again");
  CHECK(journal.next() == message("again"));
}

TEST_CASE("log: a journal that goes away costs messages, not the run", "[base]") {
  Journal journal;
  const TempDir dir;
  LogConfig config = to_journal(journal.path());
  config.file = dir / "log";
  const auto logger = strict_logger(config);
  journal.vanish();
  for (int i = 0; i < 10; ++i) logger->info("{}", i);
  CHECK(lines_of(dir.read("log")).size() == 10);
}

TEST_CASE("log: a journal socket that is absent or has too long a path is refused", "[base]") {
  const TempDir dir;
  const std::string absent = dir / "absent";
  CHECK(refusal(to_journal(absent)) == "connect '" + absent + "': No such file or directory");
  const std::string longest(sizeof sockaddr_un{}.sun_path, 'x');
  CHECK(refusal(to_journal(longest)) == "journal socket '" + longest + "': the path is too long");
}

TEST_CASE("log: a journal field with a newline is sent with its length", "[base]") {
  CHECK(journal_datagram({}).empty());
  CHECK(journal_datagram({{"A", "b=c"}, {"D", ""}}) == "A=b=c\nD=\n");
  CHECK(journal_datagram({{"A", "b\nc"}, {"D", "e"}}) == "A\n\x03\0\0\0\0\0\0\0b\nc\nD=e\n"s);
  CHECK(journal_datagram({{"A", "\n"}}) == "A\n\x01\0\0\0\0\0\0\0\n\n"s);
  const std::string big = std::string(0x010203, 'x') + "\n";
  CHECK((journal_datagram({{"A", big}}) == "A\n\x04\x02\x01\0\0\0\0\0"s + big + "\n"));
  CHECK(journal_datagram({{"A", "\0\xff"s}}) == "A=\0\xff\n"s);
}

TEST_CASE("log: an installed logger gets what is logged by name of no logger", "[base]") {
  const TempDir dir;
  const auto before = spdlog::default_logger();
  install_logger(to_file(dir / "log"));
  spdlog::warn("found {}", "me");
  spdlog::debug("not me");
  spdlog::set_default_logger(before);
  const auto lines = lines_of(dir.read("log"));
  REQUIRE(lines.size() == 1);
  CHECK(text_of(lines[0]) == "found me");
}

TEST_CASE("log: without sinks a logger is silent", "[base]") {
  LogConfig config;
  config.to_stderr = false;
  CHECK(make_logger(config)->sinks().empty());
}

}  // namespace xs
