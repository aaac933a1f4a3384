// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/alarm.h"

#include <doctest/doctest.h>

namespace oree {
namespace {

const std::vector<std::string> kLabels{"???", "Person", "Car"};

// In a picture of 100x100; the foot point is (x, y).
Track track(int label, double score, double x, double y) {
  Track t;
  t.label = label;
  t.score = score;
  t.box = {x - 5, y - 20, x + 5, y};
  t.confirmed = t.seen = true;
  return t;
}
AlarmRules rules(const AlarmConfig& config) {
  auto made = AlarmRules::make(config, kLabels);
  REQUIRE_MESSAGE(made.ok(), made.error().message());
  return *made;
}
bool raises(const AlarmRules& r, Track t) { return r.check(t, 100, 100).has_value(); }
std::string zone(const AlarmRules& r, Track& t) {
  auto alarm = r.check(t, 100, 100);
  return alarm ? alarm->zone : "no alarm";
}

}  // namespace

TEST_CASE("the default is every class at 0.7, once a track") {
  AlarmRules r = rules({});
  CHECK(raises(r, track(1, 0.7, 50, 50)));
  CHECK_FALSE(raises(r, track(1, 0.6999, 50, 50)));
  Track t = track(2, 0.9, 50, 50);
  CHECK(zone(r, t).empty());
  CHECK_FALSE(r.check(t, 100, 100).has_value());
}

TEST_CASE("only confirmed tracks that are seen now raise an alarm") {
  AlarmRules r = rules({});
  Track t = track(1, 0.9, 50, 50);
  t.confirmed = false;
  CHECK_FALSE(raises(r, t));
  t = track(1, 0.9, 50, 50);
  t.seen = false;
  CHECK_FALSE(raises(r, t));
}

TEST_CASE("classes and their thresholds") {
  AlarmConfig config;
  config.classes = {"Person"};
  config.threshold = 0.5;
  config.thresholds = {{"Person", 0.6}, {"Car", 0.1}};
  AlarmRules r = rules(config);
  CHECK(raises(r, track(1, 0.6, 50, 50)));
  CHECK_FALSE(raises(r, track(1, 0.55, 50, 50)));
  CHECK_FALSE(raises(r, track(2, 1.0, 50, 50)));  // not watched, whatever its threshold
  CHECK_FALSE(raises(r, track(9, 1.0, 50, 50)));  // a class without a name
  CHECK(r.threshold(1) == 0.6);
}

TEST_CASE("zones look at the foot point, and at their own classes") {
  AlarmConfig config;
  config.zones = {{"gate", {{0, 0.5}, {0.5, 0.5}, {0.5, 1}, {0, 1}}, {"Person"}},
                  {"road", {{0.6, 0}, {1, 0}, {1, 1}, {0.6, 1}}, {}}};
  AlarmRules r = rules(config);
  Track t = track(1, 0.9, 25, 75);
  CHECK(zone(r, t) == "gate");
  CHECK_FALSE(raises(r, track(2, 0.9, 25, 75)));
  CHECK_FALSE(raises(r, track(1, 0.9, 25, 45)));
  CHECK(raises(r, track(1, 0.9, 25, 100)));  // cut by the lower edge
  t = track(2, 0.9, 80, 20);
  CHECK(zone(r, t) == "road");
  CHECK_FALSE(raises(r, track(1, 0.9, 55, 75)));
  // A track that enters later still raises its one alarm.
  t = track(1, 0.9, 55, 75);
  CHECK_FALSE(r.check(t, 100, 100).has_value());
  t.box = {20, 55, 30, 75};
  CHECK(zone(r, t) == "gate");
}

TEST_CASE("a doubtful track waits, and then has its alarm though it is out of the zone and its score has fallen") {
  AlarmConfig config;
  config.zones = {{"gate", {{0, 0.5}, {0.5, 0.5}, {0.5, 1}, {0, 1}}, {}}};
  AlarmRules r = rules(config);
  Track t = track(1, 0.8, 25, 75);
  t.doubtful = true;
  CHECK_FALSE(r.check(t, 100, 100).has_value());
  t.score = 0.4;
  t.box = {70, 20, 80, 40};
  CHECK_FALSE(r.check(t, 100, 100).has_value());
  t.doubtful = false;
  Track hidden = t;
  hidden.seen = false;
  CHECK_FALSE(r.check(hidden, 100, 100).has_value());
  auto alarm = r.check(t, 100, 100);
  REQUIRE(alarm.has_value());
  CHECK(alarm->zone == "gate");
  CHECK(alarm->score == 0.8);
  CHECK_FALSE(r.check(t, 100, 100).has_value());
}

TEST_CASE("a doubtful track that turns out to be one that has alarmed stays silent") {
  AlarmRules r = rules({});
  Track t = track(1, 0.9, 50, 50);
  t.doubtful = true;
  CHECK_FALSE(r.check(t, 100, 100).has_value());
  t.doubtful = false;
  t.alarmed = true;
  CHECK_FALSE(raises(r, t));
}

TEST_CASE("a concave zone has an outside within its corners") {
  std::vector<Point> u = {{0, 0}, {1, 0}, {1, 1}, {0.7, 1}, {0.7, 0.3}, {0.3, 0.3}, {0.3, 1}, {0, 1}};
  CHECK(inside(u, {0.1, 0.9}));
  CHECK(inside(u, {0.9, 0.9}));
  CHECK_FALSE(inside(u, {0.5, 0.9}));
  CHECK_FALSE(inside(u, {1.1, 0.5}));
}

TEST_CASE("a class that the model does not have is refused with the ones it has") {
  AlarmConfig config;
  config.classes = {"Persn"};
  auto made = AlarmRules::make(config, kLabels);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == Code::kUsage);
  CHECK(made.error().message().find("Person") != std::string::npos);
  config = {};
  config.thresholds = {{"Bus", 0.3}};
  CHECK_FALSE(AlarmRules::make(config, kLabels).ok());
  config = {};
  config.zones = {{"z", {{0, 0}, {1, 0}, {1, 1}}, {"Bus"}}};
  CHECK_FALSE(AlarmRules::make(config, kLabels).ok());
}

}  // namespace oree
