// SPDX-License-Identifier: MIT
// Fetch: brings the contents of a plan into the staging area: inlined ones from their entries, also
// before there is a plan, unchanged ones from our own files, the rest from the server, by requests
// that are pipelined. Used by the receiver, which keeps one for the whole session, so that contents
// staged before the source moved are fetched only once. Every file is verified by its digest before
// it counts.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/channel.h"
#include "sync/dir.h"
#include "sync/hash.h"
#include "sync/plan.h"
#include "sync/prepare.h"
#include "sync/staging.h"

namespace xs {

class Fetch {
 public:
  // All of them must outlive this.
  Fetch(Channel& channel, Staging& staging, const Dir& root);

  static constexpr std::uint32_t kNoNumber = ~std::uint32_t{0};
  // What was staged for the path is out of date.
  void forget(const std::string& path);

  // It is staged already, by somebody else.
  void adopt(const std::string& path, const Staged& staged) {
    staged_.insert_or_assign(path, staged);
  }
  bool is_staged(const std::string& path) const { return staged_.count(path) != 0; }
  // Stages what an entry carries, whether or not a plan will want it.
  void stage_early(const Entry& entry, FinalAttributes& attributes);

  // Stages every file of the plan that is not staged yet; returns with all answers in. `numbers`:
  // by which the server knows the entries of the target, or kNoNumber. `all_asked` is called behind
  // the last request, before its answer is waited for.
  void stage(const Plan& plan, const Entries& target, const std::vector<std::uint32_t>& numbers,
             FinalAttributes& attributes, const std::function<void()>& all_asked);
  // Unstages what the plan does not want.
  void drop_all_but(const Plan& plan, const Entries& target);
  // Where the plan's contents are, once stage() has returned. Files of which the server sent
  // nothing usable are missing: it will say what changed.
  StagedFiles staged(const Plan& plan, const Entries& target) const;

  std::uint32_t wanted() const { return wanted_; }
  std::uint64_t literal() const { return literal_; }

 private:
  struct Request {
    std::uint32_t number = 0;
    const Entry* entry = nullptr;
    Fd basis;  // for a delta
    std::uint64_t basis_size = 0;
  };

  void stage_bytes(const Entry& entry, std::string_view bytes, FinalAttributes& attributes);
  bool stage_local(const Entry& entry, FinalAttributes& attributes);
  void want(const Entry& entry, std::uint32_t number, bool basis);
  void take_answer(FinalAttributes& attributes);
  void keep(const Entry& entry, StagedFile& file, const Digest& digest,
            FinalAttributes& attributes);

  Channel& channel_;
  Staging& staging_;
  const Dir& root_;
  std::map<std::string, Staged> staged_;
  std::deque<Request> asked_;
  std::vector<char> piece_;
  std::uint32_t wanted_ = 0;
  std::uint64_t literal_ = 0;
};

}  // namespace xs
