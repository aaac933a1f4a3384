// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "draw_graph.h"
#include "model/onnx/onnx_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::ModelSummary summary;
  oree::Status status = oree::summarise_onnx({data, size}, summary);
  OREE_ASSERT(!status.ok() || summary.macs >= 0);
  auto file = std::make_shared<const oree::Bytes>(data, data + size);
  oree::OnnxReadOptions options;
  options.external = [&](const std::string&) -> oree::Result<oree::ByteView> { return oree::ByteView(*file); };
  if (oree::Result<oree::Model> model = oree::read_onnx_model(*file, file, options); model.ok()) {
    inspect_and_draw(std::move(model->graph));
  }
  return 0;
}
