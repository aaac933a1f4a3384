// SPDX-License-Identifier: Apache-2.0
// Whatever bytes become a graph can be written again or are refused, and what was written is a TFLite file. (Not
// necessarily a model: operators that are kept as they are may be nonsense.)
#include "model/tflite/tflite_graph.h"
#include "model/ops/validate.h"
#include "model/tflite/tflite_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::Result<oree::Model> model = oree::read_tflite_model({data, size}, nullptr);
  if (!model.ok()) return 0;
  OREE_ASSERT(oree::validate(model->graph).ok());
  oree::Result<oree::Bytes> file = oree::write_tflite_model(*model);
  if (file.ok()) OREE_ASSERT(oree::read_tflite(*file).ok());
  return 0;
}
