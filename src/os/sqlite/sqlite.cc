// SPDX-License-Identifier: Apache-2.0
#include "os/sqlite/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <deque>

namespace oree {
namespace {

constexpr size_t kStatementsMax = 64;  // prepared ones that are kept

Error sqlite_error(sqlite3* db, int code, std::string_view what) {
  std::string text =
      fmt::format("database: {} ({})", db ? sqlite3_errmsg(db) : sqlite3_errstr(code), what.substr(0, 200));
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG: return Error(Code::kExhausted, text);
    case SQLITE_CONSTRAINT: return Error(Code::kConflict, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return Error(Code::kUnavailable, text);
    default: return Error(Code::kInvalid, text);
  }
}

DbValue column_value(sqlite3_stmt* s, int i) {
  auto size = [&] { return static_cast<size_t>(sqlite3_column_bytes(s, i)); };
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER: return int64_t{sqlite3_column_int64(s, i)};
    case SQLITE_FLOAT: return sqlite3_column_double(s, i);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s, i));
      return std::string(text, size());
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(s, i));
      return Bytes(bytes, bytes + size());
    }
    default: return std::monostate();
  }
}

int bind_value(sqlite3_stmt* s, int i, const DbValue& value) {
  // SQLITE_STATIC: the values outlive the statement's run. An empty blob needs a pointer that is not null.
  if (const auto* v = std::get_if<int64_t>(&value)) return sqlite3_bind_int64(s, i, *v);
  if (const auto* v = std::get_if<double>(&value)) return sqlite3_bind_double(s, i, *v);
  if (const auto* v = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(s, i, v->data(), v->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* v = std::get_if<Bytes>(&value)) {
    return sqlite3_bind_blob64(s, i, v->empty() ? static_cast<const void*>("") : v->data(), v->size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(s, i);
}

}  // namespace

struct SqliteDatabase::State {
  struct Prepared {
    std::string sql;
    sqlite3_stmt* statement;
  };
  sqlite3* db = nullptr;
  std::deque<Prepared> cache;  // most recently used first

  ~State() {
    for (Prepared& p : cache) sqlite3_finalize(p.statement);
    sqlite3_close_v2(db);
  }

  Result<sqlite3_stmt*> prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    int code = sqlite3_prepare_v3(db, sql.c_str(), static_cast<int>(sql.size()) + 1, SQLITE_PREPARE_PERSISTENT,
                                  &statement, &tail);
    if (code != SQLITE_OK) return sqlite_error(db, code, sql);
    if (!statement) return Error(Code::kInvalid, "database: empty statement");
    if (std::string_view(tail).find_first_not_of(" \t\r\n;") != std::string_view::npos) {
      sqlite3_finalize(statement);
      return Error(Code::kInvalid, "database: more than one statement: " + sql.substr(0, 200));
    }
    return statement;
  }

  // Runs `visit` for each row. Statements are kept by their text, since a server runs the same few all day.
  Status run(const std::string& sql, const DbValues& values, const std::function<Status(sqlite3_stmt*)>& visit) {
    sqlite3_stmt* statement = nullptr;
    for (auto it = cache.begin(); it != cache.end(); ++it) {
      if (it->sql != sql) continue;
      statement = it->statement;
      cache.erase(it);
      break;
    }
    if (!statement) {
      OREE_TRY_ASSIGN(statement, prepare(sql));
    }
    Status status = step_all(statement, sql, values, visit);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    cache.push_front({sql, statement});
    if (cache.size() > kStatementsMax) {
      sqlite3_finalize(cache.back().statement);
      cache.pop_back();
    }
    return status;
  }

  Status step_all(sqlite3_stmt* s, const std::string& sql, const DbValues& values,
                  const std::function<Status(sqlite3_stmt*)>& visit) {
    if (sqlite3_bind_parameter_count(s) != static_cast<int>(values.size())) {
      return Error(Code::kInvalid, fmt::format("database: {} values for {} parameters: {}", values.size(),
                                               sqlite3_bind_parameter_count(s), sql.substr(0, 200)));
    }
    for (size_t i = 0; i < values.size(); ++i) {
      int code = bind_value(s, static_cast<int>(i) + 1, values[i]);
      if (code != SQLITE_OK) return sqlite_error(db, code, sql);
    }
    for (;;) {
      int code = sqlite3_step(s);
      if (code == SQLITE_DONE) return {};
      if (code != SQLITE_ROW) return sqlite_error(db, code, sql);
      if (visit) OREE_TRY(visit(s));
    }
  }

  Status script(const std::string& sql) {
    int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Status() : Status(sqlite_error(db, code, sql));
  }
};

SqliteDatabase::SqliteDatabase(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteDatabase::~SqliteDatabase() = default;

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string& path, int busy_ms) {
  auto state = std::make_unique<State>();
  // Our lock is enough; SQLite's own would be a second one.
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int code = sqlite3_open_v2(path.c_str(), &state->db, kFlags, nullptr);
  if (code != SQLITE_OK) return sqlite_error(state->db, code, path);
  sqlite3_extended_result_codes(state->db, 1);
  sqlite3_busy_timeout(state->db, busy_ms);
  // Not NORMAL: with a write-ahead log that may lose the last transactions at a power cut.
  Status set = state->script(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
      "SELECT count(*) FROM sqlite_schema");
  if (!set.ok()) return set.error().within(path);
  return std::unique_ptr<SqliteDatabase>(new SqliteDatabase(std::move(state)));
}

Status SqliteDatabase::script(const std::string& sql) {
  std::lock_guard lock(mutex_);
  return state_->script(sql);
}

Result<DbChange> SqliteDatabase::exec(const std::string& sql, const DbValues& values) {
  std::lock_guard lock(mutex_);
  int64_t before = sqlite3_total_changes(state_->db);
  OREE_TRY(state_->run(sql, values, nullptr));
  bool changed = sqlite3_total_changes(state_->db) != before;
  return DbChange{changed ? sqlite3_changes(state_->db) : 0, sqlite3_last_insert_rowid(state_->db)};
}

Result<std::vector<DbRow>> SqliteDatabase::query(const std::string& sql, const DbValues& values) {
  std::vector<DbRow> rows;
  OREE_TRY(each(sql, values, [&](const DbRow& row) -> Status {
    rows.push_back(row);
    return {};
  }));
  return rows;
}

Status SqliteDatabase::each(const std::string& sql, const DbValues& values,
                            const std::function<Status(const DbRow&)>& row) {
  std::lock_guard lock(mutex_);
  return state_->run(sql, values, [&](sqlite3_stmt* s) -> Status {
    DbRow r;
    int columns = sqlite3_column_count(s);
    r.values.reserve(static_cast<size_t>(columns));
    for (int i = 0; i < columns; ++i) r.values.push_back(column_value(s, i));
    return row(r);
  });
}

Status SqliteDatabase::transaction(const std::function<Status()>& work) {
  std::lock_guard lock(mutex_);
  if (depth_ > 0) {
    ++depth_;
    Status status = work();
    --depth_;
    failed_ |= !status.ok();
    return status;
  }
  // IMMEDIATE: the write lock is taken before the first read, so that no other writer can come between.
  OREE_TRY(state_->script("BEGIN IMMEDIATE"));
  depth_ = 1;
  failed_ = false;
  Status status = work();
  depth_ = 0;
  if (status.ok() && failed_) status = Error(Code::kConflict, "database: a part of the transaction failed");
  if (status.ok()) status = state_->script("COMMIT");
  // A full disk may have rolled back by itself.
  if (!status.ok() && !sqlite3_get_autocommit(state_->db)) (void)state_->script("ROLLBACK");
  return status;
}

}  // namespace oree
