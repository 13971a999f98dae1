// SPDX-License-Identifier: MIT
#include "companion/replication/served_certificate.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/certificate.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/owned_file.h"
#include "companion/tcp.h"
#include "companion/tls.h"

namespace xs {
namespace {

constexpr std::size_t kPemLimit = 1U << 20;

// PostgreSQL's own rule: the owner's alone, or root's with a group that may read.
bool key_is_taken(const struct stat& st, const Cluster& cluster) {
  if (st.st_uid == cluster.user.uid) return (st.st_mode & 0077U) == 0;
  return st.st_uid == 0 && (st.st_mode & 0037U) == 0;
}

void check_one(const std::string& file, bool key, const Cluster& cluster) {
  struct stat st {};
  std::string bytes, why;
  try {
    // Whoever may read it as root says nothing about the server.
    const AsOwner rights(cluster.user);
    const Fd fd = open_file(file, O_RDONLY | O_NONBLOCK);
    if (::fstat(fd.get(), &st) != 0) throw_errno("fstat", file);
    bytes = read_all(fd.get(), kPemLimit, file);
  } catch (const Error& error) {
    why = error.text();
  }
  if (bytes.empty()) {
    throw Error(Fault::Usage, quote(file) + " is missing, empty or not readable by " +
                                  quote(cluster.owner) + (why.empty() ? "" : " (" + why + ")"));
  }
  if (!key || key_is_taken(st, cluster)) return;
  throw Error(Fault::Refused, "PostgreSQL does not start with the key " + quote(file) +
                                  ", for its owner or its mode: chown " + cluster.owner + " " +
                                  shell_words({file}) + " && chmod 600 " + shell_words({file}));
}

// Of the first certificate of a file, which is the one that is shown.
std::string shown_of(const std::string& pem) {
  const std::vector<Certificate> all = pem_certificates(pem);
  return all.empty() ? "" : fingerprint_of(*all.front());
}

// An address of this node that it listens on.
std::string own_address(const LocalSql& sql) {
  std::string all = sql.value("select current_setting('listen_addresses')");
  all.resize(std::min(all.find(','), all.size()));
  std::string first(trim(all));
  if (first == "*" || first == "0.0.0.0") return "127.0.0.1";
  return first == "::" ? "::1" : first;
}

}  // namespace

void check_loadable(const PkiPaths& pki, const Cluster& cluster) {
  check_one(pki.ca, false, cluster);
  check_one(pki.certificate, false, cluster);
  check_one(pki.key, true, cluster);
}

std::optional<bool> shows_certificate(const LocalSql& sql, const std::string& file) {
  const std::string address = own_address(sql);
  const auto pem = read_owned(file, sql.cluster());
  if (!pem || address.empty()) return std::nullopt;
  TlsTrust trust;
  trust.fingerprints = {shown_of(*pem)};
  Clock& clock = sql.clock();
  const Instant deadline = clock.now() + std::chrono::seconds(10);
  HttpTarget target;
  target.host = address;
  try {
    const auto port = parse_number(sql.value("select current_setting('port')"));
    target.port = static_cast<std::uint16_t>(port.value_or(0));
    Fd fd = tcp_open(address, target.port, clock, deadline);
    constexpr std::string_view kAskForTls("\0\0\0\x08\x04\xd2\x16\x2f", 8);
    write_all(fd.get(), kAskForTls, clock, deadline, target.where());
    std::array<char, 1> answer{};
    for (;;) {
      pollfd one{fd.get(), POLLIN, 0};
      if (clock.poll({&one, 1}, deadline) == 0) return std::nullopt;
      if (const auto got = read_some(fd.get(), answer, target.where())) {
        if (*got == 0 || answer[0] != 'S') return false;
        break;
      }
    }
    const TlsStream shaken(std::move(fd), target, trust, clock, deadline);
    return true;
  } catch (const Error& error) {
    if (error.fault() == Fault::HostKey) return false;
    return std::nullopt;
  }
}

}  // namespace xs
