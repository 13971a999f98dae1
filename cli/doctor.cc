// SPDX-License-Identifier: MIT
// `xroad-sync doctor`: every precondition of a sync, in the order in which a run needs them, each
// with a tick or with a cross and what mends it. Changes nothing. What cannot be looked at because
// something before it is wrong is said to be so.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <functional>
#include <string>

#include "base/child.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/pause.h"
#include "cli/session.h"
#include "cli/use_config.h"
#include "cli/verbs.h"
#include "sync/hash.h"
#include "sync/journal.h"
#include "sync/recovery.h"
#include "sync/report/events.h"

namespace xs::cli {
namespace {

constexpr std::uint64_t kEnoughBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kEnoughInodes = 1000;

// A finding that ends one check: what is wrong, and the command or step that mends it.
struct Wrong {
  Fault fault = Fault::Io;
  std::string what;
  std::string mend;
};

class Doctor {
 public:
  Doctor(const Config& config, Clock& clock) : config_(config), clock_(clock) {}

  int examine() {
    check("configuration", [this] { return configuration(); });
    check("node role", [this] { return role(); });
    check("destination", [this] { return destination(); });
    check("free space", [this] { return space(); });
    check("earlier runs", [this] { return leftovers(); });
    check("pause", [this] { return pause(); });
    check("private key", [this] { return identity(); });
    const bool reached = check("login", [this] { return login(); });
    if (reached) {
      check("primary's tree", [this] { return tree(); });
    } else {
      std::printf("-  %-15s not looked at: no login\n", "primary's tree");
    }
    check("log", [this] { return log(); });
    check("status file", [this] { return status_file(); });
    check("timer", [this] { return timer(); });
    return first_ ? exit_code(*first_) : 0;
  }

 private:
  bool check(const char* name, const std::function<std::string()>& look) {
    try {
      tick(name, look());
      return true;
    } catch (const Wrong& wrong) {
      cross(name, wrong);
    } catch (const Error& error) {
      cross(name, {error.fault(), error.text(), std::string(hint_for(error.fault()))});
    }
    return false;
  }

  static void tick(const char* name, const std::string& text) {
    std::printf("\u2713  %-15s %s\n", name, text.c_str());
    std::fflush(stdout);
  }

  void cross(const char* name, const Wrong& wrong) {
    std::printf("\u2717  %-15s %s\n", name, wrong.what.c_str());
    if (!wrong.mend.empty()) std::printf("   %-15s %s\n", "", wrong.mend.c_str());
    std::fflush(stdout);
    if (!first_) first_ = wrong.fault;
  }

  std::string configuration() const {
    if (config_.primary.host.empty()) {
      throw Wrong{Fault::Usage, "no primary is configured",
                  "set host in [primary] of /etc/xroad-sync/xroad-sync.ini"};
    }
    return "from " + endpoint(config_).shown() + ":" + escape(config_.primary.path) + " to " +
           escape(config_.destination) + ", preset " + std::string(config_.preset->name) +
           " (xroad-sync config show --origin)";
  }

  std::string role() const {
    if (!config_.guard.check_role || config_.guard.node_ini.empty()) return "not asked for";
    check_node(config_);
    return "a secondary, says " + escape(config_.guard.node_ini);
  }

  std::string destination() const {
    const std::string& path = config_.destination;
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0) {
      throw Wrong{Fault::Io, quote(path) + ": " + errno_text(errno), "make it, or correct path"};
    }
    if (!S_ISDIR(st.st_mode)) throw Wrong{Fault::Selection, quote(path) + " is no directory", ""};
    if (::euidaccess(path.c_str(), R_OK | W_OK | X_OK) != 0) {
      throw Wrong{Fault::Io, quote(path) + " cannot be written by us: " + errno_text(errno),
                  "run as its owner: sudo -u xroad xroad-sync doctor"};
    }
    return escape(path) + " is ours to write";
  }

  std::string space() const {
    struct statvfs fs {};
    if (::statvfs(config_.destination.c_str(), &fs) != 0)
      throw_errno("statvfs", config_.destination);
    const std::uint64_t bytes = std::uint64_t{fs.f_bavail} * fs.f_frsize;
    // Some file systems have no fixed number of inodes and say 0 of 0.
    const bool few = fs.f_files != 0 && fs.f_favail < kEnoughInodes;
    const std::string have =
        std::to_string(bytes >> 20) + " MiB and " + std::to_string(fs.f_favail) + " inodes free";
    if (bytes < kEnoughBytes || few) {
      throw Wrong{Fault::Io, "only " + have,
                  "make room on the file system of " + escape(config_.destination)};
    }
    return have;
  }

