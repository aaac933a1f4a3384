// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>

#include "core/io/database.h"

namespace oree {

// SQLite with a write-ahead log and synchronous=FULL: what was committed survives a power cut. Thread-safe by a lock.
class SqliteDatabase : public Database {
 public:
  // Creates the file when it is absent; ":memory:" is a database of the test's own. A lock held by another process is
  // waited for up to busy_ms.
  static Result<std::unique_ptr<SqliteDatabase>> open(const std::string& path, int busy_ms = 5000);
  ~SqliteDatabase() override;

  Status script(const std::string& sql) override;
  Result<DbChange> exec(const std::string& sql, const DbValues& values = {}) override;
  Result<std::vector<DbRow>> query(const std::string& sql, const DbValues& values = {}) override;
  Status each(const std::string& sql, const DbValues& values, const std::function<Status(const DbRow&)>& row) override;
  Status transaction(const std::function<Status()>& work) override;

 private:
  struct State;
  explicit SqliteDatabase(std::unique_ptr<State> state);
  std::recursive_mutex mutex_;  // transaction() holds it while `work` calls back
  std::unique_ptr<State> state_;
  int depth_ = 0;        // of transactions: only the outermost commits
  bool failed_ = false;  // an inner one failed: the outermost must roll back
};

}  // namespace oree
