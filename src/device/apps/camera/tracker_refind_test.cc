// SPDX-License-Identifier: Apache-2.0
// Who is lost and found again. In a picture of 640x480 with boxes of 30x80, a size is 49 pixels.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "core/io/fake/fake_clock.h"
#include "device/apps/camera/tracker.h"

namespace oree {
namespace {

constexpr PictureSize kPicture{640, 480};
using Seen = std::vector<Detection>;

Detection person(double x, double y = 200, double score = 0.8) { return {{x, y, x + 30, y + 80}, 0, score}; }

// Plays what is seen at each time, marks every track that could alarm as alarmed, and counts those alarms.
struct Scene {
  explicit Scene(TrackerRules rules = {}, int64_t step = 100) : tracker(rules), step_ms(step) {}
  void play(int64_t until_ms, const std::function<Seen(double seconds)>& seen) {
    for (; now_ms < until_ms; now_ms += step_ms) {
      tracker.update(seen(static_cast<double>(now_ms) / 1000), now_ms, kPicture);
      for (Track& t : tracker.tracks()) {
        if (!t.confirmed || !t.seen) continue;
        ids.insert(t.id);
        if (t.doubtful || t.alarmed) continue;
        t.alarmed = true;
        ++alarms;
      }
    }
  }
  Tracker tracker;
  int64_t step_ms, now_ms = 0;
  std::set<int64_t> ids;
  int alarms = 0;
};

}  // namespace

TEST_CASE("who walks behind something and comes out again is the same, at any frame rate") {
  for (int64_t step_ms : {33, 100, 200, 400}) {
    CAPTURE(step_ms);
    Scene scene({}, step_ms);
    scene.play(8000, [](double s) { return s > 3 && s < 5.2 ? Seen{} : Seen{person(20 + 70 * s)}; });
    CHECK(scene.alarms == 1);
    CHECK(scene.ids.count(1) == 1);
    CHECK(scene.tracker.confirmed_total() == 1);
    REQUIRE(scene.tracker.tracks().size() == 1);
    CHECK(scene.tracker.tracks()[0].id == 1);
    CHECK(scene.tracker.tracks()[0].first_ms == 0);
  }
}

TEST_CASE("who stops behind something and goes on later is the same") {
  Scene scene;
  scene.play(8000, [](double s) {
    if (s < 3) return Seen{person(50 + 50 * s)};
    return s < 5.5 ? Seen{} : Seen{person(200 + 50 * (s - 5.5))};
  });
  CHECK(scene.alarms == 1);
}

TEST_CASE("who stands still is the same after half a minute unseen, who walked is not, nor one who stands elsewhere") {
  Scene still;
  still.play(33000, [](double s) { return s < 4 || s > 32 ? Seen{person(300)} : Seen{}; });
  CHECK(still.alarms == 1);
  Scene walked;
  walked.play(33000, [](double s) { return s < 4 ? Seen{person(100 + 50 * s)} : s > 32 ? Seen{person(300)} : Seen{}; });
  CHECK(walked.alarms == 2);
  Scene elsewhere;
  elsewhere.play(33000, [](double s) { return s < 4 ? Seen{person(300)} : s > 32 ? Seen{person(340)} : Seen{}; });
  CHECK(elsewhere.alarms == 2);
  Scene later;
  later.play(40000, [](double s) { return s < 4 || s > 36 ? Seen{person(300)} : Seen{}; });
  CHECK(later.alarms == 2);
}

TEST_CASE("nobody is known again by another class, another size, or far away") {
  for (const Detection& other :
       {Detection{person(300).box, 1, 0.8}, Detection{{300, 80, 380, 290}, 0, 0.8}, person(435)}) {
    Scene scene;
    scene.play(8000, [&](double s) { return s < 3 ? Seen{person(300)} : s < 4.7 ? Seen{} : Seen{other}; });
    CHECK(scene.alarms == 2);
  }
}

TEST_CASE("who left over the edge is gone, and who comes in there is another") {
  Scene scene;
  scene.play(9000, [](double s) {
    if (s < 4) return Seen{person(430 + 50 * s)};  // cut off by the edge at the end
    return s < 5.5 ? Seen{} : Seen{person(610 - 50 * (s - 5.5))};
  });
  CHECK(scene.alarms == 2);
}

TEST_CASE("who comes in at the edge near where another was just lost is another") {
  Scene scene;
  scene.play(7000, [](double s) { return s < 3 ? Seen{person(560)} : s < 4.7 ? Seen{} : Seen{person(612)}; });
  CHECK(scene.alarms == 2);
}

TEST_CASE("who must have left unseen by now is not who stands near the edge") {
  Scene scene;
  scene.play(8000, [](double s) { return s < 3 ? Seen{person(425 + 45 * s)} : s < 5.9 ? Seen{} : Seen{person(600)}; });
  CHECK(scene.alarms == 2);
}

TEST_CASE("two who cross, one hidden for a moment, are two alarms") {
  for (int64_t step_ms : {33, 100, 250}) {
    CAPTURE(step_ms);
    Scene scene({}, step_ms);
    scene.play(6000, [](double s) {
      double right = 100 + 70 * s, left = 500 - 60 * s;
      Seen seen{person(right, 205)};  // nearer to the camera
      if (std::abs(right - left) > 20) seen.push_back(person(left, 195));
      return seen;
    });
    CHECK(scene.alarms == 2);
    CHECK(scene.tracker.confirmed_total() == 2);
    REQUIRE(scene.tracker.tracks().size() == 2);
    for (const Track& t : scene.tracker.tracks()) CHECK(t.first_ms == 0);
  }
}

TEST_CASE("two who are seen as one for a while and part again are two alarms, the second after a moment of doubt") {
  Scene scene;
  auto pair = [](double s) {
    double x = 100 + 40 * s;
    return s < 4 ? Seen{{{x, 200, x + 45, 282}, 0, 0.8}} : Seen{person(x), person(x + 12 * (s - 3), 204)};
  };
  scene.play(4000, pair);
  CHECK(scene.alarms == 1);
  scene.play(9000, pair);
  CHECK(scene.alarms == 2);
  CHECK(scene.tracker.confirmed_total() == 2);
}

TEST_CASE("when the boxes of two jump between them, nobody alarms again") {
  Scene scene;
  // Side by side; now and then the detector gives one of them, and the other is found anew.
  scene.play(20000, [](double s) {
    double x = 50 + 20 * s, phase = s - 4 * std::floor(s / 4);
    if (phase > 2 && phase < 2.8) return Seen{person(x + 18)};
    if (phase > 3.2 && phase < 3.7) return Seen{person(x)};
    return Seen{person(x), person(x + 36)};
  });
  CHECK(scene.alarms == 2);
  CHECK(scene.tracker.confirmed_total() == 2);
}

TEST_CASE("a track that is led astray, while its person is found anew beside it, raises no second alarm") {
  TrackerRules rules;
  rules.sample_ms = 1000;
  Scene scene(rules);
  // For half a second somebody's box is torn off, and then is at nobody.
  scene.play(8000, [](double s) {
    double x = 100 + 40 * s;
    if (s < 3) return Seen{person(x)};
    return s < 3.45 ? Seen{person(x + 38), person(220)} : Seen{person(x + 38)};
  });
  CHECK(scene.alarms == 1);
  CHECK(scene.tracker.confirmed_total() == 1);
  scene.tracker.finish();
  std::vector<double> samples = scene.tracker.take_samples();
  CHECK(samples.size() == 8);
  for (double sample : samples) CHECK(sample == doctest::Approx(0.8));
}

TEST_CASE("a second box on the same person begins no track") {
  Scene scene;
  scene.play(6000, [](double s) {
    double x = 100 + 40 * s;
    return Seen{person(x), {{x + 4, 205, x + 26, 250}, 0, 0.6}, {{x - 6, 198, x + 30, 270}, 0, 0.5}};
  });
  CHECK(scene.ids == std::set<int64_t>{1});
  CHECK(scene.alarms == 1);
}

TEST_CASE("found again, a track goes on giving one sample a stretch") {
  TrackerRules rules;
  rules.sample_ms = 1000;
  rules.sample_empty = false;
  auto samples = [&](double gap_from, double gap_to) {
    Scene scene(rules);
    scene.play(6000, [&](double s) { return s > gap_from && s < gap_to ? Seen{} : Seen{person(50 + 50 * s)}; });
    scene.tracker.finish();
    return scene.tracker.take_samples();
  };
  std::vector<double> whole = samples(9, 9), short_gap = samples(2.95, 3.45), long_gap = samples(2.95, 4.95);
  CHECK(whole.size() == 6);
  CHECK(short_gap.size() == 6);
  CHECK(long_gap.size() >= 4);
  CHECK(long_gap.size() <= 5);
  for (double s : long_gap) CHECK(s == doctest::Approx(0.8));
}

TEST_CASE("what is remembered counts to the bound, and the oldest gives way to what is there") {
  TrackerRules rules;
  rules.tracks_max = 3;
  Scene scene(rules);
  auto at = [](double x) { return [x](double) { return Seen{person(x)}; }; };
  auto nothing = [](double) { return Seen{}; };
  scene.play(3000, at(100));
  scene.play(5000, nothing);
  scene.play(8000, at(300));
  scene.play(10000, nothing);
  scene.play(13000, at(100));
  CHECK(scene.alarms == 2);
  scene.play(15000, nothing);
  scene.play(18000, [](double) { return Seen{person(400), person(500), person(600), person(200)}; });
  CHECK(scene.alarms == 5);  // the fourth is not followed
  CHECK(scene.tracker.tracks().size() == 3);
  scene.play(20000, nothing);
  scene.play(23000, at(100));
  CHECK(scene.alarms == 6);  // forgotten
}

TEST_CASE("whatever comes, followed ones are bounded, and what is there is followed") {
  FakeRandom random(11);
  TrackerRules rules;
  rules.tracks_max = 12;
  rules.refind_ms = rules.refind_still_ms = 3'600'000;
  Tracker tracker(rules);
  int64_t now = 0;
  for (int visit = 0; visit < 300; ++visit) {
    std::vector<Detection> seen;
    for (auto n = random.next_u64() % 15; n > 0; --n)
      seen.push_back(person(40.0 * static_cast<double>(n), 40.0 * static_cast<double>(random.next_u64() % 10)));
    for (int i = 0; i < 4; ++i) tracker.update(seen, now += 100, kPicture);
    REQUIRE(tracker.tracks().size() <= 12);
    REQUIRE(tracker.tracks().size() >= std::min<size_t>(seen.size() / 2, 12));
    for (int i = 0; i < 20; ++i) tracker.update({}, now += 100, kPicture);
  }
  CHECK(tracker.confirmed_total() > 20);
}

TEST_CASE("a video that begins again knows nobody, neither whom it followed nor whom it had lost") {
  Scene scene;
  scene.play(3000, [](double) { return Seen{person(300)}; });
  scene.now_ms = 0;
  scene.play(3000, [](double) { return Seen{person(300)}; });
  CHECK(scene.alarms == 2);
  scene.play(6000, [](double) { return Seen{}; });
  scene.now_ms = 0;
  scene.play(6000, [](double s) { return s < 3 ? Seen{} : Seen{person(300)}; });
  CHECK(scene.alarms == 3);
}

}  // namespace oree
