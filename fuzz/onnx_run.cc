// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "model/onnx/onnx_graph.h"
#include "run_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = std::make_shared<const oree::Bytes>(data, data + size);
  oree::Result<oree::Model> model = oree::read_onnx_model(*file, file);
  if (model.ok()) fuzz::run_graph(model->graph);
  return 0;
}
