// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/camera_app.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "device/apps/camera/test_camera.h"
#include "device/apps/camera/test_store.h"

#ifdef __SANITIZE_THREAD__
// OpenCV's picture codecs start GDAL, which takes two of its own locks in both orders while it does.
extern "C" const char* __tsan_default_suppressions() { return "deadlock:libgdal\n"; }
#endif

namespace oree {
namespace {

struct Rig {
  explicit Rig(int64_t infer_ms = 5, StoreConfig config = {}) : t(config) {
    auto session_owner = std::make_unique<FakeSession>(clock, infer_ms);
    session = session_owner.get();
    model = std::move(FrameModel::make(std::move(session_owner), fake_recipe()).value());
    camera.alarm.threshold = 0.7;
    camera.store = t.config;
  }
  // `count` frames, one every step_ms, a person with this score in each.
  void film(int count, int step_ms, double score) {
    std::deque<FakeFrameSource::Step> steps;
    for (int i = 0; i < count; ++i)
      steps.push_back({i * step_ms, gray_frame(32, 32, static_cast<uint8_t>(score * 255), i * step_ms)});
    source = std::make_unique<FakeFrameSource>(clock, std::move(steps));
  }
  // The same with a score of its own for each frame.
  void film(const std::vector<double>& scores, int step_ms) {
    std::deque<FakeFrameSource::Step> steps;
    for (double score : scores) {
      auto at_ms = static_cast<int64_t>(steps.size()) * step_ms;
      steps.push_back({at_ms, gray_frame(32, 32, static_cast<uint8_t>(score * 255), at_ms)});
    }
    source = std::make_unique<FakeFrameSource>(clock, std::move(steps));
  }
  Result<CameraSummary> run() {
    CameraParts parts;
    parts.ports.clock = &clock;
    parts.ports.random = &random;
    parts.ports.files = &t.files;
    parts.model = model.get();
    parts.source = source.get();
    parts.store = t.store.get();
    parts.model_name = "person";
    parts.model_version = "1.2.3";
    parts.tell_agent = [&](const std::string& line) {
      if (!agent_reads) return false;
      told.push_back(Json::parse(line).value());
      return true;
    };
    parts.on_event = [&](const Json& event) { events.push_back(event); };
    parts.stop = [&] { return stop_after > 0 && session->runs > stop_after; };
    return run_camera(parts, camera, limits);
  }
  int64_t told_count(const char* key) {
    int64_t sum = 0;
    for (const Json& m : told)
      sum += m["type"].as_string() == "stats" ? app_stats_from_json(m).value().*member(key) : 0;
    return sum;
  }
  static int64_t AppStats::*member(const std::string& key) {
    if (key == "frames") return &AppStats::frames;
    if (key == "dropped") return &AppStats::frames_dropped;
    if (key == "events") return &AppStats::events;
    return &AppStats::predictions;
  }
  int types(const std::string& type) {
    int n = 0;
    for (const Json& m : told) n += m["type"].as_string() == type;
    return n;
  }
  TestStore t;
  FakeClock clock;
  FakeRandom random{3};
  FakeSession* session = nullptr;
  std::unique_ptr<FrameModel> model;
  std::unique_ptr<FakeFrameSource> source;
  CameraConfig camera;
  CameraLimits limits;
  std::vector<Json> told, events;
  bool agent_reads = true;
  int stop_after = 0;
};

}  // namespace

TEST_CASE("a person that stays is one event with a picture, stored and told") {
  Rig rig;
  rig.film(50, 100, 0.8);
  auto summary = rig.run();
  REQUIRE_MESSAGE(summary.ok(), summary.error().message());
  CHECK(summary->frames == 50);
  CHECK(summary->dropped == 0);
  CHECK(summary->tracks == 1);
  CHECK(summary->events == 1);
  REQUIRE(rig.events.size() == 1);
  const Json& event = rig.events[0];
  CHECK(event["class"].as_string() == "Person");
  CHECK(event["score"].as_double() == doctest::Approx(0.8).epsilon(0.01));
  CHECK(event["box"].items()[0].as_double() == 8);  // 4 of 16, in a picture of 32
  CHECK(event["box"].items()[3].as_double() == 24);
  CHECK(event["frame"].as_int() == 2);  // the third detection confirms
  CHECK(event["version"].as_string() == "1.2.3");
  auto picture = decode_image(rig.t.files.read(event["snapshot"].as_string(), 1 << 20).value());
  REQUIRE(picture.ok());
  CHECK(picture->width == 32);
  CHECK(rig.types("ready") == 1);
  CHECK(rig.types("event") == 1);
  CHECK(rig.types("done") == 1);
  CHECK(rig.told.back()["type"].as_string() == "done");
  CHECK(rig.told_count("frames") == 50);
  CHECK(rig.told_count("events") == 1);
  CHECK(summary->confidence.count() == 1);
  CHECK(rig.types("stats") >= 5);  // one a second
}

TEST_CASE("a person who stands there is one event, however often the model loses sight of him") {
  Rig rig;
  std::vector<double> scores;
  for (int gap : {5, 20, 100, 250}) {
    scores.insert(scores.end(), 30, 0.8);
    scores.insert(scores.end(), static_cast<size_t>(gap), 0.0);
  }
  scores.insert(scores.end(), 30, 0.8);
  rig.film(scores, 100);
  auto summary = rig.run();
  REQUIRE(summary.ok());
  CHECK(summary->events == 1);
  CHECK(summary->tracks == 1);
}

TEST_CASE("under the threshold nothing is raised, but it is tracked and sampled") {
  Rig rig;
  rig.film(20, 100, 0.6);
  auto summary = rig.run();
  CHECK(summary->events == 0);
  CHECK(summary->tracks == 1);
  CHECK(summary->confidence.mean() == doctest::Approx(0.6).epsilon(0.01));
}

TEST_CASE("a model slower than the camera drops frames, never queues them, and says so") {
  Rig rig(50);
  rig.film(100, 20, 0.8);
  auto summary = rig.run();
  REQUIRE(summary.ok());
  CHECK(summary->frames + summary->dropped == 100);
  CHECK(summary->frames >= 38);
  CHECK(summary->frames <= 42);
  CHECK(rig.told_count("dropped") == summary->dropped);
  CHECK(summary->stage_ms["total"].max() < 80);  // a queue would grow to two seconds
  CHECK(summary->stage_ms["infer"].quantile(0.5) == doctest::Approx(50).epsilon(0.01));
  CHECK(summary->events == 1);
}

TEST_CASE("an agent that does not read loses no counts and never stops the camera") {
  Rig rig;
  rig.agent_reads = false;
  rig.film(50, 100, 0.8);
  CHECK(rig.run()->frames == 50);
  AgentLink link([&](const std::string& line) {
    if (!rig.agent_reads) return false;
    rig.told.push_back(Json::parse(line).value());
    return true;
  });
  link.ready("m", "1");
  for (int i = 0; i < 3; ++i) {
    ++link.stats().frames;
    link.event(Json::object().set("n", i));
    link.flush((i + 1) * 2'000'000'000LL);
  }
  CHECK(rig.told.empty());
  rig.agent_reads = true;
  link.flush(10'000'000'000LL);
  REQUIRE(rig.told.size() == 5);
  CHECK(rig.told[0]["type"].as_string() == "ready");
  CHECK(rig.told[3]["event"]["n"].as_int() == 2);
  CHECK(rig.told_count("frames") == 3);
}

TEST_CASE("a stop ends in order without saying that the input is done") {
  Rig rig;
  rig.film(50, 100, 0.8);
  rig.stop_after = 10;
  CHECK(rig.run()->frames == 10);
  CHECK(rig.types("done") == 0);
  CHECK(rig.told_count("frames") == 10);
}

TEST_CASE("frames are written on request, each n-th, as they came or with marks") {
  for (bool plain : {true, false}) {
    Rig rig;
    rig.film(10, 100, 0.6);
    rig.limits.frames_folder = "out";
    rig.limits.frames_every = 4;
    rig.limits.frames_plain = plain;
    REQUIRE(rig.run().ok());
    auto names = rig.t.files.list("out").value();
    CHECK(names == std::vector<std::string>{"frame-000000.jpg", "frame-000004.jpg", "frame-000008.jpg"});
    Image image = decode_image(rig.t.files.read("out/frame-000008.jpg", 1 << 20).value()).value();
    bool flat = true;
    for (uint8_t v : image.pixels) flat = flat && std::abs(v - 153) < 4;
    CHECK(flat == plain);
  }
}

TEST_CASE("errors of the model, the source and the configuration come through") {
  Rig rig;
  rig.film(10, 100, 0.8);
  rig.session->fail_at = 3;
  CHECK(rig.run().error().code() == Code::kInternal);
  Rig gone;
  gone.film(3, 100, 0.8);
  gone.source->fail_at_end(Error(Code::kInvalid, "damaged"));
  CHECK(gone.run().error().message() == "damaged");
  Rig wrong;
  wrong.film(1, 100, 0.8);
  wrong.camera.alarm.classes = {"Bus"};
  CHECK(wrong.run().error().code() == Code::kUsage);
}

TEST_CASE("a full disk is counted, and the alarm is told all the same") {
  Rig rig;
  rig.film(20, 100, 0.8);
  rig.t.files.set_free_bytes(10);
  auto summary = rig.run();
  REQUIRE(summary.ok());
  REQUIRE(rig.events.size() == 1);
  CHECK(rig.events[0]["snapshot"].as_string().empty());
}

TEST_CASE("a model and a recipe that do not fit are refused before a frame is taken") {
  FakeClock clock;
  Recipe recipe = fake_recipe();
  recipe.labels = {"a"};
  CHECK_FALSE(FrameModel::make(std::make_unique<FakeSession>(clock, 1), recipe).ok());
  recipe = fake_recipe();
  recipe.kind = "tensor";
  CHECK(FrameModel::make(std::make_unique<FakeSession>(clock, 1), recipe).error().code() == Code::kUnsupported);
  recipe = fake_recipe();
  recipe.image.width = 32;
  auto made = FrameModel::make(std::make_unique<FakeSession>(clock, 1), recipe);
  REQUIRE(made.ok());
  CHECK((*made)->warm_up(clock).error().code() == Code::kInvalid);
}

TEST_CASE("marks and zones at and beyond the edges are drawn without harm") {
  Image image{40, 30, Image::Order::kBgr, Bytes(40 * 30 * 3, 100)};
  annotate(image, {{{-10, -10, 400, 300}, "a very long text that does not fit", true}, {{39, 29, 40, 30}, "", false}},
           {{"zone", {{0, 0}, {1, 0}, {1, 1}}, {}}});
  CHECK(image.pixels.size() == 40 * 30 * 3);
  Image tiny{1, 1, Image::Order::kBgr, Bytes(3, 100)};
  annotate(tiny, {{{0, 0, 1, 1}, "x", true}}, {});
}

}  // namespace oree
