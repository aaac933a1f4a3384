// SPDX-License-Identifier: Apache-2.0
#include "model/ops/inference.h"
#include "model/ops/validate.h"
#include "model/tflite/raise.h"

namespace oree {

Result<Model> read_tflite_model(ByteView file, std::shared_ptr<const void> owner) {
  OREE_TRY_ASSIGN(Model model, read_tflite_nodes(file, std::move(owner)));
  OREE_TRY(raise_tflite(model.graph));
  OREE_TRY(validate(model.graph));
  OREE_TRY(infer_types(model.graph));
  return model;
}

}  // namespace oree
