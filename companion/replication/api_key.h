// SPDX-License-Identifier: MIT
// ApiKey: a key of X-Road's management REST API, from a file that only those can read who may use
// it. Called by whoever asks a Central Server. The key is in no message: hide() takes it out of
// what others say. Failures: Io (no such file, no right to read it), Usage (a file that others can
// read, or that holds no key), each with what to type.
#pragma once

#include <string>

namespace xs {

class ApiKey {
 public:
  explicit ApiKey(const std::string& file);
  // The value of the header Authorization.
  std::string authorization() const;
  // `text` with asterisks wherever the key or its beginning stands.
  std::string hide(std::string text) const;

 private:
  std::string key_;
};

}  // namespace xs
