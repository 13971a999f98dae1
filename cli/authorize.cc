// SPDX-License-Identifier: MIT
#include "cli/authorize.h"

#include <cstdio>
#include <sstream>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "protocol/host_key.h"
#include "protocol/ssh_key.h"

namespace xs::cli {
namespace {

constexpr std::size_t kKeyFileLimit = std::size_t{16} << 10;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Fault::Usage, "not a public key to let in: " + why);
}

// What sshd would read as the end of the command, or as another option.
void check_server(std::string_view server) {
  if (server.empty() || server.front() != '/' ||
      server.find_first_of("\"\\\n\r\t ") != std::string_view::npos || escape(server) != server) {
    throw Error(
        Fault::Usage,
        "the server program must be an absolute path without blanks or quotes: " + quote(server));
  }
}

}  // namespace

std::string authorized_line(std::string_view text, std::string_view server) {
  check_server(server);
  if (text.find("PRIVATE KEY") != std::string_view::npos) {
    refuse(
        "this is the private half, which must never leave its node; give the file that ends in "
        ".pub");
  }
  const std::string_view line = trim(text);
  if (line.find_first_of("\r\n") != std::string_view::npos)
    refuse("the file holds more than one line");
  std::istringstream words{std::string(line)};
  HostKey key;
  std::string encoded;
  std::string comment;
  words >> key.type >> encoded;
  std::getline(words >> std::ws, comment);
  ssh_key raw = nullptr;
  const bool whole =
      ::ssh_pki_import_pubkey_base64(encoded.c_str(), ::ssh_key_type_from_name(key.type.c_str()),
                                     &raw) == SSH_OK;
  const SshKeyHandle imported(raw);
  if (!whole || public_half(raw).type != key.type)
    refuse("it must be \"TYPE BASE64 [COMMENT]\", as ssh-keygen writes it");
  key = public_half(raw);
  if (const std::string why = unusable(key); !why.empty()) refuse(why);
  return "restrict,command=\"" + std::string(server) + "\" " + key.type + " " + encoded +
         (comment.empty() ? "" : " " + escape(comment));
}

void authorize(const std::string& file, const std::string& server) {
  std::printf("%s\n", authorized_line(read_file(file, kKeyFileLimit), server).c_str());
}

}  // namespace xs::cli
