// SPDX-License-Identifier: MIT
// The certificates of a cluster: a small CA of its own and one certificate a node, elliptic curve
// P-256, made and checked with OpenSSL. Pure: PEM in, PEM out; where the files lie is the caller's.
// A node's certificate serves as server and as client, because a standby may be promoted; its
// common name is the role that it logs in as. What does not check out is an Error of class
// Mismatch, with the file's name and what to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xs {

struct KeyPair {
  std::string certificate;  // PEM
  std::string key;          // PEM, without a passphrase
};

KeyPair make_ca(const std::string& name, std::int64_t now, int days);

struct NodePlan {
  std::string common_name;
  std::vector<std::string> names;  // host names and addresses
  int days = 730;
};
KeyPair issue_certificate(const KeyPair& ca, const NodePlan& plan, std::int64_t now);

enum class CertUse { Server, Client };

struct CertFiles {
  std::string ca, certificate, key;  // PEM
  std::string file;                  // the certificate's, for messages
};

// The key fits, the chain leads to the CA, the dates hold, the purpose is allowed; a server has
// `name` among its names, a client has it as its common name. "": not asked.
void check_certificate(const CertFiles& files, CertUse use, const std::string& name,
                       std::int64_t now);
// Whom a certificate is for; empty for what is none.
struct CertNames {
  std::string common_name;
  std::vector<std::string> hosts;  // names and addresses, each once, in its order
};
CertNames certificate_names(const std::string& pem);
// "CN=ss2, O=..., serial ..., until 2028-11-21T17:00:00Z"
std::string certificate_text(const std::string& pem);

}  // namespace xs
