// SPDX-License-Identifier: Apache-2.0
// An EventStore in memory. Included only by tests.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "core/io/fake/fake_files.h"
#include "device/apps/camera/event_store.h"
#include "os/sqlite/sqlite.h"

namespace oree {

inline Event numbered_event(int number) {
  Event e;
  e.id = "event" + std::to_string(number);
  e.time_ms = 1795446245123;
  e.label = "Person";
  e.score = 0.8;
  e.box = {1, 2, 3.5, 4};
  return e;
}

struct TestStore {
  explicit TestStore(StoreConfig c = {}, int64_t pending_max = 100, bool webhook = true)
      : config(std::move(c)), pending(pending_max), hook(webhook) {
    config.folder = "data";
    database = std::move(SqliteDatabase::open(":memory:").value());
    reopen();
  }
  void reopen() {
    store.reset();
    store = std::move(EventStore::open(files, *database, config, hook, pending).value());
  }
  FakeFiles files;
  std::unique_ptr<SqliteDatabase> database;
  StoreConfig config;
  int64_t pending;
  bool hook;
  std::unique_ptr<EventStore> store;
};

}  // namespace oree
