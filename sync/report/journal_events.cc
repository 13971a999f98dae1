// SPDX-License-Identifier: MIT
#include "sync/report/journal_events.h"

#include <cassert>
#include <utility>

#include "base/text.h"

namespace xs {

// A number is never changed and never used again: people select by it.
const std::array<JournalEventInfo, 11> kJournalEvents{{
    {JournalEvent::Synced, "synced", "045254cc39ea43c5a39d8f5d70cdc31e", 6},
    {JournalEvent::InSync, "in-sync", "e12889c63cb84f04a69f2e5eb513eac5", 6},
    {JournalEvent::File, "file", "a2a470dc33bc4792b88cb95b78d0c968", 6},
    {JournalEvent::Failed, "error", "e4cf2993d09644689963ff9559c43be5", 3},
    {JournalEvent::Paused, "paused", "7f516446e28e461aae2f45a37d10da8c", 5},
    {JournalEvent::Forced, "forced", "772e8a3211bf42d09b833558c7d83eb1", 5},
    {JournalEvent::Recovered, "recovered", "4d11fa25affc4066bad322676cffb3ac", 5},
    {JournalEvent::PinChanged, "pin-changed", "c3984edc6367418b8bf6157f577f4712", 4},
    {JournalEvent::HookFailed, "hook-failed", "8fb35e7442134d2393a14c1daa0796fc", 4},
    {JournalEvent::Left, "left-alone", "e5a32e002dd843a0959a8761df3bd0a2", 4},
    {JournalEvent::RolledBack, "rolled-back", "bd475b143cf54ad087681df809e585a1", 5},
}};

namespace {

const JournalEventInfo& info_of(JournalEvent event) {
  for (const JournalEventInfo& info : kJournalEvents) {
    if (info.event == event) return info;
  }
  assert(false);
  return kJournalEvents[0];
}

std::optional<JournalSocket> connect(const std::string& path) {
  try {
    return JournalSocket(path);
  } catch (const Error&) {  // no systemd here
    return std::nullopt;
  }
}

std::string microseconds(Duration span) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(span).count());
}

}  // namespace

JournalEvents::JournalEvents(const std::string& socket, std::string identifier,
                             std::uint64_t run_id, std::string primary)
    : socket_(connect(socket)),
      identifier_(std::move(identifier)),
      run_id_(show_run_id(run_id)),
      primary_(std::move(primary)) {}

void JournalEvents::synced(const RunStats& stats, const std::string& generation, bool changed) {
  const std::string message = changed ? "synced with " + primary_ + ": generation " + generation
                                      : "in sync with " + primary_ + ": nothing to do";
  send(changed ? JournalEvent::Synced : JournalEvent::InSync, message,
       {{"XROAD_SYNC_GENERATION", generation},
        {"XROAD_SYNC_BYTES", std::to_string(stats.sent + stats.received)},
        {"XROAD_SYNC_DURATION_USEC", microseconds(stats.elapsed)}});
}

void JournalEvents::file(const ChangeDetail& detail, const ItemStyle& style) {
  const std::string item = itemize(detail.change, style);
  send(JournalEvent::File, item + " " + shown_name(detail.change) + shown_link(detail),
       {{"XROAD_SYNC_PATH", detail.change.path},
        {"XROAD_SYNC_ITEMIZE", item},
        {"XROAD_SYNC_BYTES", std::to_string(detail.size)}});
}

void JournalEvents::failed(const Error& error) {
  std::vector<JournalField> more = {{"XROAD_SYNC_EXIT", std::to_string(exit_code(error.fault()))},
                                    {"XROAD_SYNC_FAULT", std::string(describe(error.fault()).name)},
                                    {"XROAD_SYNC_HINT", std::string(hint_for(error.fault()))}};
  if (error.code() != 0) more.push_back({"ERRNO", std::to_string(error.code())});
  send(JournalEvent::Failed, error.text(), std::move(more));
}

void JournalEvents::tell(JournalEvent event, std::string_view text, std::string_view path) {
  std::vector<JournalField> more;
  if (!path.empty()) more.push_back({"XROAD_SYNC_PATH", std::string(path)});
  send(event, std::string(text), std::move(more));
}

void JournalEvents::send(JournalEvent event, const std::string& message,
                         std::vector<JournalField> more) {
  if (!socket_) return;
  const JournalEventInfo& info = info_of(event);
  std::vector<JournalField> fields = {{"MESSAGE", escape_again(message)},
                                      {"PRIORITY", std::to_string(info.priority)},
                                      {"SYSLOG_IDENTIFIER", identifier_},
                                      {"MESSAGE_ID", std::string(info.message_id)},
                                      {"XROAD_SYNC_EVENT", std::string(info.name)},
                                      {"XROAD_SYNC_RUN_ID", run_id_},
                                      {"XROAD_SYNC_PRIMARY", primary_}};
  for (JournalField& field : more) fields.push_back(std::move(field));
  socket_->send(fields);
}

}  // namespace xs
