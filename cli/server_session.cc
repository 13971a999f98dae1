// SPDX-License-Identifier: MIT
#include "cli/server_session.h"

#include <algorithm>
#include <new>

#include "base/error.h"
#include "base/text.h"
#include "cli/sandbox.h"
#include "cli/server_log.h"
#include "cli/server_roots.h"
#include "protocol/channel.h"
#include "protocol/stdio_stream.h"

namespace xs::cli {
namespace {

// What a client of the preset comes with on an ordinary run: its preset's excludes, and -a.
SenderConfig::Expectation usual_client() {
  SenderConfig::Expectation usual;
  usual.options.keep = {Keep::Permissions, Keep::Times,    Keep::Owner,  Keep::Group,
                        Keep::Symlinks,    Keep::Specials, Keep::Devices};
  usual.options.scan = {Scan::Recursive};
  for (const char* pattern :
       {"db.properties", "db_libpq.env", "*.restored", "/conf.d/node.ini", "*.tmp", "/postgresql",
        "/globalconf", "/gpghome", "/xroad.properties", "/lost+found"}) {
    usual.filters.exclude(pattern);
  }
  return usual;
}

void serve_root(SenderConfig& made, const ServerRoot& root, const SourceCheck& check) {
  made.root = root.path;
  made.below.clear();
  made.mandatory = root.excludes;
  made.check = check ? [&root, &check] { check(root); } : std::function<void()>();
}

SandboxRequest sandbox_for(const ServerConfig& config) {
  SandboxRequest request;
  request.memory = config.memory;
  request.cpu = config.total + std::chrono::seconds(5);
  for (const ServerRoot& root : config.roots) {
    request.roots.push_back(root.path);
    if (!root.node_ini.empty()) request.files.push_back(root.node_ini);
  }
  return request;
}

// One client, from the first byte to the log's line.
class Process {
 public:
  Process(const SourceCheck& check, Clock& clock) : check_(check), clock_(clock) {}

  void run(const std::optional<std::string>& file) {
    const Caller caller = take_caller();
    try {
      config_ = load_server_config(file);
    } catch (const Error& error) {
      wrong_ = error;
    }
    ServerLog log(config_);
    StdioStream stream = StdioStream::of_process(clock_);
    Deadlines deadlines;
    deadlines.idle = deadlines.first_byte = config_.idle;
    const Instant start = clock_.now();
    Channel channel(stream, Side::Server, clock_, deadlines, start + config_.total);
    SessionEnd end;
    const auto write = [&] {
      end.sent = channel.sent();
      end.received = channel.received();
      end.time = clock_.now() - start;
      log.write(end.failed, session_line(caller, account_, end) + sandbox_);
    };
    try {
      end.result = converse(channel);
    } catch (const Error& error) {
      end.result = error.text();
      end.failed = true;
      write();
      throw;
    }
    write();
  }

 private:
  std::string converse(Channel& channel) {
    try {
      const SandboxReport report = enter_sandbox(sandbox_for(config_));
      sandbox_ = report.missing.empty() ? "" : " sandbox-without='" + report.missing + "'";
      if (!wrong_) {
        return serve(channel, sender_config(config_, check_, &account_), clock_);
      }
      channel.greet();
      account_.hello = channel.accept();
      throw *wrong_;
    } catch (const std::bad_alloc&) {
      const Error error(Fault::Memory,
                        "the server has reached its memory limit (memory in server.ini)");
      channel.abort(error);
      throw error;
    } catch (const Error& error) {
      channel.abort(error);  // again where the sender has said it: only the first one counts
      throw;
    }
  }

  const SourceCheck& check_;
  Clock& clock_;
  ServerConfig config_;
  std::optional<Error> wrong_;
  SessionAccount account_;
  std::string sandbox_;
};

}  // namespace

SenderConfig sender_config(const ServerConfig& config, const SourceCheck& check,
                           SessionAccount* account) {
  SenderConfig made;
  made.account = account;
  made.version = "xroad-sync-server " XS_VERSION;
  made.rounds = config.rounds;
  made.max_entries = config.max_entries;
  made.choose = [&config, &check, made](const std::string& asked) {
    std::string reason;
    const ServedPath served =
        find_served(config, asked, made.account == nullptr ? reason : made.account->reason);
    SenderConfig chosen = made;
    serve_root(chosen, *served.root, check);
    chosen.below = served.below;
    chosen.mandatory = served.excludes;
    return chosen;
  };
  const auto usual = std::find_if(config.roots.begin(), config.roots.end(),
                                  [](const ServerRoot& root) { return root.xroad; });
  if (usual == config.roots.end()) return made;
  serve_root(made, *usual, check);
  made.expected = usual_client();
  return made;
}

void serve_process(const std::optional<std::string>& file, const SourceCheck& check, Clock& clock) {
  Process(check, clock).run(file);
}

}  // namespace xs::cli
