// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "model/onnx/onnx_graph.h"
#include "model/ops/validate.h"

// What is read is a graph, and what is written of it can be read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = std::make_shared<const oree::Bytes>(data, data + size);
  oree::OnnxReadOptions options_in;
  options_in.external = [&](const std::string&) -> oree::Result<oree::ByteView> { return oree::ByteView(*file); };
  oree::Result<oree::Model> model = oree::read_onnx_model(*file, file, options_in);
  if (!model.ok()) return 0;
  OREE_ASSERT(oree::validate(model->graph).ok());
  for (int opset : {7, 12, 17, 22}) {
    oree::OnnxWriteOptions options;
    options.opset = opset;
    oree::Result<oree::OnnxFiles> files = oree::write_onnx_model(*model, options);
    if (!files.ok()) continue;
    auto written = std::make_shared<const oree::Bytes>(std::move(files->model));
    OREE_ASSERT(oree::read_onnx_model(*written, written).ok());
  }
  return 0;
}
