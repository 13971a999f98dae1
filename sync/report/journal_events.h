// SPDX-License-Identifier: MIT
// JournalEvents: what a run tells the systemd journal beside its lines: one entry an event, with a
// MESSAGE_ID that never changes and fields to select by (`journalctl XROAD_SYNC_EVENT=error`).
// systemd/xroad-sync.catalog explains each; kJournalEvents is the only table. Lost, never waited
// for, when the journal is stuck.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "sync/report/events.h"
#include "sync/report/itemize.h"

namespace xs {

enum class JournalEvent : std::uint8_t {
  Synced,     // a run changed something
  InSync,     // a run found nothing to do
  File,       // one changed path
  Failed,     // a run failed
  Paused,     // a run did nothing because it is paused
  Forced,     // a run went on in spite of the pause
  Recovered,  // an earlier run's commit was completed
  PinChanged,
  HookFailed,
  Left,        // a path was left alone
  RolledBack,  // the operator has gone back to an earlier state
};

struct JournalEventInfo {
  JournalEvent event;
  std::string_view name;  // XROAD_SYNC_EVENT
  std::string_view message_id;
  int priority;
};

extern const std::array<JournalEventInfo, 11> kJournalEvents;

class JournalEvents {
 public:
  // A socket that is absent makes everything below do nothing.
  JournalEvents(const std::string& socket, std::string identifier, std::uint64_t run_id,
                std::string primary);

  void synced(const RunStats& stats, const std::string& generation,
              bool changed);  // Synced or InSync
  void file(const ChangeDetail& detail, const ItemStyle& style);
  void failed(const Error& error);
  // Any other event, with its sentence; a path where it has one.
  void tell(JournalEvent event, std::string_view text, std::string_view path = {});

 private:
  void send(JournalEvent event, const std::string& message, std::vector<JournalField> more);

  std::optional<JournalSocket> socket_;
  std::string identifier_;
  std::string run_id_;
  std::string primary_;
};

}  // namespace xs
