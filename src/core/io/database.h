// SPDX-License-Identifier: Apache-2.0
// A small SQL database, as the fleet server and the camera's event store see it. Statements are SQLite's dialect,
// values are always bound (`?` or `?1`), never pasted into the text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

using DbValue = std::variant<std::monostate, int64_t, double, std::string, Bytes>;  // monostate is NULL
using DbValues = std::vector<DbValue>;

// One row of an answer. The accessors are lenient, as SQL is: another type gives 0, "" or an empty range (an integer
// column read as real is converted). Asserts that the column exists, since the caller wrote the SELECT.
struct DbRow {
  DbValues values;
  bool is_null(size_t column) const;
  int64_t integer(size_t column) const;
  double real(size_t column) const;              // an integer is converted
  const std::string& text(size_t column) const;  // lives as long as the row
  const Bytes& blob(size_t column) const;        // lives as long as the row
};

// What `of` makes of each row, in their order.
template <typename Of>
auto from_rows(const std::vector<DbRow>& rows, Of of) {
  std::vector<decltype(of(rows.front()))> out;
  out.reserve(rows.size());
  for (const DbRow& row : rows) out.push_back(of(row));
  return out;
}

struct DbChange {
  int64_t rows = 0;     // inserted, changed or deleted
  int64_t last_id = 0;  // rowid of the last insert
};

// Safe to call from several threads: calls wait for each other, and a transaction is one call. Errors: kInvalid (not a
// database, damaged, wrong SQL), kConflict (a constraint refused the row), kExhausted (disk full), kUnavailable
// (locked by another process for too long, I/O error). What a call that succeeded wrote survives a power cut.
class Database {
 public:
  virtual ~Database() = default;
  virtual Status script(const std::string& sql) = 0;  // several statements without values: schemas
  virtual Result<DbChange> exec(const std::string& sql, const DbValues& values = {}) = 0;
  virtual Result<std::vector<DbRow>> query(const std::string& sql, const DbValues& values = {}) = 0;
  // Row by row, for answers that should not be held whole; an error of `row` stops and is returned. `row` must not
  // call back into the database.
  virtual Status each(const std::string& sql, const DbValues& values,
                      const std::function<Status(const DbRow&)>& row) = 0;
  // Everything `work` does through this object happens, or nothing: an error of `work` rolls back and is returned.
  // A transaction inside a transaction joins it.
  virtual Status transaction(const std::function<Status()>& work) = 0;
};

}  // namespace oree
