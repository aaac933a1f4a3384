// SPDX-License-Identifier: Apache-2.0
// A camera and a model inside the test. Included only by tests.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "core/io/fake/fake_clock.h"
#include "device/apps/camera/frame_source.h"
#include "model/recipe/recipe.h"
#include "model/runtime/backend.h"

namespace oree {

// A grey I420 frame of its own memory. `brightness` is what FakeSession reads.
inline Frame gray_frame(int width, int height, uint8_t brightness, int64_t stream_ms) {
  auto pixels = std::make_shared<Bytes>(static_cast<size_t>(width) * static_cast<size_t>(height), brightness);
  auto chroma = static_cast<size_t>((width + 1) / 2) * static_cast<size_t>((height + 1) / 2);
  pixels->resize(pixels->size() + 2 * chroma, 128);
  Frame frame;
  const uint8_t* at = pixels->data();
  frame.view = {at,
                width,
                at + width * height,
                at + width * height + static_cast<std::ptrdiff_t>(chroma),
                (width + 1) / 2,
                width,
                height,
                false,
                true};
  frame.owner = pixels;
  frame.stream_ms = stream_ms;
  return frame;
}

// Plays a script. A camera runs on while the caller works: every step's frame has its time, and of those whose time
// has come only the newest is given.
class FakeFrameSource : public FrameSource {
 public:
  struct Step {
    int64_t at_ms;
    Frame frame;
  };
  FakeFrameSource(FakeClock& clock, std::deque<Step> steps)
      : clock_(clock), steps_(std::move(steps)), start_ns_(clock.monotonic_ns()) {}

  Result<Fetch> next(Frame& frame, int64_t timeout_ms) override {
    if (steps_.empty()) {
      if (failure_) return *failure_;
      return silent_ ? (clock_.sleep_ms(timeout_ms), Fetch::kTimeout) : Fetch::kEnd;
    }
    int64_t wait_ms = steps_.front().at_ms - now_ms();
    if (wait_ms > timeout_ms) {
      clock_.sleep_ms(timeout_ms);
      return Fetch::kTimeout;
    }
    if (wait_ms > 0) clock_.sleep_ms(wait_ms);
    while (steps_.size() > 1 && steps_[1].at_ms <= now_ms()) {
      steps_.pop_front();
      ++dropped_;
      ++index_;
    }
    frame = steps_.front().frame;
    frame.index = index_++;
    frame.born_ns = start_ns_ + steps_.front().at_ms * 1'000'000;
    steps_.pop_front();
    return Fetch::kFrame;
  }
  int64_t dropped() const override { return dropped_; }
  void fail_at_end(Error error) { failure_ = error; }
  void silent_at_end() { silent_ = true; }

 private:
  int64_t now_ms() { return (clock_.monotonic_ns() - start_ns_) / 1'000'000; }
  FakeClock& clock_;
  std::deque<Step> steps_;
  int64_t start_ns_, dropped_ = 0, index_ = 0;
  std::optional<Error> failure_;
  bool silent_ = false;
};

// A YOLOv8 head [1, 6, 8] of classes "Person" and "Car" on a 16x16 grey input: one person whose score is the mean
// brightness and whose box is (4, 4)-(8, 12) of 16. Inference takes infer_ms of the fake clock.
class FakeSession : public Session {
 public:
  FakeSession(FakeClock& clock, int64_t infer_ms) : clock_(clock), infer_ms_(infer_ms) {}
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Result<NamedTensors> run(const NamedTensors&) override { return Error(Code::kUnsupported, "bound only"); }
  Result<Tensor*> input_buffer(size_t) override { return &input_; }
  Status run_bound() override {
    clock_.advance_ms(infer_ms_);
    ++runs;
    if (fail_at > 0 && runs >= fail_at) return Error(Code::kInternal, "the engine broke");
    double sum = 0;
    for (float v : input_.as<float>()) sum += static_cast<double>(v);
    const float values[5] = {6, 8, 4, 8, static_cast<float>(sum / 256)};  // cx cy w h score
    for (size_t c = 0; c < 5; ++c) output_.as<float>()[c * 8] = values[c];
    return {};
  }
  Result<const Tensor*> output_view(size_t) override { return &output_; }
  std::map<std::string, std::string> facts() const override { return {}; }
  int runs = 0, fail_at = 0;

 private:
  FakeClock& clock_;
  int64_t infer_ms_;
  Tensor input_{Dtype::kFloat32, {1, 1, 16, 16}}, output_{Dtype::kFloat32, {1, 6, 8}};
  std::vector<TensorInfo> inputs_{{"in", Dtype::kFloat32, {1, 1, 16, 16}}},
      outputs_{{"out", Dtype::kFloat32, {1, 6, 8}}};
};

inline Recipe fake_recipe() {
  Recipe r;
  r.image.width = r.image.height = 16;
  r.image.color = "gray";
  r.image.scale = 1 / 255.0;
  r.decoder.kind = "yolov8";
  r.labels = {"Person", "Car"};
  return r;
}

}  // namespace oree
