// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/tflite_graph.h"
#include "run_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::Result<oree::Model> model = oree::read_tflite_model({data, size}, nullptr);
  if (model.ok()) fuzz::run_graph(model->graph);
  return 0;
}
