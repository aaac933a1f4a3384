// SPDX-License-Identifier: Apache-2.0
#include "os/sqlite/sqlite.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "os/posix/posix_files.h"
#include "os/posix/test_folder.h"

using namespace oree;

namespace {

std::unique_ptr<SqliteDatabase> memory() {
  auto db = SqliteDatabase::open(":memory:").value();
  REQUIRE(db->script("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(name TEXT UNIQUE NOT NULL)").ok());
  return db;
}

int64_t count(Database& db) { return db.query("SELECT count(*) FROM t").value().at(0).integer(0); }

}  // namespace

TEST_CASE("every kind of value goes there and back") {
  auto db = memory();
  DbValues values{std::monostate(), int64_t{INT64_MIN}, 1.5, std::string("a\0b'\"é", 7), Bytes{0, 1, 255},
                  Bytes(),          std::string()};
  for (const DbValue& v : values) CHECK(db->exec("INSERT INTO t(v) VALUES(?)", {v}).value().rows == 1);
  auto rows = db->query("SELECT id, v FROM t ORDER BY id").value();
  REQUIRE(rows.size() == values.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].integer(0) == static_cast<int64_t>(i) + 1);
    CHECK(rows[i].values[1] == values[i]);
  }
  CHECK(db->exec("UPDATE t SET v=1 WHERE id<=?", {int64_t{3}}).value().rows == 3);
  CHECK(db->exec("INSERT INTO t(v) VALUES(?)", {1.0}).value().last_id == 8);
  CHECK(db->exec("CREATE TABLE w(x)").value().rows == 0);
}

TEST_CASE("wrong SQL, wrong counts and refused rows are told apart") {
  auto db = memory();
  CHECK(db->exec("INSRT").error().code() == Code::kInvalid);
  CHECK(db->exec("").error().code() == Code::kInvalid);
  CHECK(db->exec("DELETE FROM t; DELETE FROM u").error().code() == Code::kInvalid);
  CHECK(db->exec("INSERT INTO t(v) VALUES(?)").error().code() == Code::kInvalid);
  CHECK(db->exec("INSERT INTO t(v) VALUES(?)", {1.0, 2.0}).error().code() == Code::kInvalid);
  CHECK(db->exec("INSERT INTO u VALUES('a')").ok());
  CHECK(db->exec("INSERT INTO u VALUES('a')").error().code() == Code::kConflict);
  CHECK(db->exec("INSERT INTO u VALUES(?)", {std::monostate()}).error().code() == Code::kConflict);
  CHECK(db->exec("INSERT INTO u VALUES('b')").ok());
}

TEST_CASE("an error of the visitor stops the rows") {
  auto db = memory();
  for (int i = 0; i < 5; ++i) REQUIRE(db->exec("INSERT INTO t(v) VALUES(1)").ok());
  int seen = 0;
  Status s = db->each("SELECT id FROM t", {}, [&](const DbRow&) -> Status {
    return ++seen == 2 ? Status(Error(Code::kRefused, "enough")) : Status();
  });
  CHECK(s.error().code() == Code::kRefused);
  CHECK(seen == 2);
  CHECK(db->exec("DELETE FROM t").value().rows == 5);
}

TEST_CASE("a transaction happens whole or not at all, nested ones with it") {
  auto db = memory();
  auto insert = [&]() -> Status {
    OREE_TRY(db->exec("INSERT INTO t(v) VALUES(1)"));
    return {};
  };
  CHECK(db->transaction(insert).ok());
  CHECK(count(*db) == 1);
  Status s = db->transaction([&]() -> Status {
    OREE_TRY(insert());
    return Error(Code::kRefused, "no");
  });
  CHECK(s.error().code() == Code::kRefused);
  CHECK(count(*db) == 1);
  CHECK(db->transaction([&] { return db->transaction(insert); }).ok());
  CHECK(count(*db) == 2);
  // An inner failure that the outer part swallows must not commit half of it.
  s = db->transaction([&]() -> Status {
    (void)db->transaction([&]() -> Status {
      OREE_TRY(insert());
      return Error(Code::kRefused, "no");
    });
    return {};
  });
  CHECK(s.error().code() == Code::kConflict);
  CHECK(count(*db) == 2);
}

TEST_CASE("threads share one database") {
  auto db = memory();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) {
        Status s = db->transaction([&]() -> Status {
          int64_t n = count(*db);
          OREE_TRY(db->exec("INSERT INTO t(id, v) VALUES(?, 1)", {n + 1}));
          return {};
        });
        if (!s.ok()) std::abort();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(count(*db) == 200);
}

TEST_CASE("what was committed is there after kill -9, what was not is gone") {
  TestFolder d;
  pid_t child = fork();
  if (child == 0) {
    auto db = SqliteDatabase::open(d / "x.db");
    if (!db.ok() || !(*db)->script("CREATE TABLE t(v); INSERT INTO t VALUES(1)").ok()) _exit(1);
    (void)(*db)->transaction([&]() -> Status {
      OREE_TRY((*db)->exec("INSERT INTO t VALUES(2)"));
      kill(getpid(), SIGKILL);
      return {};
    });
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  auto db = SqliteDatabase::open(d / "x.db").value();
  CHECK(count(*db) == 1);
  auto mode = db->query("PRAGMA journal_mode").value();
  CHECK(mode.at(0).text(0) == "wal");
  CHECK(db->query("PRAGMA synchronous").value().at(0).integer(0) == 2);
}

TEST_CASE("a damaged file, a foreign file and a full disk are told apart") {
  TestFolder d;
  PosixFiles files;
  REQUIRE(files.write_atomic(d / "foreign", as_bytes(std::string(5000, 'x'))).ok());
  CHECK(SqliteDatabase::open(d / "foreign").error().code() == Code::kInvalid);
  CHECK(SqliteDatabase::open(d / "none/x.db").error().code() == Code::kUnavailable);
  auto db = SqliteDatabase::open(d / "small.db").value();
  REQUIRE(db->script("CREATE TABLE t(v); PRAGMA max_page_count=8").ok());
  Status s;
  int written = 0;
  for (; written < 100 && s.ok(); ++written) {
    auto r = db->exec("INSERT INTO t VALUES(?)", {Bytes(2000)});
    if (!r.ok()) s = r.error();
  }
  REQUIRE_FALSE(s.ok());
  CHECK(s.error().code() == Code::kExhausted);
  CHECK(count(*db) == written - 1);
}

TEST_CASE("a lock of another connection is waited for, then reported") {
  TestFolder d;
  auto a = SqliteDatabase::open(d / "x.db").value();
  auto b = SqliteDatabase::open(d / "x.db", 20).value();
  REQUIRE(a->script("CREATE TABLE t(v)").ok());
  Status s = a->transaction([&]() -> Status {
    CHECK(b->exec("INSERT INTO t VALUES(1)").error().code() == Code::kUnavailable);
    CHECK(count(*b) == 0);
    return {};
  });
  CHECK(s.ok());
  CHECK(b->exec("INSERT INTO t VALUES(1)").ok());
}
