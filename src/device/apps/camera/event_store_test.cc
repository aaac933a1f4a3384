// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/event_store.h"

#include <doctest/doctest.h>

#include "core/io/fake/fake_files.h"
#include "device/apps/camera/test_store.h"

namespace oree {

TEST_CASE("an event is stored with its picture and found again") {
  TestStore t;
  Event event = numbered_event(1);
  REQUIRE(t.store->add(event, as_bytes("jpeg")).ok());
  CHECK(event.snapshot == "data/snapshots/event1.jpg");
  CHECK(t.files.text(event.snapshot) == "jpeg");
  auto latest = t.store->latest(10);
  REQUIRE(latest->size() == 1);
  Json json = Json::parse((*latest)[0].json).value();
  CHECK(json == event_to_json(event));
  CHECK(json["class"].as_string() == "Person");
  CHECK(json["time"].as_string() == "2026-11-23T15:04:05.123Z");
  CHECK(json["box"].items()[2].as_double() == 3.5);
  CHECK_FALSE(t.store->add(event, {}).ok());  // the same id twice
}

TEST_CASE("snapshots stay within count and bytes, events keep their rows") {
  StoreConfig config;
  config.snapshots_max = 3;
  config.snapshot_bytes_max = 10;
  TestStore t(config);
  for (int i = 0; i < 6; ++i) {
    Event event = numbered_event(i);
    REQUIRE(t.store->add(event, as_bytes("1234")).ok());
  }
  CHECK(*t.files.list("data/snapshots") == std::vector<std::string>{"event4.jpg", "event5.jpg"});
  CHECK(t.store->latest(100)->size() == 6);
}

TEST_CASE("the oldest events give way, with their pictures") {
  StoreConfig config;
  config.events_max = 3;
  TestStore t(config);
  for (int i = 0; i < 5; ++i) {
    Event event = numbered_event(i);
    REQUIRE(t.store->add(event, as_bytes("1234")).ok());
  }
  auto latest = t.store->latest(100);
  REQUIRE(latest->size() == 3);
  CHECK((*latest)[2].id == "event2");
  CHECK(t.files.list("data/snapshots")->size() == 3);
  CHECK(t.store->shed() == 2);
}

TEST_CASE("what the webhook owes is bounded too") {
  TestStore t({}, 2);
  for (int i = 0; i < 5; ++i) {
    Event event = numbered_event(i);
    REQUIRE(t.store->add(event, {}).ok());
  }
  auto owed = t.store->pending(100);
  REQUIRE(owed->size() == 2);
  CHECK((*owed)[0].id == "event3");
  CHECK(t.store->shed() == 3);
  REQUIRE(t.store->settle("event3").ok());
  CHECK(t.store->pending(100)->front().id == "event4");
}

TEST_CASE("a full disk costs the picture, not the event") {
  TestStore t;
  t.files.set_free_bytes(2);
  Event event = numbered_event(1);
  REQUIRE(t.store->add(event, as_bytes("a long picture")).ok());
  CHECK(event.snapshot.empty());
  CHECK(t.store->latest(10)->size() == 1);
}

TEST_CASE("a start removes pictures that no event knows and keeps the others") {
  TestStore t;
  Event event = numbered_event(1);
  REQUIRE(t.store->add(event, as_bytes("1234")).ok());
  t.files.put("data/snapshots/stray.jpg", "x");
  t.reopen();
  CHECK(*t.files.list("data/snapshots") == std::vector<std::string>{"event1.jpg"});
  CHECK(t.store->pending(10)->size() == 1);
}

TEST_CASE("without a webhook nothing is owed") {
  TestStore t({}, 10, false);
  Event event = numbered_event(1);
  REQUIRE(t.store->add(event, {}).ok());
  CHECK(t.store->pending(10)->empty());
}

}  // namespace oree
