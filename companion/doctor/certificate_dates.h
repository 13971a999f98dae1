// SPDX-License-Identifier: MIT
// When the certificates of replication end: they are made for a time, and with the end of the last
// one of them no standby can log in any more. Called by the doctor's topic of the database.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xs {

struct CertificateEnd {
  std::string file;
  std::int64_t at = 0;
};

// The first certificate of `files` (PEM) that ends, by its date; `at` is 0 where none can be read,
// which is no finding here: PostgreSQL would say so.
CertificateEnd first_end(const std::vector<std::string>& files);

// "" while there is a month left at least; else what is to be said of it.
std::string end_words(const CertificateEnd& end, std::int64_t now);

}  // namespace xs
