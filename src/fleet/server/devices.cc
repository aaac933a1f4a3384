// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/devices.h"

#include "core/base/limits.h"
#include "fleet/server/auth.h"

namespace oree {
namespace {

constexpr char kColumns[] = "SELECT id, device_type, created_ms, last_seen_ms, status, interval_ms FROM devices ";

Error unknown(const std::string& id) { return Error(Code::kNotFound, "no device " + id); }

}  // namespace

Status DeviceStore::open() {
  std::map<std::string, Seen> seen;
  Status done = db_.each("SELECT id, last_seen_ms FROM devices WHERE last_seen_ms IS NOT NULL", {},
                         [&](const DbRow& row) -> Status {
                           seen[row.text(0)] = {row.integer(1), false};
                           return {};
                         });
  OREE_TRY(done);
  std::lock_guard lock(mutex_);
  seen_ = std::move(seen);
  return {};
}

Status DeviceStore::flush() {
  std::vector<std::pair<std::string, int64_t>> dirty;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, seen] : seen_) {
      if (seen.dirty) dirty.emplace_back(id, seen.ms);
      seen.dirty = false;
    }
  }
  if (dirty.empty()) return {};
  Status written = db_.transaction([&]() -> Status {
    for (const auto& [id, ms] : dirty) OREE_TRY(db_.exec("UPDATE devices SET last_seen_ms = ? WHERE id = ?", {ms, id}));
    return {};
  });
  if (!written.ok()) {
    std::lock_guard lock(mutex_);
    for (const auto& entry : dirty) {
      if (auto found = seen_.find(entry.first); found != seen_.end()) found->second.dirty = true;
    }
  }
  return written;
}

Result<std::string> DeviceStore::create(const std::string& id, const std::string& device_type, int64_t now_ms) {
  std::string token = make_token(random_, "od_");
  Status done = db_.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(auto rows, db_.query("SELECT count(*), coalesce(sum(id = ?), 0) FROM devices", {id}));
    if (rows[0].integer(1) > 0) return Error(Code::kConflict, "device " + id + " exists already");
    if (rows[0].integer(0) >= kFleetDevicesMax) {
      return Error(Code::kExhausted, "expected at most " + std::to_string(kFleetDevicesMax) + " devices");
    }
    OREE_TRY(db_.exec("INSERT INTO devices(id, device_type, token_hash, created_ms) VALUES(?, ?, ?, ?)",
                      {id, device_type, token_hash(token), now_ms}));
    return {};
  });
  OREE_TRY(done);
  return token;
}

Result<std::string> DeviceStore::rotate(const std::string& id) {
  std::string token = make_token(random_, "od_");
  OREE_TRY_ASSIGN(DbChange change, db_.exec("UPDATE devices SET token_hash = ? WHERE id = ?", {token_hash(token), id}));
  if (change.rows == 0) return unknown(id);
  return token;
}

Status DeviceStore::remove(const std::string& id) {
  Status done = db_.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(DbChange change, db_.exec("DELETE FROM devices WHERE id = ?", {id}));
    if (change.rows == 0) return unknown(id);
    for (const char* table : {"reports", "updates", "alerts"}) {
      OREE_TRY(db_.exec(std::string("DELETE FROM ") + table + " WHERE device_id = ?", {id}));
    }
    return {};
  });
  OREE_TRY(done);
  std::lock_guard lock(mutex_);
  seen_.erase(id);
  return {};
}

Result<std::optional<std::string>> DeviceStore::owner(const std::string& token) {
  // Found by the hash of 256 random bits: how long the look-up takes tells nothing that helps to guess.
  OREE_TRY_ASSIGN(auto rows, db_.query("SELECT id FROM devices WHERE token_hash = ?", {token_hash(token)}));
  if (rows.empty()) return std::optional<std::string>();
  return std::optional<std::string>(rows[0].text(0));
}

Device DeviceStore::device_of(const DbRow& row) {
  Device d;
  d.id = row.text(0);
  d.device_type = row.text(1);
  d.created_ms = row.integer(2);
  if (!row.is_null(3)) d.last_seen_ms = row.integer(3);
  if (!row.is_null(4)) {
    if (auto json = Json::parse(row.text(4)); json.ok()) {
      if (auto status = device_status_from_json(*json); status.ok()) d.status = std::move(*status);
    }
  }
  d.interval_ms = row.integer(5);
  std::lock_guard lock(mutex_);
  if (auto found = seen_.find(d.id); found != seen_.end()) d.last_seen_ms = found->second.ms;
  return d;
}

Result<Device> DeviceStore::get(const std::string& id) {
  OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) + "WHERE id = ?", {id}));
  if (rows.empty()) return unknown(id);
  return device_of(rows[0]);
}

Result<std::vector<Device>> DeviceStore::list(const std::string& after_id, int64_t limit) {
  OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) + "WHERE id > ? ORDER BY id LIMIT ?", {after_id, limit}));
  return from_rows(rows, [this](const DbRow& row) { return device_of(row); });
}

void DeviceStore::touch(const std::string& id, int64_t now_ms) {
  std::lock_guard lock(mutex_);
  seen_[id] = {now_ms, true};
}

Status DeviceStore::set_interval(const std::string& id, int64_t interval_ms) {
  OREE_TRY(db_.exec("UPDATE devices SET interval_ms = ?1 WHERE id = ?2 AND interval_ms <> ?1", {interval_ms, id}));
  return {};
}

Result<bool> DeviceStore::set_status(const std::string& id, const DeviceStatus& status, int64_t now_ms) {
  bool news = false;
  std::string text = device_status_to_json(status).dump();
  OREE_TRY_ASSIGN(auto rows, db_.query("SELECT status FROM devices WHERE id = ?", {id}));
  if (rows.empty()) return unknown(id);
  if (rows[0].text(0) == text) return false;  // nearly always
  Status done = db_.transaction([&]() -> Status {
    OREE_TRY(db_.exec("UPDATE devices SET status = ? WHERE id = ?", {text, id}));
    if (status.update_outcome.empty()) return {};
    OREE_TRY_ASSIGN(DbChange change,
                    db_.exec("INSERT OR IGNORE INTO updates VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                             {id, status.update_seq, status.update_digest, status.update_outcome, status.update_version,
                              status.update_reason, status.update_detail, now_ms}));
    news = change.rows > 0;
    return {};
  });
  OREE_TRY(done);
  return news;
}

Result<std::vector<UpdateRecord>> DeviceStore::updates(const std::string& id, int64_t limit) {
  OREE_TRY_ASSIGN(auto rows, db_.query("SELECT version, digest, outcome, reason, detail, seq, received_ms FROM updates"
                                       " WHERE device_id = ? ORDER BY received_ms DESC, seq DESC LIMIT ?",
                                       {id, limit}));
  return from_rows(rows, [](const DbRow& row) {
    return UpdateRecord{row.text(0), row.text(1),    row.text(2),   row.text(3),
                        row.text(4), row.integer(5), row.integer(6)};
  });
}

}  // namespace oree
