// SPDX-License-Identifier: Apache-2.0
// FrameModel runs one model over frames: the recipe's preprocessing, the session, the decoder. One thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/io/clock.h"
#include "model/recipe/detect.h"
#include "model/runtime/backend.h"

namespace oree {

struct StageTimes {
  double preprocess_ms = 0, infer_ms = 0, decode_ms = 0;
};

class FrameModel {
 public:
  // kInvalid: model and recipe do not fit; kUnsupported: the model has several inputs, or the recipe takes no pictures.
  static Result<std::unique_ptr<FrameModel>> make(std::unique_ptr<Session> session, Recipe recipe);

  // A classifier's results count as objects that fill the picture.
  Result<std::vector<Detection>> run(const YuvView& frame, Clock& clock, StageTimes& times);
  // One run on a grey picture, so that the first real frame does not pay for the engine's preparations.
  Status warm_up(Clock& clock);
  const std::vector<std::string>& labels() const { return recipe_.labels; }

 private:
  FrameModel(std::unique_ptr<Session> session, Recipe recipe)
      : session_(std::move(session)), recipe_(std::move(recipe)) {}
  Result<std::vector<const Tensor*>> infer();

  std::unique_ptr<Session> session_;
  Recipe recipe_;
  std::unique_ptr<Decoder> decoder_;
  Tensor* bound_ = nullptr;  // the session's own input buffer; nullptr: shapes are not all known, own_ is copied
  NamedTensors own_, outputs_;
  std::vector<Tensor> real_outputs_;  // of those that the session gives as integers
};

}  // namespace oree
