// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/event_store.h"

#include <set>

#include "core/base/log.h"
#include "core/base/text.h"

namespace oree {

Json event_to_json(const Event& e) {
  Json box = Json::array();
  for (double v : {e.box.x0, e.box.y0, e.box.x1, e.box.y1}) box.push(v);
  Json out = Json::object();
  out.set("id", e.id)
      .set("time", utc_text(e.time_ms))
      .set("class", e.label)
      .set("score", e.score)
      .set("box", std::move(box));
  out.set("width", e.width).set("height", e.height).set("track", e.track).set("zone", e.zone).set("frame", e.frame);
  out.set("stream_ms", e.stream_ms).set("snapshot", e.snapshot).set("model", e.model).set("version", e.version);
  return out;
}

Result<std::unique_ptr<EventStore>> EventStore::open(Files& files, Database& database, const StoreConfig& config,
                                                     bool webhook, int64_t pending_max) {
  std::unique_ptr<EventStore> store(new EventStore(files, database, config, webhook, pending_max));
  OREE_TRY(files.make_dirs(store->snapshot_folder()));
  OREE_TRY(
      database.script("CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL "
                      "UNIQUE, json TEXT NOT NULL,"
                      " snapshot TEXT NOT NULL, snapshot_bytes INTEGER NOT NULL, owed INTEGER NOT NULL);"
                      "CREATE INDEX IF NOT EXISTS events_owed ON events(seq) WHERE owed = 1;"
                      "CREATE INDEX IF NOT EXISTS events_snapshot ON events(seq) WHERE snapshot_bytes > 0;"));
  OREE_TRY(store->sweep());
  return store;
}

Status EventStore::sweep() {
  OREE_TRY_ASSIGN(std::vector<DbRow> rows, database_.query("SELECT snapshot FROM events WHERE snapshot_bytes > 0"));
  std::set<std::string> known;
  for (const DbRow& row : rows) known.insert(path_name(row.text(0)));
  OREE_TRY_ASSIGN(std::vector<std::string> names, files_.list(snapshot_folder()));
  for (const std::string& name : names) {
    if (known.count(name) == 0) OREE_TRY(files_.remove(path_join(snapshot_folder(), name)));
  }
  return {};
}

Status EventStore::add(Event& event, ByteView jpeg) {
  std::lock_guard lock(mutex_);
  event.snapshot.clear();
  if (!jpeg.empty() && config_.snapshots_max > 0) {
    // The picture first: an event never names a file that is not there, a stray file is swept at the next start.
    std::string path = path_join(snapshot_folder(), event.id + ".jpg");
    Status written = files_.write_atomic(path, jpeg);
    if (written.ok()) {
      event.snapshot = path;
    } else {
      log_warn("camera", "event " + event.id + " is stored without its snapshot: " + written.error().message());
    }
  }
  int64_t bytes = event.snapshot.empty() ? 0 : static_cast<int64_t>(jpeg.size());
  OREE_TRY_ASSIGN(
      DbChange change,
      database_.exec("INSERT INTO events(id, json, snapshot, snapshot_bytes, owed) VALUES(?, ?, ?, ?, ?)",
                     {event.id, event_to_json(event).dump(), event.snapshot, bytes, int64_t{webhook_ ? 1 : 0}}));
  (void)change;
  return trim();
}

Status EventStore::trim() {
  std::vector<std::string> removed;
  Status done = database_.transaction([&]() -> Status {
    // Everything up to and including this row goes; 0 when the table is within its limit.
    OREE_TRY_ASSIGN(auto last,
                    database_.query("SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?", {config_.events_max}));
    if (!last.empty()) {
      int64_t seq = last[0].integer(0);
      OREE_TRY_ASSIGN(auto rows, database_.query("SELECT snapshot, owed FROM events WHERE seq <= ?", {seq}));
      for (const DbRow& row : rows) {
        if (!row.text(0).empty()) removed.push_back(row.text(0));
        shed_ += row.integer(1);
      }
      OREE_TRY_ASSIGN(DbChange gone, database_.exec("DELETE FROM events WHERE seq <= ?", {seq}));
      (void)gone;
    }
    OREE_TRY_ASSIGN(
        auto owed,
        database_.query("SELECT seq FROM events WHERE owed = 1 ORDER BY seq DESC LIMIT 1 OFFSET ?", {pending_max_}));
    if (!owed.empty()) {
      OREE_TRY_ASSIGN(DbChange let_go,
                      database_.exec("UPDATE events SET owed = 0 WHERE owed = 1 AND seq <= ?", {owed[0].integer(0)}));
      shed_ += let_go.rows;
    }
    OREE_TRY_ASSIGN(
        auto sum,
        database_.query("SELECT COUNT(*), COALESCE(SUM(snapshot_bytes), 0) FROM events WHERE snapshot_bytes > 0"));
    int64_t count = sum[0].integer(0), bytes = sum[0].integer(1);
    while (count > 0 && (count > config_.snapshots_max || bytes > config_.snapshot_bytes_max)) {
      OREE_TRY_ASSIGN(
          auto oldest,
          database_.query(
              "SELECT seq, snapshot, snapshot_bytes FROM events WHERE snapshot_bytes > 0 ORDER BY seq LIMIT 1"));
      if (oldest.empty()) break;
      removed.push_back(oldest[0].text(1));
      --count;
      bytes -= oldest[0].integer(2);
      OREE_TRY_ASSIGN(
          DbChange cleared,
          database_.exec("UPDATE events SET snapshot = '', snapshot_bytes = 0 WHERE seq = ?", {oldest[0].integer(0)}));
      (void)cleared;
    }
    return {};
  });
  OREE_TRY(std::move(done));
  // After the commit: a cut here leaves strays, which the sweep finds.
  for (const std::string& path : removed) OREE_TRY(files_.remove(path));
  return {};
}

Result<std::vector<PendingEvent>> EventStore::pending(int64_t count_max) {
  OREE_TRY_ASSIGN(auto rows,
                  database_.query("SELECT id, json FROM events WHERE owed = 1 ORDER BY seq LIMIT ?", {count_max}));
  std::vector<PendingEvent> events;
  events.reserve(rows.size());
  for (const DbRow& row : rows) events.push_back({row.text(0), row.text(1)});
  return events;
}

Result<std::vector<PendingEvent>> EventStore::latest(int64_t count_max) {
  OREE_TRY_ASSIGN(auto rows, database_.query("SELECT id, json FROM events ORDER BY seq DESC LIMIT ?", {count_max}));
  std::vector<PendingEvent> events;
  events.reserve(rows.size());
  for (const DbRow& row : rows) events.push_back({row.text(0), row.text(1)});
  return events;
}

Status EventStore::settle(const std::string& id) {
  OREE_TRY_ASSIGN(DbChange change, database_.exec("UPDATE events SET owed = 0 WHERE id = ?", {id}));
  (void)change;
  return {};
}

int64_t EventStore::shed() const {
  std::lock_guard lock(mutex_);
  return shed_;
}

}  // namespace oree
