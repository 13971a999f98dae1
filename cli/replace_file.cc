// SPDX-License-Identifier: MIT
#include "cli/replace_file.h"

#include <unistd.h>

#include "base/error.h"
#include "base/io.h"

namespace xs::cli {
namespace {

// Durable before anything has its name.
void write_whole(Fd fd, const std::string& contents, const std::string& subject) {
  for (std::string_view rest = contents; !rest.empty();) {
    rest.remove_prefix(write_some(fd.get(), rest, subject).value_or(0));
  }
  if (::fsync(fd.get()) != 0) throw_errno("fsync", subject);
  fd.close(subject);
}

}  // namespace

void replace_file(const Dir& dir, const std::string& name, const std::string& contents,
                  const FileShape& shape) {
  const std::string temporary = name + ".new";
  if (dir.stat_if_exists(temporary)) dir.unlink(temporary);
  Fd fd = dir.create_file(temporary, 0600);
  try {
    if (shape.root_owned) dir.set_owner(temporary, 0, 0);
    dir.set_mode(temporary, shape.mode);
    write_whole(std::move(fd), contents, dir.subject(temporary));
    dir.rename(temporary, dir, name);
  } catch (const Error&) {
    if (dir.stat_if_exists(temporary)) dir.unlink(temporary);
    throw;
  }
  dir.sync();
}

std::string parent_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

}  // namespace xs::cli
