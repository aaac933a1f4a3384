// SPDX-License-Identifier: Apache-2.0
#include "device/agent/show.h"

#include <fmt/format.h>

#include "core/base/text.h"
#include "device/agent/journal.h"
#include "device/agent/slots.h"

namespace oree {

Result<Json> describe_data(Files& files, const std::string& data) {
  Journal::Loaded loaded = Journal(files, data).load();
  if (loaded.fresh) return Error(Code::kNotFound, data + ": no agent has run here");
  const AgentState& s = loaded.state;
  Json json = Json::object();
  json.set("data", data).set("journal", loaded.note.empty() ? "good" : loaded.note);
  json.set("active", s.active < 0 ? Json() : Json(kSlotNames[s.active]));
  Json slots = Json::array();
  for (int i = 0; i < 2; ++i) {
    const Slot& slot = s.slots[static_cast<size_t>(i)];
    Json item = Json::object();
    item.set("slot", kSlotNames[i]).set("version", slot.version).set("digest", slot.digest).set("bytes", slot.bytes);
    item.set("committed", slot.committed).set("intact", slot_intact(files, data, i, slot));
    slots.push(item);
  }
  json.set("slots", slots);
  Json update = Json::object().set("phase", phase_name(s.update.phase));
  if (s.update.phase != Phase::kIdle) {
    auto part = files.info(part_path(data, s.update.digest));
    update.set("version", s.update.version).set("digest", s.update.digest).set("bytes", s.update.size);
    update.set("bytes_here", part.ok() ? part->size : 0);
  }
  json.set("update", update);
  Json last = Json::object();
  last.set("version", s.last.version)
      .set("outcome", s.last.outcome)
      .set("reason", s.last.reason)
      .set("detail", s.last.detail);
  json.set("last", last).set("update_seq", s.update_seq);
  Json refused = Json::array();
  for (const Refusal& r : s.refused) {
    Json item = Json::object().set("digest", r.digest).set("reason", r.reason);
    if (!r.remedy.what.empty()) item.set("waits_for", r.remedy.what).set("found", r.remedy.found);
    refused.push(item);
  }
  return json.set("refused", refused);
}

std::string status_text(const Json& d) {
  // Filled at once: GCC 14 at -Os takes an assignment to `right` for one beyond its end.
  TextTable table{{"slot", "version", "state", "size", "digest"}, {false, false, false, true}, {}};
  for (const Json& slot : d["slots"].items()) {
    const std::string& name = slot["slot"].as_string();
    std::string state = slot["version"].as_string().empty() ? "empty"
                        : slot["committed"].as_bool()       ? "committed"
                                                            : "on trial";
    if (!slot["version"].as_string().empty() && !slot["intact"].as_bool()) state += ", damaged";
    if (name == d["active"].as_string()) state += ", active";
    table.rows.push_back({name, slot["version"].as_string(), state, human_bytes(slot["bytes"].as_int()),
                          slot["digest"].as_string().substr(0, 12)});
  }
  std::string out = table.text();
  const Json& update = d["update"];
  out += "update: " + update["phase"].as_string();
  if (!update["version"].as_string().empty()) {
    out += fmt::format(" {} ({} of {} here)", update["version"].as_string(), human_bytes(update["bytes_here"].as_int()),
                       human_bytes(update["bytes"].as_int()));
  }
  out += "\n";
  const Json& last = d["last"];
  if (!last["outcome"].as_string().empty()) {
    out += fmt::format("last update: {} {}", last["version"].as_string(), last["outcome"].as_string());
    if (!last["reason"].as_string().empty()) out += ", " + last["reason"].as_string();
    if (!last["detail"].as_string().empty()) out += " (" + last["detail"].as_string() + ")";
    out += "\n";
  }
  if (d["journal"].as_string() != "good") out += "journal: " + d["journal"].as_string() + "\n";
  return out;
}

std::string proof_text(const Proof& proof) {
  if (!proof.passed) return fmt::format("refused: {}, {}\n", proof.reason, proof.detail);
  return fmt::format("proven: p95 {:.2f} ms, relative error {:.3g}, cosine {:.6f}, {} resident\n", proof.latency_ms_p95,
                     proof.relative_error, proof.cosine, human_bytes(proof.rss_bytes_peak));
}

std::string look_text(const Proof& proof) {
  if (!proof.passed) return fmt::format("{} is not here: {}\n", proof.remedy.what, proof.detail);
  return fmt::format("{} is here: {}\n", proof.remedy.what, proof.remedy.found);
}

}  // namespace oree
