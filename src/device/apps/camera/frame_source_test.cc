// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/frame_source.h"

#include <doctest/doctest.h>

#include "device/apps/camera/test_camera.h"

namespace oree {
namespace {

std::deque<FakeFrameSource::Step> steps(int count) {
  std::deque<FakeFrameSource::Step> out;
  for (int i = 0; i < count; ++i) out.push_back({i * 10, gray_frame(4, 4, 100, i * 10)});
  return out;
}

}  // namespace

TEST_CASE("a copied frame is its own and equal, padding left out") {
  Bytes pixels(10 * 3 + 6 * 2 * 2);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i);
  Frame frame;
  frame.view = {pixels.data(), 10, pixels.data() + 30, pixels.data() + 42, 6, 5, 3, false, false};
  Image before = yuv_to_image(frame.view).value();
  Frame copy = copy_frame(frame);
  pixels.assign(pixels.size(), 0);
  CHECK(yuv_to_image(copy.view).value().pixels == before.pixels);
  CHECK(copy.view.luma_stride == 5);
}

TEST_CASE("a finite source ends, or loops with its frames counted on") {
  FakeClock clock;
  int opened = 0;
  auto open = [&]() -> Result<std::unique_ptr<FrameSource>> {
    ++opened;
    return std::unique_ptr<FrameSource>(std::make_unique<FakeFrameSource>(clock, steps(3)));
  };
  Frame frame;
  ReconnectingSource once(clock, {}, open);
  for (int i = 0; i < 3; ++i) CHECK(*once.next(frame, 100) == Fetch::kFrame);
  CHECK(*once.next(frame, 100) == Fetch::kEnd);
  ReconnectRules rules;
  rules.loop = true;
  ReconnectingSource loop(clock, rules, open);
  for (int i = 0; i < 7; ++i) {
    CHECK(*loop.next(frame, 100) == Fetch::kFrame);
    CHECK(frame.index == i);
  }
  CHECK(opened == 4);
  CHECK(loop.reconnects() == 0);
  ReconnectingSource empty(clock, rules, [&]() -> Result<std::unique_ptr<FrameSource>> {
    return std::unique_ptr<FrameSource>(std::make_unique<FakeFrameSource>(clock, steps(0)));
  });
  CHECK(*empty.next(frame, 100) == Fetch::kEnd);
}

TEST_CASE("a camera that vanishes is tried again with growing waits, then goes on") {
  FakeClock clock;
  int opened = 0;
  ReconnectRules rules;
  rules.live = true;
  ReconnectingSource source(clock, rules, [&]() -> Result<std::unique_ptr<FrameSource>> {
    ++opened;
    if (opened >= 2 && opened <= 5) return Error(Code::kUnavailable, "no route");
    auto camera = std::make_unique<FakeFrameSource>(clock, steps(2));
    camera->fail_at_end(Error(Code::kUnavailable, "cut"));
    return std::unique_ptr<FrameSource>(std::move(camera));
  });
  Frame frame;
  CHECK(*source.next(frame, 100) == Fetch::kFrame);
  CHECK(*source.next(frame, 100) == Fetch::kFrame);
  int64_t before = clock.monotonic_ns();
  int calls = 0;
  while (*source.next(frame, 100) != Fetch::kFrame) REQUIRE(++calls < 1000);
  int64_t waited_ms = (clock.monotonic_ns() - before) / 1'000'000;
  CHECK(opened == 6);
  CHECK(waited_ms >= 500 + 1000 + 2000 + 4000 + 8000);
  CHECK(waited_ms < 16000);
  CHECK(frame.index == 2);
  CHECK(source.reconnects() == 1);
  // A frame resets the back-off.
  CHECK(*source.next(frame, 100) == Fetch::kFrame);
  before = clock.monotonic_ns();
  while (*source.next(frame, 100) != Fetch::kFrame) {
  }
  CHECK((clock.monotonic_ns() - before) / 1'000'000 < 1000);
}

TEST_CASE("a camera that falls silent counts as gone") {
  FakeClock clock;
  int opened = 0;
  ReconnectRules rules;
  rules.live = true;
  rules.silence_ms_max = 3000;
  ReconnectingSource source(clock, rules, [&]() -> Result<std::unique_ptr<FrameSource>> {
    ++opened;
    auto camera = std::make_unique<FakeFrameSource>(clock, steps(1));
    camera->silent_at_end();
    return std::unique_ptr<FrameSource>(std::move(camera));
  });
  Frame frame;
  CHECK(*source.next(frame, 100) == Fetch::kFrame);
  while (opened == 1) REQUIRE(source.next(frame, 100).ok());
  int64_t seconds = clock.slept_ms() / 1000;
  CHECK(seconds >= 3);
  CHECK(seconds <= 4);
}

TEST_CASE("a broken file, and what no waiting mends, is an error at once") {
  FakeClock clock;
  Frame frame;
  auto fails = [&](Code code) { return [code]() -> Result<std::unique_ptr<FrameSource>> { return Error(code, "x"); }; };
  CHECK(ReconnectingSource(clock, {}, fails(Code::kInvalid)).next(frame, 100).error().code() == Code::kInvalid);
  ReconnectRules live;
  live.live = true;
  CHECK(ReconnectingSource(clock, live, fails(Code::kUnsupported)).next(frame, 100).error().code() ==
        Code::kUnsupported);
  CHECK(*ReconnectingSource(clock, live, fails(Code::kNotFound)).next(frame, 100) == Fetch::kTimeout);
}

}  // namespace oree
