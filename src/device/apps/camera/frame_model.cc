// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/frame_model.h"

#include <fmt/format.h>

#include "model/runtime/files/real_values.h"

namespace oree {

namespace {

// A recipe of reals, and a model of integers that stand for such: pixels become the model's integers at once.
void take_scale(const TensorInfo& input, ImageRecipe& image) {
  if (!input.reals || image.dtype != "float32" || (input.dtype != Dtype::kInt8 && input.dtype != Dtype::kUint8)) return;
  image.dtype = dtype_name(input.dtype);
  image.quant_scale = static_cast<double>(input.reals->scale);
  image.zero_point = static_cast<int>(input.reals->zero_point);
}

}  // namespace

Result<std::unique_ptr<FrameModel>> FrameModel::make(std::unique_ptr<Session> session, Recipe recipe) {
  if (recipe.kind != "image")
    return Error(Code::kUnsupported, "the recipe takes arrays; a camera gives pictures: recipe.kind must be image");
  if (recipe.decoder.kind == "tensor")
    return Error(Code::kUnsupported, "the recipe has no decoder that tells what is in a picture");
  if (session->inputs().size() != 1) {
    return Error(Code::kUnsupported,
                 fmt::format("the model has {} inputs; a camera gives one picture", session->inputs().size()));
  }
  take_scale(session->inputs()[0], recipe.image);
  std::vector<OutputInfo> outputs;
  for (const TensorInfo& o : session->outputs()) outputs.push_back({o.name, o.shape});
  OREE_TRY_ASSIGN(std::unique_ptr<Decoder> decoder, make_decoder(recipe, outputs));
  std::unique_ptr<FrameModel> model(new FrameModel(std::move(session), std::move(recipe)));
  model->decoder_ = std::move(decoder);
  auto buffer = model->session_->input_buffer(0);
  if (buffer.ok()) {
    model->bound_ = *buffer;
  } else if (buffer.error().code() != Code::kUnsupported) {
    return buffer.error();
  } else {
    model->own_.push_back({model->session_->inputs()[0].name, make_input(model->recipe_.image)});
  }
  return model;
}

Result<std::vector<const Tensor*>> FrameModel::infer() {
  std::vector<const Tensor*> views;
  real_outputs_.resize(session_->outputs().size());
  if (bound_ == nullptr) {
    OREE_TRY_ASSIGN(outputs_, session_->run(own_));
    make_real(outputs_, session_->outputs());
    for (const NamedTensor& o : outputs_) views.push_back(&o.tensor);
    return views;
  }
  OREE_TRY(session_->run_bound());
  for (size_t i = 0; i < session_->outputs().size(); ++i) {
    OREE_TRY_ASSIGN(const Tensor* view, session_->output_view(i));
    const std::optional<RealScale>& reals = session_->outputs()[i].reals;
    if (reals) real_outputs_[i] = to_reals(*view, *reals);
    views.push_back(reals ? &real_outputs_[i] : view);
  }
  return views;
}

Result<std::vector<Detection>> FrameModel::run(const YuvView& frame, Clock& clock, StageTimes& times) {
  int64_t start = clock.monotonic_ns();
  auto lap_ms = [&] {
    int64_t now = clock.monotonic_ns();
    double ms = static_cast<double>(now - start) / 1e6;
    start = now;
    return ms;
  };
  OREE_TRY_ASSIGN(Placement placement, preprocess(recipe_.image, frame, bound_ != nullptr ? *bound_ : own_[0].tensor));
  times.preprocess_ms = lap_ms();
  OREE_TRY_ASSIGN(std::vector<const Tensor*> outputs, infer());
  times.infer_ms = lap_ms();
  std::vector<Detection> found;
  if (recipe_.decoder.kind == "classifier") {
    OREE_TRY_ASSIGN(std::vector<Classification> classes, decoder_->classifications(outputs));
    Box all{0, 0, static_cast<double>(frame.width), static_cast<double>(frame.height)};
    for (const Classification& c : classes) found.push_back({all, c.label, c.score});
  } else {
    OREE_TRY_ASSIGN(found, decoder_->detections(outputs, placement));
  }
  times.decode_ms = lap_ms();
  return found;
}

Status FrameModel::warm_up(Clock& clock) {
  Bytes gray(64 * 64, 128);
  YuvView frame{gray.data(), 64, gray.data(), gray.data(), 32, 64, 64, false, false};
  StageTimes times;
  OREE_TRY_ASSIGN(auto found, run(frame, clock, times));
  (void)found;
  return {};
}

}  // namespace oree
