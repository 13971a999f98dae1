// SPDX-License-Identifier: MIT
#include "companion/doctor/certificate_dates.h"

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/certificate.h"
#include "companion/wall.h"

namespace xs {
namespace {

constexpr std::size_t kPemLimit = 1U << 20;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kMonth = 30 * kDay;

std::string text_of(const std::string& file) {
  try {
    return read_file_if_exists(file, kPemLimit).value_or("");
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

CertificateEnd first_end(const std::vector<std::string>& files) {
  CertificateEnd first;
  for (const std::string& file : files) {
    for (const Certificate& one : pem_certificates(text_of(file))) {
      const std::int64_t at = valid_until(*one);
      if (first.at == 0 || at < first.at) first = {file, at};
    }
  }
  return first;
}

std::string end_words(const CertificateEnd& end, std::int64_t now) {
  if (end.at == 0 || end.at - now >= kMonth) return "";
  const std::string when = " at " + utc_text(end.at);
  if (end.at <= now) {
    return escape(end.file) + " has ended" + when + ": whoever is cut off cannot log in again";
  }
  return escape(end.file) + " ends in " + std::to_string((end.at - now) / kDay) + " day(s)," + when;
}

}  // namespace xs