  std::string leftovers() const {
    if (has_unfinished_commit(config_.destination)) {
      throw Wrong{Fault::Io,
                  "an unfinished commit is in " +
                      quote(config_.destination + "/" + journal_path()) +
                      ": the tree may be between two states",
                  "xroad-sync completes it, or says what keeps it from that"};
    }
    return "nothing is left of them";
  }

  std::string pause() const {
    const auto pause = find_pause(config_.pause, std::time(nullptr));
    if (!pause) return "not paused";
    throw Wrong{Fault::Paused, "paused " + pause_words(*pause), "xroad-sync resume"};
  }

  std::string identity() const {
    for (const std::string& file : config_.primary.identity) {
      struct stat st {};
      if (::stat(file.c_str(), &st) != 0) {
        throw Wrong{Fault::Auth, quote(file) + ": " + errno_text(errno),
                    "ssh-keygen -t ed25519 -N '' -f " + escape(file)};
      }
      if ((st.st_mode & 077) != 0) {
        throw Wrong{Fault::Auth, quote(file) + " can be read by others",
                    "chmod 600 " + escape(file)};
      }
    }
    const std::size_t count = config_.primary.identity.size();
    return count == 0 ? "those of ~/.ssh and of the agent"
                      : escape(config_.primary.identity.front());
  }

  std::string login() const {
    const Instant start = clock_.now();
    try {
      open_transport(endpoint(config_), transport_options(config_), clock_);
    } catch (const Error& error) {
      throw Wrong{error.fault(), error.text(), login_mend(error.fault())};
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - start);
    return "in " + std::to_string(took.count()) + " ms";
  }

  std::string login_mend(Fault fault) const {
    const std::string host = escape(config_.primary.host);
    switch (fault) {
      case Fault::HostKey: return "xroad-sync trust " + host;
      case Fault::Auth:
        return "on the primary: xroad-sync authorize KEY.pub --install ~" +
               escape(config_.primary.user) + "/.ssh/authorized_keys";
      default: return std::string(hint_for(fault));
    }
  }

  std::string tree() const {
    Session session(config_, clock_);
    session.request().preview = true;
    const Outcome outcome = session.run();
    if (!outcome.result.problems.empty()) {
      const Problem& first = outcome.result.problems.front();
      throw Wrong{Fault::Partial,
                  std::to_string(outcome.result.problems.size()) +
                      " paths cannot be read, the first is " + quote(first.path) + ": " +
                      first.what,
                  "correct their mode or owner, or exclude them"};
    }
    const std::string size = std::to_string(outcome.result.entries) + " entries";
    if (!outcome.result.changed) return size + ", and ours is the same";
    return size + "; " + std::to_string(outcome.details.size()) + " paths differ (xroad-sync diff)";
  }

  std::string log() const {
    if (config_.log.file.empty()) return config_.log.journal ? "the journal" : "none is configured";
    open_log_file(config_.log.file);
    return escape(config_.log.file);
  }

  std::string status_file() const {
    const std::string& file = config_.report.status_file;
    if (file.empty()) return "none is configured";
    const std::string dir = file.substr(0, file.rfind('/') + 1);
    if (::euidaccess(dir.c_str(), W_OK | X_OK) != 0) {
      throw Wrong{Fault::Io, quote(dir) + " cannot be written: " + errno_text(errno),
                  "systemd-tmpfiles --create xroad-sync.conf"};
    }
    return escape(file);
  }

  std::string timer() const {
    constexpr const char* kSystemctl = "/usr/bin/systemctl";
    if (::access("/run/systemd/system", F_OK) != 0 || ::access(kSystemctl, X_OK) != 0) {
      return "no systemd here";
    }
    ChildRequest request;
    request.argv = {kSystemctl, "is-active", "xroad-sync.timer"};
    request.environment = plain_environment();
    request.limit = std::chrono::seconds(5);
    const ChildResult result = run_child(request, clock_);
    if (!result.ok()) {
      throw Wrong{Fault::Action, "xroad-sync.timer is " + escape(trim(result.output)),
                  "systemctl enable --now xroad-sync.timer"};
    }
    return "xroad-sync.timer is active";
  }

  const Config& config_;
  Clock& clock_;
  std::optional<Fault> first_;
};

}  // namespace

int run_doctor(const Config& config, Clock& clock) {
  const Interrupt interrupt;
  return Doctor(config, clock).examine();
}

}  // namespace xs::cli
