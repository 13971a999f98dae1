// SPDX-License-Identifier: MIT
#include "companion/replication/show.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "companion/replication/connection.h"
#include "companion/replication/show_json.h"
#include "companion/replication/text_table.h"
#include "companion/wall.h"

namespace xs {
namespace {

using nlohmann::json;

std::string at(const Position& position) { return position ? lsn_text(*position) : "-"; }

std::string version_text(int version) {
  if (version >= 100'000) {
    return std::to_string(version / 10'000) + "." + std::to_string(version % 10'000);
  }
  return std::to_string(version / 10'000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::string standbys_text(const ReplicationStatus& status) {
  std::vector<TextRow> rows{{"pid", "usename", "application_name", "client_addr", "state",
                             "sent_lsn", "write_lsn", "flush_lsn", "replay_lsn", "lag",
                             "sync_state", "tls"}};
  for (const StandbyLine& line : status.standbys) {
    rows.push_back({shown(line.pid), shown(line.user), shown(line.name),
                    line.address.empty() ? "local" : escape(line.address), shown(line.state),
                    at(line.sent), at(line.write), at(line.flush), at(line.replay),
                    lag_text(status.lag_bytes(line), status.lag_seconds(line)),
                    shown(line.sync_state),
                    line.tls.empty() ? "-"
                                     : escape(line.tls) + (line.tls_subject.empty() ? "" : " ") +
                                           escape(line.tls_subject)});
  }
  return text_table(rows);
}

std::string slots_text(const ReplicationStatus& status) {
  std::vector<TextRow> rows{
      {"slot_name", "slot_type", "active", "restart_lsn", "retained", "wal_status", "until lost"}};
  for (const SlotLine& slot : status.slots) {
    const auto kept = status.retained(slot);
    rows.push_back({shown(slot.name), shown(slot.type), slot.active ? "yes" : "no",
                    at(slot.restarts_at), kept ? bytes_text(*kept) : "-", shown(slot.wal_status),
                    slot.safe_bytes ? bytes_text(*slot.safe_bytes) : "-"});
  }
  return text_table(rows);
}

std::string receiver_text(const ReplicationStatus& status) {
  if (!status.receiver_told) return "not told by this version";
  if (!status.receiver) return "none";
  const ReceiverLine& line = *status.receiver;
  if (line.status.empty()) return "not shown to " + quote(status.user);
  std::string text = escape(line.status);
  if (!line.host.empty()) text += " from " + escape(line.host) + ":" + escape(line.port);
  if (!line.slot.empty()) text += ", slot " + escape(line.slot);
  if (line.message_ago) {
    text += ", last message " + span_text(static_cast<std::int64_t>(*line.message_ago)) + " ago";
  }
  return text;
}

std::string standby_text(const ReplicationStatus& status) {
  std::string text;
  if (status.primary) {
    const PrimaryAnswer& primary = *status.primary;
    text +=
        "  primary   " + (primary.where.empty() ? "" : primary.where + ": ") +
        (primary.position ? "at " + lsn_text(*primary.position) : "no answer: " + primary.trouble);
    if (primary.branch.timeline != 0)
      text += ", timeline " + std::to_string(primary.branch.timeline);
    if (primary.standby) text += ", a standby itself";
    text += "\n";
  }
  text += "  receiver  " + receiver_text(status) + "\n";
  text += "  received  " + at(status.received) + "\n";
  text += "  replayed  " + at(status.replayed) + ", " +
          lag_text(status.lag_bytes(), status.lag_seconds()) + " behind\n";
  text += "  replay    " + shown(status.pause) + "\n";
  return text;
}

template <class Value>
json or_null(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}
json lsn(const Position& position) { return position ? json(lsn_text(*position)) : json(nullptr); }
json standby_json(const ReplicationStatus& status, const StandbyLine& line) {
  return {{"pid", safe_json(line.pid)},
          {"user", safe_json(line.user)},
          {"name", safe_json(line.name)},
          {"address", safe_json(line.address)},
          {"port", safe_json(line.port)},
          {"state", safe_json(line.state)},
          {"sent_lsn", lsn(line.sent)},
          {"write_lsn", lsn(line.write)},
          {"flush_lsn", lsn(line.flush)},
          {"replay_lsn", lsn(line.replay)},
          {"lag_bytes", or_null(status.lag_bytes(line))},
          {"lag_seconds", or_null(status.lag_seconds(line))},
          {"reply_age_seconds", or_null(line.reply_ago)},
          {"sync_state", safe_json(line.sync_state)},
          {"sync_priority", safe_json(line.sync_priority)},
          {"tls_version", safe_json(line.tls)},
          {"tls_subject", safe_json(line.tls_subject)}};
}

json slot_json(const ReplicationStatus& status, const SlotLine& slot) {
  return {{"name", safe_json(slot.name)},
          {"type", safe_json(slot.type)},
          {"active", slot.active},
          {"restart_lsn", lsn(slot.restarts_at)},
          {"retained_bytes", or_null(status.retained(slot))},
          {"wal_status", safe_json(slot.wal_status)},
          {"safe_bytes", or_null(slot.safe_bytes)}};
}

void add_standby(json& object, const ReplicationStatus& status) {
  object["received_lsn"] = lsn(status.received);
  object["replayed_lsn"] = lsn(status.replayed);
  object["lag_bytes"] = or_null(status.lag_bytes());
  object["lag_seconds"] = or_null(status.lag_seconds());
  object["replay"] = safe_json(status.pause);
  object["receiver"] = nullptr;
  if (status.receiver) {
    const ReceiverLine& line = *status.receiver;
    object["receiver"] = {{"status", safe_json(line.status)},
                          {"host", safe_json(line.host)},
                          {"port", safe_json(line.port)},
                          {"slot", safe_json(line.slot)},
                          {"timeline", or_null(line.timeline)},
                          {"flushed_lsn", lsn(line.flushed)},
                          {"primary_end_lsn", lsn(line.primary_end)},
                          {"message_age_seconds", or_null(line.message_ago)}};
  }
  object["primary"] = nullptr;
  if (status.primary) {
    const PrimaryAnswer& primary = *status.primary;
    const bool told = primary.trouble.empty();
    object["primary"] = {
        {"where", safe_json(primary.where)},
        {"position", lsn(primary.position)},
        {"system", primary.system.empty() ? json(nullptr) : safe_json(primary.system)},
        {"timeline", primary.branch.timeline == 0 ? json(nullptr) : json(primary.branch.timeline)},
        {"standby", told ? json(primary.standby) : json(nullptr)},
        {"trouble", safe_json(primary.trouble)}};
  }
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < (20U << 10)) return std::to_string(bytes) + " bytes";
  if (bytes < (20U << 20)) return std::to_string(bytes >> 10U) + " KiB";
  return std::to_string(bytes >> 20U) + " MiB";
}

std::string other_primary_text(const ReceiverLine& receiver, const std::string& where,
                               std::uint32_t timeline) {
  std::string text = "this standby follows another primary: it receives timeline " +
                     (receiver.timeline ? std::to_string(*receiver.timeline) : "-");
  if (!receiver.host.empty())
    text += " from " + escape(receiver.host) + ":" + escape(receiver.port);
  return text + ", and " + where + " is the primary of timeline " + std::to_string(timeline) +
         ". Only one of the two may run; `replication rejoin --primary` lets a node follow it";
}

std::string number_text(double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  std::string number = text.data();
  number.erase(number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.pop_back();
  return number;
}

std::string lag_text(const std::optional<std::uint64_t>& bytes,
                     const std::optional<double>& seconds) {
  if (!bytes) return "-";
  return bytes_text(*bytes) + (seconds ? " and " + number_text(*seconds) + " s" : "");
}

std::string replication_text(const ReplicationStatus& status, const ReplicationVerdict& verdict) {
  std::string text = std::string(status.standby ? "standby" : "primary") + " at " +
                     escape(status.where) + ", PostgreSQL " + version_text(status.version);
  if (status.timeline) text += ", timeline " + std::to_string(*status.timeline);
  if (!status.standby) text += ", position " + at(status.position);
  text += "\n";
  for (const Judgement& finding : verdict.findings) {
    if (finding.health == Health::Ok) continue;
    text += std::string(health_word(finding.health)) + ": " + finding.text + "\n";
  }
  text += "\n";
  if (status.standby) text += standby_text(status);
  if (!status.standby || !status.standbys.empty()) text += standbys_text(status);
  if (!status.slots.empty()) text += "\n" + slots_text(status);
  return text;
}

json findings_array(const std::vector<Judgement>& findings) {
  json array = json::array();
  for (const Judgement& finding : findings) {
    array.push_back({{"health", health_word(finding.health)}, {"text", finding.text}});
  }
  return array;
}

std::string json_text(const json& object) {
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

json safe_json(const std::string& text) {
  return text.empty() ? json(nullptr) : json(is_utf8(text) ? text : escape(text));
}

json replication_object(const ReplicationStatus& status, const ReplicationVerdict& verdict) {
  json object{{"role", status.standby ? "standby" : "primary"},
              {"where", safe_json(status.where)},
              {"server_version", status.version},
              {"timeline", or_null(status.timeline)},
              {"position", lsn(status.position)},
              {"health", health_word(verdict.health)},
              {"synchronous_standby_names", safe_json(status.synchronous_names)},
              {"slot_limit_bytes", or_null(status.slot_limit)},
              {"not_shown_to_user", status.hidden}};
  object["findings"] = findings_array(verdict.findings);
  json& standbys = object["standbys"] = json::array();
  for (const StandbyLine& line : status.standbys) standbys.push_back(standby_json(status, line));
  json& slots = object["slots"] = json::array();
  for (const SlotLine& slot : status.slots) slots.push_back(slot_json(status, slot));
  if (status.standby) add_standby(object, status);
  return object;
}

std::string replication_json(const ReplicationStatus& status, const ReplicationVerdict& verdict) {
  return json_text(replication_object(status, verdict));
}

}  // namespace xs
