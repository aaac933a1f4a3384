// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/schema.h"

namespace oree {
namespace {

// Step i takes a database from version i to i + 1. A step that was released is never edited: add another.
constexpr const char* kSteps[] = {
    R"sql(
CREATE TABLE devices(
  id TEXT PRIMARY KEY, device_type TEXT NOT NULL, token_hash TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL,
  last_seen_ms INTEGER, status TEXT, interval_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE releases(
  id TEXT PRIMARY KEY, model TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
  device_types TEXT NOT NULL, notes TEXT NOT NULL, reference TEXT, created_ms INTEGER NOT NULL, withdrawn_ms INTEGER,
  UNIQUE(model, version));
CREATE TABLE release_types(
  model TEXT NOT NULL, device_type TEXT NOT NULL, release_id TEXT NOT NULL REFERENCES releases(id),
  PRIMARY KEY(model, device_type, release_id)) WITHOUT ROWID;
CREATE TABLE reports(
  device_id TEXT NOT NULL, boot_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  received_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY(device_id, boot_id, seq));
CREATE INDEX reports_by_time ON reports(device_id, at_ms);
CREATE INDEX reports_by_age ON reports(received_ms);
CREATE TABLE updates(
  device_id TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, outcome TEXT NOT NULL, version TEXT NOT NULL,
  reason TEXT NOT NULL, detail TEXT NOT NULL, received_ms INTEGER NOT NULL,
  PRIMARY KEY(device_id, seq, digest, outcome)) WITHOUT ROWID;
CREATE TABLE alerts(
  id INTEGER PRIMARY KEY AUTOINCREMENT, device_id TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  state TEXT NOT NULL, detail TEXT NOT NULL, count INTEGER NOT NULL, opened_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL, acknowledged_ms INTEGER, resolved_ms INTEGER);
CREATE UNIQUE INDEX alerts_live ON alerts(device_id, kind, subject) WHERE state <> 'resolved';
CREATE TABLE retrain_requests(
  id INTEGER PRIMARY KEY AUTOINCREMENT, alert_id INTEGER NOT NULL, device_id TEXT NOT NULL, model TEXT NOT NULL,
  version TEXT NOT NULL, distance REAL NOT NULL, samples INTEGER NOT NULL, created_ms INTEGER NOT NULL);
)sql",
    // since_ms: when the blob was received last, or found to have no release.
    R"sql(
CREATE TABLE unused_blobs(digest TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX releases_by_digest ON releases(digest);
)sql",
    // A version may have a bundle for each class of devices. SQLite takes a UNIQUE away with its table alone; what
    // other tables refer to by name finds the new one.
    R"sql(
CREATE TABLE releases_by_class(
  id TEXT PRIMARY KEY, model TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
  device_types TEXT NOT NULL, notes TEXT NOT NULL, reference TEXT, created_ms INTEGER NOT NULL, withdrawn_ms INTEGER,
  UNIQUE(model, version, digest));
INSERT INTO releases_by_class SELECT id, model, version, digest, size, device_types, notes, reference, created_ms,
  withdrawn_ms FROM releases;
CREATE TABLE types_by_class(
  model TEXT NOT NULL, device_type TEXT NOT NULL, release_id TEXT NOT NULL REFERENCES releases_by_class(id),
  PRIMARY KEY(model, device_type, release_id)) WITHOUT ROWID;
INSERT INTO types_by_class SELECT model, device_type, release_id FROM release_types;
DROP TABLE release_types;
DROP TABLE releases;
ALTER TABLE releases_by_class RENAME TO releases;
ALTER TABLE types_by_class RENAME TO release_types;
CREATE INDEX releases_by_digest ON releases(digest);
)sql",
};
static_assert(std::size(kSteps) == kFleetSchema);

}  // namespace

Status migrate_fleet(Database& database) {
  OREE_TRY_ASSIGN(auto rows, database.query("PRAGMA user_version"));
  int64_t version = rows.empty() ? 0 : rows[0].integer(0);
  if (version > kFleetSchema) {
    return Error(Code::kUnsupported, "fleet database: written by a newer server (schema " + std::to_string(version) +
                                         ", this one knows " + std::to_string(kFleetSchema) + ")");
  }
  for (; version < kFleetSchema; ++version) {
    Status done = database.transaction([&]() -> Status {
      OREE_TRY(database.script(kSteps[version]));
      return database.script("PRAGMA user_version = " + std::to_string(version + 1));
    });
    OREE_TRY(done);
  }
  return {};
}

}  // namespace oree
