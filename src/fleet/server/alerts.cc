// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/alerts.h"

namespace oree {
namespace {

constexpr char kColumns[] =
    "SELECT id, device_id, kind, subject, state, detail, count, opened_ms, last_ms, acknowledged_ms, resolved_ms FROM "
    "alerts ";

std::optional<int64_t> time_of(const DbRow& row, size_t column) {
  return row.is_null(column) ? std::nullopt : std::optional<int64_t>(row.integer(column));
}

Alert alert_of(const DbRow& row) {
  Alert a;
  a.id = row.integer(0);
  a.device_id = row.text(1);
  a.kind = row.text(2);
  a.subject = row.text(3);
  a.state = row.text(4);
  a.detail = row.text(5);
  a.count = row.integer(6);
  a.opened_ms = row.integer(7);
  a.last_ms = row.integer(8);
  a.acknowledged_ms = time_of(row, 9);
  a.resolved_ms = time_of(row, 10);
  return a;
}

}  // namespace

Json alert_to_json(const Alert& a) {
  Json json;
  json.set("id", a.id)
      .set("device_id", a.device_id)
      .set("kind", a.kind)
      .set("subject", a.subject)
      .set("state", a.state);
  json.set("detail", a.detail).set("count", a.count).set("opened_ms", a.opened_ms).set("last_ms", a.last_ms);
  json.set("acknowledged_ms", a.acknowledged_ms).set("resolved_ms", a.resolved_ms);
  return json;
}

Json retrain_request_to_json(const RetrainRequest& r) {
  Json json;
  json.set("id", r.id).set("alert_id", r.alert_id).set("device_id", r.device_id).set("model", r.model);
  json.set("version", r.version).set("distance", r.distance).set("samples", r.samples).set("created_ms", r.created_ms);
  return json;
}

Result<std::optional<int64_t>> AlertStore::raise(const std::string& device, const std::string& kind,
                                                 const std::string& subject, const std::string& detail,
                                                 int64_t now_ms) {
  std::optional<int64_t> opened;
  Status done = db_.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(DbChange again,
                    db_.exec("UPDATE alerts SET count = count + 1, last_ms = ?, detail = ?"
                             " WHERE device_id = ? AND kind = ? AND subject = ? AND state <> 'resolved'",
                             {now_ms, detail, device, kind, subject}));
    if (again.rows > 0) return {};
    OREE_TRY_ASSIGN(DbChange made,
                    db_.exec("INSERT INTO alerts(device_id, kind, subject, state, detail, count, opened_ms,"
                             " last_ms) VALUES(?, ?, ?, 'open', ?, 1, ?, ?)",
                             {device, kind, subject, detail, now_ms, now_ms}));
    opened = made.last_id;
    return {};
  });
  OREE_TRY(done);
  return opened;
}

Status AlertStore::resolve(const std::string& device, const std::string& kind, const std::string& subject,
                           int64_t now_ms) {
  // Looked at first: nearly always there is nothing to resolve, and a look costs no write to the disk.
  OREE_TRY_ASSIGN(
      auto live,
      db_.query("SELECT id FROM alerts WHERE device_id = ? AND kind = ? AND subject = ? AND state <> 'resolved'",
                {device, kind, subject}));
  for (const DbRow& row : live) {
    OREE_TRY(db_.exec("UPDATE alerts SET state = 'resolved', resolved_ms = ? WHERE id = ?", {now_ms, row.integer(0)}));
  }
  return {};
}

Result<Alert> AlertStore::acknowledge(int64_t id, int64_t now_ms) {
  Alert alert;
  Status done = db_.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(auto rows, db_.query(std::string(kColumns) + "WHERE id = ?", {id}));
    if (rows.empty()) return Error(Code::kNotFound, "no alert " + std::to_string(id));
    alert = alert_of(rows[0]);
    if (alert.state == "resolved") return Error(Code::kConflict, "alert " + std::to_string(id) + " is resolved");
    if (alert.state == "acknowledged") return {};
    OREE_TRY(db_.exec("UPDATE alerts SET state = 'acknowledged', acknowledged_ms = ? WHERE id = ?", {now_ms, id}));
    alert.state = "acknowledged";
    alert.acknowledged_ms = now_ms;
    return {};
  });
  OREE_TRY(done);
  return alert;
}

Result<std::vector<Alert>> AlertStore::list(const std::string& state, int64_t before, int64_t limit) {
  std::string where = state == "live" ? "state <> 'resolved' AND ?1 = ?1" : "(?1 = '' OR state = ?1)";
  OREE_TRY_ASSIGN(auto rows,
                  db_.query(std::string(kColumns) + "WHERE " + where + " AND id < ?2 ORDER BY id DESC LIMIT ?3",
                            {state, before, limit}));
  return from_rows(rows, alert_of);
}

Status AlertStore::request_retrain(const RetrainRequest& r) {
  OREE_TRY(
      db_.exec("INSERT INTO retrain_requests(alert_id, device_id, model, version, distance, samples, created_ms)"
               " VALUES(?, ?, ?, ?, ?, ?, ?)",
               {r.alert_id, r.device_id, r.model, r.version, r.distance, r.samples, r.created_ms}));
  return {};
}

Result<std::vector<RetrainRequest>> AlertStore::retrain_requests(int64_t before, int64_t limit) {
  OREE_TRY_ASSIGN(auto rows, db_.query("SELECT id, alert_id, device_id, model, version, distance, samples, created_ms"
                                       " FROM retrain_requests WHERE id < ? ORDER BY id DESC LIMIT ?",
                                       {before, limit}));
  return from_rows(rows, [](const DbRow& row) {
    return RetrainRequest{row.integer(0), row.integer(1), row.text(2),    row.text(3),
                          row.text(4),    row.real(5),    row.integer(6), row.integer(7)};
  });
}

}  // namespace oree
