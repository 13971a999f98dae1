// SPDX-License-Identifier: MIT
#include "tests/support/cluster.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/support/catch.h"

namespace xs::test {
namespace {

namespace fs = std::filesystem;

std::string link_or_bytes(const TempTree& tree, const fs::path& at, const std::string& name) {
  if (fs::is_symlink(at)) return fs::read_symlink(at);
  return fs::is_regular_file(at) ? tree.read(name) : "";
}

std::string describe(const TempTree& tree, const fs::path& at, const std::string& name,
                     bool with_times) {
  const struct stat st = tree.stat(name);
  std::string what = std::to_string(st.st_mode) + " " + std::to_string(st.st_uid) + ":" +
                     std::to_string(st.st_gid);
  if (S_ISREG(st.st_mode)) what += " links " + std::to_string(st.st_nlink);
  if (with_times && S_ISREG(st.st_mode)) {
    what += " " + std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec);
  }
  return what + " " + link_or_bytes(tree, at, name);
}

}  // namespace

std::map<std::string, std::string> picture(const TempTree& tree, bool with_times) {
  std::map<std::string, std::string> out;
  const fs::recursive_directory_iterator end;
  for (auto at = fs::recursive_directory_iterator(tree.path()); at != end; ++at) {
    const std::string name = at->path().lexically_relative(tree.path());
    if (name == ".xroad-sync") {
      at.disable_recursion_pending();
    } else {
      out[name] = describe(tree, at->path(), name, with_times);
    }
  }
  return out;
}

Cluster::Cluster() {
  sender.root = primary.path();
  sender.version = "test";
  request.destination = secondary.path();
  request.root = primary.path();
  request.options.keep = {Keep::Permissions, Keep::Times,    Keep::Owner,
                          Keep::Group,       Keep::Symlinks, Keep::Hardlinks};
  request.options.scan = {Scan::Recursive};
  request.options.inline_limit = 4096;
  request.keep.count = 0;
}

void Cluster::fill() {
  primary.dir("signer", 0750)
      .file("signer/keyconf.xml", "<keys/>", 0640)
      .dir("signer/softtoken", 0700);
  primary.file("signer/softtoken/key.p12", std::string(3000, 'k'), 0600).file("empty");
  primary.symlink("current", "signer/keyconf.xml").file("big", std::string(300'000, 'b'));
  primary.file("odd\n\xFFname", "odd").hardlink("twin", "big");
}

PullResult Cluster::pull() {
  SteadyClock clock;
  PullResult result;
  PullRequest wanted = request;
  wanted.run_id = ++runs;
  traffic = converse(
      [&](Channel& channel) {
        Receiver receiver(wanted, clock);
        result = receiver.run(channel);
      },
      [&](Channel& channel) { serve(channel, sender, clock); }, deadlines, damage);
  return result;
}

Error Cluster::failure() {
  const auto before = picture(secondary, true);
  try {
    pull();
  } catch (const Error& error) {
    CHECK(picture(secondary, true) == before);
    CHECK(staging_is_clean());
    return error;
  }
  FAIL("it succeeded");
  return {Fault::Usage, ""};
}

void Cluster::require_same() const { REQUIRE(picture(secondary) == picture(primary)); }

bool Cluster::staging_is_clean() const {
  if (!secondary.exists(".xroad-sync")) return true;
  for (const auto& found : fs::directory_iterator(secondary.path_of(".xroad-sync"))) {
    const std::string name = found.path().filename();
    if (name != "lock" && name != "previous" && name != "areas") return false;
  }
  return true;
}

}  // namespace xs::test
