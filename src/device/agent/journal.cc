// SPDX-License-Identifier: Apache-2.0
#include "device/agent/journal.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"

namespace oree {
namespace {

constexpr const char* kPhaseNames[] = {"idle", "downloading", "downloaded", "installed", "probation"};

Json slot_to_json(const Slot& slot) {
  Json json = Json::object();
  if (slot.digest.empty()) return json;
  json.set("digest", slot.digest).set("version", slot.version).set("manifest_sha256", slot.manifest_sha256);
  json.set("bytes", slot.bytes).set("committed", slot.committed);
  return json;
}

Error contradiction(const std::string& what) { return Error(Code::kInvalid, "journal: " + what); }

Result<std::string> get_digest(const Json& json, std::string_view key) {
  OREE_TRY_ASSIGN(std::string text, json.get_string(key));
  OREE_TRY_ASSIGN(auto digest, parse_digest(text));
  return digest_text(digest);
}

Result<std::string> get_short(const Json& json, std::string_view key, size_t max) {
  OREE_TRY_ASSIGN(std::string text, json.get_string(key));
  if (text.size() > max)
    return contradiction(fmt::format("{} has {} characters, at most {} are allowed", key, text.size(), max));
  return text;
}

Result<Slot> slot_from_json(const Json& json) {
  Slot slot;
  if (!json.is_object()) return contradiction("a slot is not an object");
  if (json.members().empty()) return slot;
  OREE_TRY_ASSIGN(slot.digest, get_digest(json, "digest"));
  OREE_TRY_ASSIGN(slot.version, json.get_string("version"));
  OREE_TRY(check_name(slot.version, "journal: version of a slot"));
  OREE_TRY_ASSIGN(slot.manifest_sha256, get_digest(json, "manifest_sha256"));
  OREE_TRY_ASSIGN(slot.bytes, json.get_int("bytes", 0, kBundleBytesMax));
  OREE_TRY_ASSIGN(slot.committed, json.get_bool("committed"));
  return slot;
}

Json update_to_json(const Update& update) {
  Json json = Json::object();
  json.set("phase", phase_name(update.phase));
  if (update.phase == Phase::kIdle) return json;
  json.set("digest", update.digest).set("version", update.version).set("url", update.url).set("size", update.size);
  json.set("slot", kSlotNames[update.slot]).set("digest_failures", update.digest_failures);
  json.set("starts", update.starts).set("drift_before", update.drift_before);
  return json;
}

Result<int> slot_index(const std::string& name) {
  for (int i = 0; i < 2; ++i) {
    if (name == kSlotNames[i]) return i;
  }
  return contradiction(fmt::format("slot \"{}\" is neither a nor b", name));
}

Result<Update> update_from_json(const Json& json) {
  Update update;
  OREE_TRY_ASSIGN(std::string phase, json.get_string("phase"));
  size_t index = 0;
  while (index < std::size(kPhaseNames) && phase != kPhaseNames[index]) ++index;
  if (index == std::size(kPhaseNames)) return contradiction(fmt::format("unknown phase \"{}\"", phase));
  update.phase = static_cast<Phase>(index);
  if (update.phase == Phase::kIdle) return update;
  OREE_TRY_ASSIGN(update.digest, get_digest(json, "digest"));
  OREE_TRY_ASSIGN(update.version, json.get_string("version"));
  OREE_TRY(check_name(update.version, "journal: version of the update"));
  OREE_TRY_ASSIGN(update.url, get_short(json, "url", 4096));
  OREE_TRY_ASSIGN(update.size, json.get_int("size", 0, kBundleBytesMax));
  OREE_TRY_ASSIGN(std::string slot, json.get_string("slot"));
  OREE_TRY_ASSIGN(update.slot, slot_index(slot));
  OREE_TRY_ASSIGN(int64_t failures, json.get_int("digest_failures", 0, 1000));
  OREE_TRY_ASSIGN(int64_t starts, json.get_int("starts", 0, 1'000'000));
  update.digest_failures = static_cast<int>(failures);
  update.starts = static_cast<int>(starts);
  OREE_TRY_ASSIGN(update.drift_before, json.get_bool("drift_before"));
  return update;
}

Json state_to_json(const AgentState& state) {
  Json json = Json::object();
  json.set("generation", state.generation);
  json.set("active", state.active < 0 ? "" : kSlotNames[state.active]);
  Json slots = Json::object();
  for (size_t i = 0; i < 2; ++i) slots.set(kSlotNames[i], slot_to_json(state.slots[i]));
  json.set("slots", slots).set("update", update_to_json(state.update));
  Json last = Json::object();
  last.set("digest", state.last.digest).set("version", state.last.version).set("outcome", state.last.outcome);
  last.set("reason", state.last.reason).set("detail", state.last.detail);
  json.set("last", last).set("update_seq", state.update_seq);
  Json refused = Json::array();
  for (const Refusal& r : state.refused) {
    Json item = Json::object().set("digest", r.digest).set("reason", r.reason);
    if (!r.remedy.what.empty())
      item.set("remedy", Json::object().set("what", r.remedy.what).set("found", r.remedy.found));
    refused.push(item);
  }
  return json.set("refused", refused);
}

Result<AgentState> state_from_json(const Json& json) {
  AgentState state;
  OREE_TRY_ASSIGN(state.generation, json.get_int("generation", 0, INT64_MAX - 1));
  OREE_TRY_ASSIGN(std::string active, json.get_string("active"));
  if (!active.empty()) {
    OREE_TRY_ASSIGN(state.active, slot_index(active));
  }
  OREE_TRY_ASSIGN(const Json* slots, json.get_object("slots"));
  for (size_t i = 0; i < 2; ++i) {
    OREE_TRY_ASSIGN(state.slots[i], slot_from_json((*slots)[kSlotNames[i]]));
  }
  OREE_TRY_ASSIGN(const Json* update, json.get_object("update"));
  OREE_TRY_ASSIGN(state.update, update_from_json(*update));
  OREE_TRY_ASSIGN(const Json* last, json.get_object("last"));
  OREE_TRY_ASSIGN(state.last.digest, get_short(*last, "digest", 64));
  OREE_TRY_ASSIGN(state.last.version, get_short(*last, "version", kNameCharsMax));
  OREE_TRY_ASSIGN(state.last.outcome, get_short(*last, "outcome", 64));
  OREE_TRY_ASSIGN(state.last.reason, get_short(*last, "reason", 64));
  OREE_TRY_ASSIGN(state.last.detail, get_short(*last, "detail", 4096));
  OREE_TRY_ASSIGN(state.update_seq, json.get_int("update_seq", 0, INT64_MAX - 1));
  OREE_TRY_ASSIGN(const Json* refused, json.get_array("refused"));
  if (refused->items().size() > kRefusedMax) return contradiction("too many refused digests");
  for (const Json& item : refused->items()) {
    Refusal refusal;
    OREE_TRY_ASSIGN(refusal.digest, get_digest(item, "digest"));
    OREE_TRY_ASSIGN(refusal.reason, get_short(item, "reason", 64));
    if (item.find("remedy") != nullptr) {
      OREE_TRY_ASSIGN(const Json* remedy, item.get_object("remedy"));
      OREE_TRY_ASSIGN(refusal.remedy.what, get_short(*remedy, "what", kRemedyCharsMax));
      OREE_TRY_ASSIGN(refusal.remedy.found, get_short(*remedy, "found", kRemedyCharsMax));
    }
    state.refused.push_back(std::move(refusal));
  }
  return state;
}

// What no sequence of steps can have written.
Status check_consistent(const AgentState& s) {
  if (s.active >= 0 && s.slots[static_cast<size_t>(s.active)].digest.empty())
    return contradiction("the active slot is empty");
  const Update& u = s.update;
  if (u.phase == Phase::kIdle) return {};
  if (u.phase == Phase::kProbation ? u.slot != s.active : u.slot == s.active) {
    return contradiction(
        fmt::format("an update in phase {} must not lie in slot {}", phase_name(u.phase), kSlotNames[u.slot]));
  }
  const Slot& slot = s.slots[static_cast<size_t>(u.slot)];
  if (u.phase == Phase::kDownloaded && !slot.digest.empty())
    return contradiction("the slot to be written is not empty");
  if (u.phase >= Phase::kInstalled && slot.digest != u.digest)
    return contradiction("the update's slot holds another bundle");
  return {};
}

}  // namespace

const char* phase_name(Phase phase) { return kPhaseNames[static_cast<size_t>(phase)]; }

const Refusal* AgentState::refusal(const std::string& digest) const {
  for (const Refusal& refusal : refused) {
    if (refusal.digest == digest) return &refusal;
  }
  return nullptr;
}

std::string journal_text(const AgentState& state) {
  std::string body = state_to_json(state).dump();
  Json json = Json::object();
  json.set("oree_journal", kJournalFormat)
      .set("sha256", digest_text(sha256(as_bytes(body))))
      .set("state", state_to_json(state));
  return json.dump() + "\n";
}

Result<AgentState> parse_journal(std::string_view text) {
  OREE_TRY_ASSIGN(Json json, Json::parse(text));
  OREE_TRY_ASSIGN(int64_t format, json.get_int("oree_journal", 1, 1'000'000));
  if (format != kJournalFormat) {
    return Error(Code::kUnsupported,
                 fmt::format("journal: format {} is newer than this agent, which reads {}", format, kJournalFormat));
  }
  OREE_TRY_ASSIGN(std::string expected, get_digest(json, "sha256"));
  OREE_TRY_ASSIGN(const Json* body, json.get_object("state"));
  // Canonical: our own writer is deterministic, so the digest can be taken over the re-written body.
  std::string found = digest_text(sha256(as_bytes(body->dump())));
  if (found != expected) return contradiction(fmt::format("its digest is {} but {} was written", found, expected));
  OREE_TRY_ASSIGN(AgentState state, state_from_json(*body));
  OREE_TRY(check_consistent(state));
  return state;
}

Journal::Loaded Journal::load() {
  Loaded loaded;
  bool any = false;
  for (const std::string& file : {path(), previous_path()}) {
    auto bytes = files_->read(file, kJournalBytesMax);
    if (!bytes.ok() && bytes.error().code() == Code::kNotFound) continue;
    any = true;
    auto state = bytes.ok() ? parse_journal(as_text(*bytes)) : Result<AgentState>(bytes.error());
    if (state.ok()) {
      loaded.state = std::move(state).value();
      if (file == path()) written_ = std::string(as_text(*bytes));
      return loaded;
    }
    if (!loaded.note.empty()) loaded.note += "; ";
    loaded.note += path_name(file) + ": " + state.error().message();
  }
  loaded.fresh = !any;
  loaded.lost = any;
  return loaded;
}

Status Journal::save(AgentState& state) {
  AgentState next = state;
  ++next.generation;
  std::string text = journal_text(next);
  // The older generation is written from memory, so that a file gone bad on the medium is never copied over a good one.
  if (!written_.empty()) OREE_TRY(files_->write_atomic(previous_path(), as_bytes(written_)));
  OREE_TRY(files_->write_atomic(path(), as_bytes(text)));
  written_ = std::move(text);
  state.generation = next.generation;
  return {};
}

}  // namespace oree
