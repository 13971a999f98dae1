// SPDX-License-Identifier: MIT
// The verb doctor.
#include <cstdio>

#include "cli/companion_verbs.h"
#include "companion/doctor/examine.h"
#include "companion/doctor/report.h"

namespace xs::cli {
namespace {

// Each line as soon as it is known, under the name of its topic.
class Printer {
 public:
  void print(const Finding& finding) {
    if (finding.topic != topic_) {
      std::printf("%s%s\n", topic_.empty() ? "" : "\n", finding.topic.c_str());
      topic_ = finding.topic;
    }
    std::fputs(finding_text(finding).c_str(), stdout);
    std::fflush(stdout);
  }

 private:
  std::string topic_;
};

std::string without_end(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

int companion_doctor(const DoctorOrder& order, Clock& clock) {
  DoctorPlaces places;
  places.version = XS_VERSION;
  places.root = without_end(order.root);
  places.config = order.places;
  places.config.xroad = places.at(order.places.xroad);
  places.config.own = places.at(order.places.own);
  if (order.json) {
    const Findings findings = examine(places, clock);
    std::fputs(findings_json(findings, places.version).c_str(), stdout);
    return findings_code(findings);
  }
  Printer printer;
  const Findings findings =
      examine(places, clock, [&printer](const Finding& finding) { printer.print(finding); });
  std::printf("\n%s", summary_text(findings).c_str());
  return findings_code(findings);
}

}  // namespace xs::cli
