// SPDX-License-Identifier: MIT
#include "sync/report/events.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "sync/hash.h"

namespace xs {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t milliseconds(Duration span) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

// Text of ours, in which foreign bytes are escaped; escaped again where they are not.
std::string text_of(std::string_view text) {
  return std::string(is_utf8(text) ? text : escape(text));
}

}  // namespace

std::string rfc3339(WallTime when) {
  const auto since = when.time_since_epoch();
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(since).count();
  const auto whole = std::chrono::floor<std::chrono::seconds>(since).count();
  const auto seconds = static_cast<std::time_t>(whole);
  std::tm utc{};
  std::array<char, 32> date{};
  if (::gmtime_r(&seconds, &utc) == nullptr) return "1970-01-01T00:00:00.000Z";
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%s.%03dZ", date.data(),
                static_cast<int>(ms - whole * 1000));
  return text.data();
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < have ? static_cast<std::uint8_t>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= have ? kDigits[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return out;
}

std::string show_run_id(std::uint64_t run_id) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(run_id));
  return text.data();
}

// One event under way; sent when it goes out of scope.
class EventWriter::Line {
 public:
  Line(const EventWriter& writer, std::string_view event) : writer_(writer) {
    json_["v"] = 1;
    json_["event"] = event;
    json_["ts"] = rfc3339(writer.now_());
    json_["run_id"] = writer.run_id_;
  }

  template <class T>
  Line& add(const char* name, const T& value) {
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      json_[name] = text_of(value);
    } else {
      json_[name] = value;
    }
    return *this;
  }

  Line& path(std::string_view path) {
    json_["path"] = text_of(path);
    if (!is_utf8(path)) json_["path_b64"] = base64(path);
    return *this;
  }

  // ASCII only: no byte of a name reaches a terminal as it is.
  void send() const {
    writer_.sink_(json_.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n");
  }

 private:
  const EventWriter& writer_;
  Json json_;
};

EventWriter::EventWriter(std::function<void(std::string_view)> sink, std::uint64_t run_id,
                         std::function<WallTime()> now)
    : sink_(std::move(sink)), run_id_(show_run_id(run_id)), now_(std::move(now)) {}

void EventWriter::run_start(std::string_view version, std::string_view source,
                            std::string_view destination, bool dry_run) {
  Line(*this, "run_start")
      .add("version", version)
      .add("source", source)
      .add("destination", destination)
      .add("dry_run", dry_run)
      .send();
}

void EventWriter::connected(std::string_view host, std::string_view address,
                            std::string_view version) {
  Line(*this, "connected").add("host", host).add("address", address).add("version", version).send();
}

void EventWriter::plan(std::uint64_t files, std::uint64_t bytes, std::uint64_t deletes) {
  Line(*this, "plan").add("files", files).add("bytes", bytes).add("deletes", deletes).send();
}

void EventWriter::file(const ChangeDetail& detail, const ItemStyle& style) {
  Line line(*this, "file");
  line.add("itemize", itemize(detail.change, style)).path(detail.change.path);
  line.add("bytes", detail.size);
  if (!detail.target.empty() && !detail.change.deleted) line.add("target", detail.target);
  line.send();
}

void EventWriter::commit(const Digest& generation, Duration window) {
  Line(*this, "commit")
      .add("generation", to_hex(generation))
      .add("window_ms", milliseconds(window))
      .send();
}

void EventWriter::hook(std::string_view name, int exit) {
  Line(*this, "hook").add("name", name).add("exit", exit).send();
}

void EventWriter::notice(std::string_view code, std::string_view text) {
  Line(*this, "notice").add("code", code).add("text", text).send();
}

void EventWriter::warning(std::string_view text, const std::optional<std::string>& path) {
  Line line(*this, "warning");
  line.add("text", text);
  if (path) line.path(*path);
  line.send();
}

void EventWriter::error(const Error& failure, std::string_view path, std::string_view hint) {
  Line line(*this, "error");
  line.add("code", exit_code(failure.fault()))
      .add("kind", describe(failure.fault()).name)
      .add("text", failure.text())
      .add("errno", failure.code())
      .add("hint", hint.empty() ? hint_for(failure.fault()) : hint);
  if (!path.empty()) line.path(path);
  line.send();
}

void EventWriter::run_end(const RunEnd& end) {
  Line(*this, "run_end")
      .add("status", end.status)
      .add("exit", end.exit)
      .add("changed", end.changed)
      .add("duration_ms", milliseconds(end.duration))
      .add("sent", end.sent)
      .add("received", end.received)
      .send();
}

std::string_view hint_for(Fault fault) {
  switch (fault) {
    case Fault::Usage: return "check the command line and `xroad-sync config show --origin`";
    case Fault::Protocol:
      return "run `xroad-sync doctor`: is xroad-sync-server the forced command, and does the "
             "login shell of the account print nothing?";
    case Fault::Selection: return "check that both directories exist and are configured";
    case Fault::Unsupported:
      return "leave that option out; `xroad-sync --help` lists what there is";
    case Fault::Start: return "check that the remote shell or the server program is installed";
    case Fault::Network:
    case Fault::ConnectTimeout: return "check the primary, its sshd and the network between";
    case Fault::Io: return "check free space, permissions and the file system of the destination";
    case Fault::Stream:
    case Fault::Timeout: return "the next run tries again; check the network if it stays";
    case Fault::Interrupted: return "nothing to do: the next run goes on from a clean state";
    case Fault::Memory: return "raise the memory limit of the unit or make the tree smaller";
    case Fault::Partial: return "make the named files readable for the server's account";
    case Fault::Vanished: return "the primary was being changed; the next run tries again";
    case Fault::Refused:
      return "look at the primary first; if the change is meant, say so with the named option";
    case Fault::Locked: return "another run is at work: wait for it";
    case Fault::HostKey:
      return "compare the fingerprint with the primary's, then `xroad-sync trust HOST`";
    case Fault::Auth: return "on the primary: `xroad-sync authorize` with this node's public key";
    case Fault::Mismatch: return "nothing was changed; if it stays, check the memory and disks";
    case Fault::Action: return "the files are in sync; run the failed action by hand and mend it";
    case Fault::Paused: return "`xroad-sync resume` ends the pause";
    case Fault::Role: return "check node.ini: is this node what the task takes it for?";
  }
  return "";
}

}  // namespace xs
