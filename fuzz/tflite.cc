// SPDX-License-Identifier: Apache-2.0
#include "draw_graph.h"
#include "model/ops/validate.h"
#include "model/tflite/tflite_nodes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::ModelSummary summary;
  oree::Status status = oree::summarise_tflite({data, size}, summary);
  OREE_ASSERT(!status.ok() || summary.macs >= 0);
  oree::Result<oree::Model> model = oree::read_tflite_nodes({data, size}, nullptr, oree::TfliteSizes::kExported);
  if (model.ok() && oree::validate(model->graph).ok()) inspect_and_draw(std::move(model->graph));
  return 0;
}
