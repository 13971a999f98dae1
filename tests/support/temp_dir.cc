// SPDX-License-Identifier: MIT
#include "tests/support/temp_dir.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace xs::test {
namespace {

namespace fs = std::filesystem;

// A test may have left a directory that its owner cannot list or change.
void open_up(const fs::path& dir, std::error_code& error) {
  fs::permissions(dir, fs::perms::owner_all, fs::perm_options::add, error);
  for (fs::directory_iterator at(dir, error), end; at != end; at.increment(error)) {
    if (at->symlink_status(error).type() == fs::file_type::directory) open_up(at->path(), error);
  }
}

}  // namespace

TempDir::TempDir() : path_((fs::canonical(fs::temp_directory_path()) / "xs-test-XXXXXX").string()) {
  if (::mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + path_);
  }
}

TempDir::~TempDir() {
  std::error_code error;
  if (fs::symlink_status(path_, error).type() == fs::file_type::directory) open_up(path_, error);
  fs::remove_all(path_, error);
}

std::string TempDir::operator/(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

std::string TempDir::write(std::string_view name, std::string_view bytes, unsigned mode) const {
  const std::string file = *this / name;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out || ::chmod(file.c_str(), mode) != 0) throw std::runtime_error("cannot write " + file);
  return file;
}

std::string TempDir::read(std::string_view name) const {
  const std::string file = *this / name;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace xs::test
