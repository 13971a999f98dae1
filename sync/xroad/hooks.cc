// SPDX-License-Identifier: MIT
#include "sync/xroad/hooks.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>

#include "base/child.h"
#include "base/io.h"
#include "base/text.h"
#include "sync/dir.h"

namespace xs {
namespace {

constexpr unsigned kOthersWrite = 0022;
constexpr unsigned kAnyExecute = 0111;

constexpr auto kLeftovers =
    std::to_array<std::string_view>({"~", ".bak", ".swp", ".disabled", ".dpkg-old", ".dpkg-dist",
                                     ".dpkg-new", ".dpkg-tmp", ".rpmsave", ".rpmnew", ".rpmorig"});

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_hook_name(std::string_view name) {
  if (name.front() == '.') return false;
  for (const std::string_view leftover : kLeftovers) {
    if (ends_with(name, leftover)) return false;
  }
  return true;
}

// Why its owner and mode do not let us trust it; empty: they do.
std::string distrust(const FileStat& st) {
  if (st.uid != 0 && st.uid != ::geteuid()) {
    return "it belongs to user " + std::to_string(st.uid) + " and not to root or to us";
  }
  if ((st.mode & kOthersWrite) != 0) return "others may write it: chmod go-w";
  return {};
}

// A file that only we can read, gone with this object.
class PrivateFile {
 public:
  explicit PrivateFile(const std::string& dir) : path_(dir + "/xroad-sync-changed-XXXXXX") {
    fd_ = Fd(::mkostemp(path_.data(), O_CLOEXEC));
    if (!fd_) throw_errno(Fault::Action, "mkstemp", dir);
  }
  ~PrivateFile() { ::unlink(path_.c_str()); }
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;

  void fill(const std::vector<std::string>& paths) {
    std::string bytes;
    for (const std::string& path : paths) bytes += path + '\0';
    for (std::string_view rest = bytes; !rest.empty();) {
      rest.remove_prefix(write_some(fd_.get(), rest, path_).value_or(0));
    }
    fd_.close(path_);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd fd_;
};

void log_output(const std::string& name, const ChildResult& result) {
  std::string_view rest = result.output;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    spdlog::info("hook {}: {}", quote(name), escape(rest.substr(0, end)));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (result.cut) spdlog::info("hook {}: (more output than is kept)", quote(name));
}

class Run {
 public:
  Run(const HookRequest& request, Clock& clock, HookReport& report)
      : request_(request), clock_(clock), report_(report), deadline_(clock.now() + request.limit) {}

  void all() {
    const auto dir = open();
    if (!dir) return;
    const std::vector<std::string> names = find(*dir);
    if (names.empty()) return;
    PrivateFile changed(request_.temp_dir);
    changed.fill(request_.changed);
    for (const std::string& name : names) one(name, changed.path());
  }

 private:
  std::optional<Dir> open() {
    try {
      Dir dir = Dir::open_root(request_.directory);
      const std::string reason = distrust(dir.stat(Dir::kSelf));
      if (reason.empty()) return dir;
      fail("no hook was run: " + quote(request_.directory) + ": " + reason);
    } catch (const Error& error) {
      if (error.code() != ENOENT) fail("no hook was run: " + error.text());
    }
    return std::nullopt;
  }

  std::vector<std::string> find(const Dir& dir) {
    Listing listing;
    dir.list(listing);
    listing.sort();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < listing.size(); ++i) {
      const std::string name(listing.name(i));
      if (is_hook_name(name) && is_hook(dir, name)) names.push_back(name);
    }
    return names;
  }

  bool is_hook(const Dir& dir, const std::string& name) {
    const auto st = dir.stat_if_exists(name);
    if (!st || st->is_dir() || (st->is_file() && (st->mode & kAnyExecute) == 0)) return false;
    const std::string reason =
        st->is_file() ? distrust(*st) : std::string("it is not a regular file");
    if (!reason.empty()) fail("hook " + quote(name) + " was not run: " + reason);
    return reason.empty();
  }

  void one(const std::string& name, const std::string& changed_file) {
    const Duration left = deadline_ - clock_.now();
    if (left <= Duration::zero()) {
      return fail("hook " + quote(name) + " was not run: the time for all hooks was over");
    }
    try {
      ChildRequest child;
      child.argv = {request_.directory + "/" + name};
      child.environment = environment(name, changed_file);
      child.limit = left;
      const ChildResult result = run_child(child, clock_);
      report_.ran.push_back(name);
      log_output(name, result);
      if (!result.ok()) fail("hook " + quote(name) + " " + result.words());
    } catch (const Error& error) {
      fail("hook " + quote(name) + ": " + error.text());
    }
  }

  std::vector<std::string> environment(const std::string& name, const std::string& changed_file) {
    std::vector<std::string> words = plain_environment();
    words.push_back("XROAD_SYNC_HOOK=" + name);
    words.push_back("XROAD_SYNC_ROOT=" + request_.root);
    words.push_back("XROAD_SYNC_GENERATION=" + request_.generation);
    words.push_back("XROAD_SYNC_CHANGED=" + std::to_string(request_.changed.size()));
    words.push_back("XROAD_SYNC_CHANGED_FILE=" + changed_file);
    return words;
  }

  void fail(std::string sentence) { report_.failures.push_back(std::move(sentence)); }

  const HookRequest& request_;
  Clock& clock_;
  HookReport& report_;
  Instant deadline_;
};

}  // namespace

std::vector<std::string> changed_paths(const std::vector<Change>& changes) {
  std::vector<std::string> paths;
  paths.reserve(changes.size());
  for (const Change& change : changes) paths.push_back(change.path);
  return paths;
}

HookReport run_hooks(const HookRequest& request, Clock& clock) noexcept {
  HookReport report;
  try {
    Run(request, clock, report).all();
  } catch (const std::exception& error) {
    report.failures.emplace_back(std::string("hooks: ") + error.what());
  }
  return report;
}

}  // namespace xs
