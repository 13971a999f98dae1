// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <mutex>
#include <new>

#include "base/fd.h"
#include "base/text.h"

namespace xs {
namespace {

// %v, escaped: names are escaped where they are put in, this is the second fence.
class EscapedText final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& msg, const std::tm&,
              spdlog::memory_buf_t& dest) override {
    const std::string shown = escape_again({msg.payload.data(), msg.payload.size()});
    dest.append(shown.data(), shown.data() + shown.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<EscapedText>();
  }
};

std::unique_ptr<spdlog::formatter> formatter(std::string pattern) {
  auto made = std::make_unique<spdlog::pattern_formatter>();
  made->add_flag<EscapedText>('*').set_pattern(std::move(pattern));
  return made;
}

// Writes whole lines to a descriptor with one write(2) each: lines of several processes do not mix.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LineSink(Fd owned, int fd, std::unique_ptr<spdlog::formatter> format)
      : base_sink(std::move(format)), owned_(std::move(owned)), fd_(fd) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    spdlog::memory_buf_t line;
    formatter_->format(msg, line);
    std::string_view rest(line.data(), line.size());
    while (!rest.empty()) {
      const ssize_t put = ::write(fd_, rest.data(), rest.size());
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0)
        return;  // a full disk must not end a sync: the journal and the exit code still speak
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  void flush_() override {}

 private:
  Fd owned_;
  int fd_;
};

int syslog_priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return 2;
    case spdlog::level::err: return 3;
    case spdlog::level::warn: return 4;
    case spdlog::level::info: return 6;
    default: return 7;
  }
}

class JournalSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  JournalSink(std::string identifier, const std::string& path)
      : base_sink(formatter("%*")), identifier_(std::move(identifier)), socket_(path) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    spdlog::memory_buf_t text;
    formatter_->format(msg, text);
    socket_.send({
        {"MESSAGE", std::string(trim({text.data(), text.size()}))},
        {"PRIORITY", std::to_string(syslog_priority(msg.level))},
        {"SYSLOG_IDENTIFIER", identifier_},
    });
  }
  void flush_() override {}

 private:
  std::string identifier_;
  JournalSocket socket_;
};

}  // namespace

Fd open_log_file(const std::string& path) {
  const int raw = ::open(path.c_str(),
                         O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
  if (raw < 0 && errno == ELOOP) {
    throw Error(Fault::Io, "log file " + quote(path) + " is a symbolic link: name the file itself",
                ELOOP);
  }
  if (raw < 0) throw_errno("open log file", path);
  Fd fd(raw);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("fstat", path);
  if (!S_ISREG(st.st_mode))
    throw Error(Fault::Io, "log file " + quote(path) + " is not a regular file");
  if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
    throw Error(Fault::Io, "log file " + quote(path) + " belongs to user " +
                               std::to_string(st.st_uid) +
                               ": it must belong to root or to the user of this program");
  }
  return fd;
}

std::string journal_datagram(const std::vector<JournalField>& fields) {
  std::string out;
  for (const JournalField& field : fields) {
    out += field.name;
    if (field.value.find('\n') == std::string::npos) {
      out += "=" + field.value + "\n";
      continue;
    }
    // The form for values with newlines: name, newline, 64-bit little-endian length, bytes,
    // newline.
    out += '\n';
    for (std::size_t i = 0; i < 8; ++i)
      out += static_cast<char>(field.value.size() >> (8 * i) & 0xFF);
    out += field.value + "\n";
  }
  return out;
}

JournalSocket::JournalSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw Error(Fault::Io, "journal socket " + quote(path) + ": the path is too long");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) throw_errno("socket", path);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw_errno("connect", path);
  }
}

void JournalSocket::send(const std::vector<JournalField>& fields) const noexcept {
  try {
    const std::string datagram = journal_datagram(fields);
    (void)::send(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL);
  } catch (const std::bad_alloc&) {
    return;  // lost, as when nobody reads
  }
}

std::shared_ptr<spdlog::logger> make_logger(const LogConfig& config) {
  auto logger = std::make_shared<spdlog::logger>(config.identifier);
  if (config.to_stderr) {
    logger->sinks().push_back(
        std::make_shared<LineSink>(Fd(), STDERR_FILENO, formatter(config.identifier + ": %*")));
  }
  if (!config.file.empty()) {
    Fd fd = open_log_file(config.file);
    const int raw = fd.get();
    logger->sinks().push_back(
        std::make_shared<LineSink>(std::move(fd), raw, formatter("%Y/%m/%d %H:%M:%S [%P] %*")));
  }
  if (config.to_journal) {
    logger->sinks().push_back(
        std::make_shared<JournalSink>(config.identifier, config.journal_socket));
  }
  logger->set_level(config.level);
  return logger;
}

void install_logger(const LogConfig& config) { spdlog::set_default_logger(make_logger(config)); }

}  // namespace xs
