// SPDX-License-Identifier: MIT
// http_reply: refused with Protocol or Stream, or a status of three digits and a body that stands
// in the bytes; that body as a Central Server's answer: refused with Protocol, or judged, and never
// fine while a node is not.
#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "companion/http_get.h"
#include "companion/replication/central_judge.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const xs::HttpReply reply = xs::parse_http_reply(bytes);
    if (reply.status < 100 || reply.status > 999) std::abort();
    if (bytes.find(reply.body) == bytes.npos) std::abort();
    xs::CentralReport report;
    report.answers.push_back(xs::parse_central_answer(reply.body));
    const auto& nodes = report.answers[0].nodes;
    const bool fine = !nodes.empty() && std::all_of(nodes.begin(), nodes.end(),
                                                    [](const auto& n) { return n.status == "OK"; });
    const auto health = xs::judge_central(report, 1'800'000'000).health;
    if (health == xs::Health::Ok && !fine) std::abort();
    if (xs::central_text(report, 1'800'000'000).find('\x1b') != std::string::npos) std::abort();
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::Protocol && error.fault() != xs::Fault::Stream) std::abort();
  }
  return 0;
}
