// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/releases.h"

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/text.h"

namespace oree {
namespace {

constexpr char kColumns[] =
    "SELECT id, model, version, digest, size, device_types, notes, created_ms, withdrawn_ms FROM releases ";

StoredRelease release_of(const DbRow& row) {
  StoredRelease r;
  r.id = row.text(0);
  r.release.model = row.text(1);
  r.release.version = row.text(2);
  r.release.digest = row.text(3);
  r.release.size = row.integer(4);
  if (auto types = Json::parse(row.text(5)); types.ok()) {
    for (const Json& type : types->items()) r.release.device_types.push_back(type.as_string());
  }
  r.release.notes = row.text(6);
  r.created_ms = row.integer(7);
  if (!row.is_null(8)) r.withdrawn_ms = row.integer(8);
  return r;
}

std::vector<std::string> sorted_types(std::vector<std::string> types) {
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return types;
}

std::string title(const Release& release) { return release.model + " " + release.version; }

Status same_as_before(const StoredRelease& old, const Release& release) {
  if (old.withdrawn_ms) return Error(Code::kConflict, title(release) + " was withdrawn: publish a new version");
  if (old.release.device_types != sorted_types(release.device_types)) {
    return Error(Code::kConflict, title(release) + " was published for other device types: publish a new version");
  }
  return {};
}

// Another bundle of the same version: its devices must be others.
Status apart_from(const StoredRelease& old, const Release& release) {
  for (const std::string& type : release.device_types) {
    if (!std::binary_search(old.release.device_types.begin(), old.release.device_types.end(), type)) continue;
    return Error(Code::kConflict, title(release) + " was published for " + type + " with sha256:" + old.release.digest +
                                      ", not sha256:" + release.digest + ": give the new bytes a new version");
  }
  return {};
}

}  // namespace

Json stored_release_to_json(const StoredRelease& stored) {
  Json json = release_to_json(stored.release);
  json.set("id", stored.id).set("created_ms", stored.created_ms);
  json.set("withdrawn_ms", stored.withdrawn_ms);
  return json;
}

Result<ReleaseStore::Published> ReleaseStore::publish(const Release& release,
                                                      const std::optional<DriftReference>& reference, int64_t now_ms) {
  Published published;
  const std::vector<std::string> sorted = sorted_types(release.device_types);
  Status done = db_.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) + "WHERE model = ? AND version = ?",
                                         {release.model, release.version}));
    for (const DbRow& row : rows) {
      StoredRelease old = release_of(row);
      if (old.release.digest != release.digest) {
        OREE_TRY(apart_from(old, release));
        continue;
      }
      OREE_TRY(same_as_before(old, release));
      published.release = std::move(old);
      return {};
    }
    std::string id = release.model + "@" + release.version;
    if (!rows.empty()) id += "@" + sorted[0];
    OREE_TRY_ASSIGN(auto count, db_.query("SELECT count(*) FROM releases"));
    if (count[0].integer(0) >= kFleetReleasesMax) {
      return Error(Code::kExhausted, "expected at most " + std::to_string(kFleetReleasesMax) + " releases");
    }
    Json types = Json(Json::Array{});
    for (const auto& type : sorted) types.push(type);
    DbValue kept = reference ? DbValue(drift_reference_to_json(*reference).dump()) : DbValue();
    OREE_TRY(db_.exec(
        "INSERT INTO releases(id, model, version, digest, size, device_types, notes, reference, created_ms)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {id, release.model, release.version, release.digest, release.size, types.dump(), release.notes, kept, now_ms}));
    for (const Json& type : types.items()) {
      OREE_TRY(db_.exec("INSERT INTO release_types VALUES(?, ?, ?)", {release.model, type.as_string(), id}));
    }
    OREE_TRY_ASSIGN(published.release, get(id));
    published.fresh = true;
    return {};
  });
  OREE_TRY(done);
  return published;
}

Status ReleaseStore::withdraw(const std::string& id, int64_t now_ms) {
  OREE_TRY(get(id));
  OREE_TRY(db_.exec("UPDATE releases SET withdrawn_ms = ? WHERE id = ? AND withdrawn_ms IS NULL", {now_ms, id}));
  return {};
}

Result<StoredRelease> ReleaseStore::latest(const std::string& model, const std::string& device_type) {
  OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) +
                                           "WHERE withdrawn_ms IS NULL AND id IN (SELECT release_id FROM release_types"
                                           " WHERE model = ? AND device_type = ?)",
                                       {model, device_type}));
  const DbRow* best = nullptr;
  for (const DbRow& row : rows) {
    if (!best || compare_versions(row.text(2), best->text(2)) > 0) best = &row;
  }
  if (best) return release_of(*best);
  OREE_TRY_ASSIGN(auto any, db_.query("SELECT count(*), count(withdrawn_ms) FROM releases WHERE model = ?", {model}));
  if (any[0].integer(0) == 0) return Error(Code::kNotFound, "no model named " + model + " was ever published");
  if (any[0].integer(0) == any[0].integer(1))
    return Error(Code::kNotFound, "every release of " + model + " was withdrawn");
  return Error(Code::kNotFound, "no release of " + model + " is for device type " + device_type);
}

Result<StoredRelease> ReleaseStore::get(const std::string& id) {
  OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) + "WHERE id = ?", {id}));
  if (rows.empty()) return Error(Code::kNotFound, "no release " + id);
  return release_of(rows[0]);
}

Result<std::vector<StoredRelease>> ReleaseStore::list(const std::string& after_id, int64_t limit) {
  OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) + "WHERE id > ? ORDER BY id LIMIT ?", {after_id, limit}));
  return from_rows(rows, release_of);
}

Result<std::vector<StoredRelease>> ReleaseStore::newest(int64_t limit) {
  OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) + "ORDER BY created_ms DESC, id LIMIT ?", {limit}));
  return from_rows(rows, release_of);
}

Result<std::optional<DriftReference>> ReleaseStore::reference(const std::string& model, const std::string& version) {
  OREE_TRY_ASSIGN(auto rows, db_.query("SELECT reference FROM releases WHERE model = ? AND version = ?"
                                       " AND reference IS NOT NULL ORDER BY created_ms, id LIMIT 1",
                                       {model, version}));
  if (rows.empty()) return std::optional<DriftReference>();
  OREE_TRY_ASSIGN(Json json, Json::parse(rows[0].text(0)));
  OREE_TRY_ASSIGN(DriftReference reference, drift_reference_from_json(json));
  return std::optional<DriftReference>(reference);
}

}  // namespace oree
