// SPDX-License-Identifier: MIT
// Destination: a directory that commits are made in, and a small language for what they do to it.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sync/commit.h"
#include "sync/real_disk.h"
#include "sync/rollback.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

inline struct stat stat_of(const std::string& path) {
  struct stat st {};
  INFO(path);
  REQUIRE(::lstat(path.c_str(), &st) == 0);
  return st;
}

inline unsigned mode_of(const std::string& path) { return stat_of(path).st_mode & 07777U; }

class Destination {
 public:
  Destination() : root_(Dir::open_root(temp.path())), disk(root_) {}

  Staging stage() { return Staging(disk, Areas(), ++id_); }

  static Attributes like(unsigned mode) {
    Attributes attributes;
    attributes.mode = mode;
    attributes.mtime_ns = 1'700'000'000'123'456'789;
    return attributes;
  }

  static Step placed(ActionKind kind, const std::string& path, const Staged& staged) {
    Step step;
    step.kind = kind;
    step.path = path;
    step.staged = staged.path;
    step.staged_inode = staged.inode;
    return step;
  }

  static Step install(Staging& staging, const std::string& path, const std::string& bytes,
                      unsigned mode = 0640) {
    StagedFile file = staging.create(path);
    file.write(bytes);
    return placed(ActionKind::Install, path, file.keep(like(mode)));
  }

  static Step bare(ActionKind kind, const std::string& path) {
    Step step;
    step.kind = kind;
    step.path = path;
    return step;
  }

  CommitResult run(Staging& staging, std::vector<Step> steps, KeepPolicy keep = {}) {
    CommitRequest request;
    request.steps = std::move(steps);
    request.keep = keep;
    return commit(staging, SteadyClock(), std::move(request));
  }

  // One file, one commit.
  CommitResult put(const std::string& path, const std::string& bytes, KeepPolicy keep = {}) {
    Staging staging = stage();
    return run(staging, {install(staging, path, bytes)}, keep);
  }

  CommitResult roll_back(std::uint64_t number) {
    RollbackRequest request;
    request.number = number;
    request.id = ++id_;
    return rollback(disk, SteadyClock(), request);
  }

  // Path to what it is, without the staging area.
  std::map<std::string, std::string> tree() const {
    std::map<std::string, std::string> found;
    for (auto at = std::filesystem::recursive_directory_iterator(temp.path());
         at != std::filesystem::end(at); ++at) {
      const std::string path = at->path().lexically_relative(temp.path()).string();
      if (path == ".xroad-sync") {
        at.disable_recursion_pending();
      } else if (at->is_symlink()) {
        found[path] = "-> " + std::filesystem::read_symlink(at->path()).string();
      } else if (at->is_directory()) {
        found[path] = "/";
      } else {
        found[path] = temp.read(path);
      }
    }
    return found;
  }

  std::vector<std::string> area() const {
    std::vector<std::string> names;
    for (const auto& one : std::filesystem::directory_iterator(temp / ".xroad-sync")) {
      if (one.path().filename() != "previous") names.push_back(one.path().filename().string());
    }
    return names;
  }

  TempDir temp;

 private:
  Dir root_;
  std::uint64_t id_ = 0;

 public:
  RealDisk disk;
};

// What an Error of class Io says.
inline std::string refusal(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Io);
    return error.text();
  }
  return "accepted";
}

}  // namespace xs::test
