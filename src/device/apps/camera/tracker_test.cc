// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/tracker.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/io/fake/fake_clock.h"

namespace oree {
namespace {

Detection person(double x, double y, double score = 0.8, int label = 0) {
  return {{x, y, x + 30, y + 80}, label, score};
}

}  // namespace

TEST_CASE("a walking person stays one track, over misses and weak scores too") {
  Tracker tracker({});
  std::set<int64_t> ids;
  for (int i = 0; i < 60; ++i) {
    double score = i % 7 == 3 ? 0.2 : 0.8;  // under score_new: continues, never starts
    std::vector<Detection> found = {person(10 + 6.0 * i, 50, score)};
    if (i % 10 == 8 || i % 10 == 9) found.clear();
    tracker.update(found, i * 100);
    for (const Track& t : tracker.tracks()) ids.insert(t.id);
  }
  CHECK(ids.size() == 1);
  CHECK(tracker.confirmed_total() == 1);
}

TEST_CASE("two persons who pass each other keep their own tracks") {
  Tracker tracker({});
  std::map<int64_t, double> start;
  for (int i = 0; i < 40; ++i) {
    tracker.update({person(10.0 + 8 * i, 50), person(330.0 - 8 * i, 62)}, i * 100);
    for (const Track& t : tracker.tracks()) start.emplace(t.id, t.box.x0);
  }
  REQUIRE(tracker.tracks().size() == 2);
  for (const Track& t : tracker.tracks()) {
    bool began_left = start[t.id] < 100;
    CHECK((t.box.x0 > 200) == began_left);
  }
  CHECK(start.size() == 2);
}

TEST_CASE("a track needs its hits, and flicker never gets them") {
  TrackerRules rules;
  rules.hits_confirm = 3;
  Tracker tracker(rules);
  for (int i = 0; i < 30; ++i)
    tracker.update(i % 2 == 0 ? std::vector<Detection>{person(10, 10)} : std::vector<Detection>{}, i * 100);
  CHECK(tracker.confirmed_total() == 0);
  for (int i = 30; i < 33; ++i) {
    CHECK(tracker.confirmed_total() == 0);
    tracker.update({person(10, 10)}, i * 100);
  }
  CHECK(tracker.confirmed_total() == 1);
}

TEST_CASE("classes do not mix, and weak detections start nothing") {
  Tracker tracker({});
  tracker.update({person(10, 10, 0.8, 0)}, 0);
  tracker.update({person(10, 10, 0.8, 1)}, 100);
  REQUIRE(tracker.tracks().size() == 1);
  CHECK(tracker.tracks()[0].label == 1);
  Tracker weak({});
  weak.update({person(10, 10, 0.29)}, 0);
  CHECK(weak.tracks().empty());
}

TEST_CASE("a lost track ends after its time, and the same place later is a new one, unless it is to be known again") {
  TrackerRules rules;
  rules.lost_ms = 500;
  rules.refind_ms = rules.refind_still_ms = 0;
  Tracker tracker(rules);
  for (int i = 0; i < 5; ++i) tracker.update({person(10, 10)}, i * 100);
  tracker.update({}, 900);
  CHECK(tracker.tracks().size() == 1);
  CHECK_FALSE(tracker.tracks()[0].seen);
  tracker.update({}, 901);
  CHECK(tracker.tracks().empty());
  tracker.update({person(10, 10)}, 1000);
  CHECK(tracker.tracks()[0].id == 2);
}

TEST_CASE("samples are means of stretches: one for a short track, more for a long one") {
  TrackerRules rules;
  rules.sample_ms = 1000;
  rules.lost_ms = 0;
  Tracker tracker(rules);
  for (int i = 0; i < 4; ++i) tracker.update({person(10, 10, i % 2 == 0 ? 0.5 : 0.7)}, i * 100);
  tracker.update({}, 400);
  CHECK(tracker.take_samples() == std::vector<double>{(0.5 + 0.7 + 0.5 + 0.7) / 4});
  for (int i = 0; i < 25; ++i) tracker.update({person(200, 10, i < 15 ? 0.9 : 0.4)}, 1000 + i * 100);
  tracker.finish();
  std::vector<double> samples = tracker.take_samples();
  REQUIRE(samples.size() == 3);
  CHECK(samples[0] == doctest::Approx(0.9));
  CHECK(samples[2] == doctest::Approx(0.4));
  CHECK(tracker.take_samples().empty());
  tracker.update({person(10, 10)}, 9000);  // never confirmed
  tracker.finish();
  CHECK(tracker.take_samples().empty());
}

TEST_CASE("a stretch in which nothing is tracked gives the best that was seen") {
  TrackerRules rules;
  rules.sample_ms = 1000;
  Tracker blind(rules);
  for (int i = 0; i <= 25; ++i)
    blind.update(i < 11 ? std::vector<Detection>{person(10, 10, 0.1 + 0.01 * i)} : std::vector<Detection>{}, i * 100);
  std::vector<double> samples = blind.take_samples();
  REQUIRE(samples.size() == 2);
  CHECK(samples[0] == doctest::Approx(0.2));
  CHECK(samples[1] == 0);
  rules.sample_empty = false;
  Tracker quiet(rules);
  for (int i = 0; i < 25; ++i) quiet.update({}, i * 100);
  CHECK(quiet.take_samples().empty());
}

TEST_CASE("a video that begins again begins new tracks") {
  Tracker tracker({});
  for (int i = 0; i < 5; ++i) tracker.update({person(10, 10)}, i * 100);
  tracker.update({person(10, 10)}, 0);
  REQUIRE(tracker.tracks().size() == 1);
  CHECK(tracker.tracks()[0].id == 2);
  CHECK(tracker.take_samples().size() == 1);
}

TEST_CASE("whatever comes, ids are unique, tracks bounded and detections used once") {
  FakeRandom random(7);
  TrackerRules rules;
  rules.tracks_max = 20;
  Tracker tracker(rules);
  int64_t now = 0, highest = 0;
  for (int frame = 0; frame < 500; ++frame) {
    std::vector<Detection> found;
    for (auto n = random.next_u64() % 30; n > 0; --n) {
      found.push_back(person(random.next_unit() * 600, random.next_unit() * 400, random.next_unit(),
                             static_cast<int>(random.next_u64() % 3)));
    }
    now += static_cast<int64_t>(random.next_u64() % 400);
    tracker.update(found, now);
    REQUIRE(tracker.tracks().size() <= 20);
    std::set<int64_t> ids;
    std::set<std::pair<double, double>> seen;
    size_t seen_count = 0;
    for (const Track& t : tracker.tracks()) {
      REQUIRE(ids.insert(t.id).second);
      highest = std::max(highest, t.id);
      if (!t.seen) continue;
      ++seen_count;
      seen.insert({t.box.x0, t.box.y0});
    }
    REQUIRE(seen.size() == seen_count);
    for (double s : tracker.take_samples()) REQUIRE((s >= 0 && s <= 1));
  }
  CHECK(highest > 100);
}

}  // namespace oree
