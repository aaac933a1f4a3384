// SPDX-License-Identifier: Apache-2.0
// What `oree convert` does with a model that was read from outside bytes: the passes, then both writers. A pass refuses
// or leaves a graph; a writer refuses or leaves a file that can be read again.
#include <cstdio>
#include <memory>

#include "model/convert/convert.h"
#include "model/onnx/onnx_graph.h"
#include "model/ops/validate.h"
#include "model/tflite/tflite_file.h"
#include "model/tflite/tflite_graph.h"

namespace {

void write_both(oree::Model model) {
  if (oree::Result<oree::Bytes> file = oree::write_tflite_model(model); file.ok()) {
    OREE_ASSERT(oree::read_tflite(*file).ok());
  }
  if (!oree::raise_quantized_tflite(model.graph).ok()) return;
  oree::Result<oree::OnnxFiles> files = oree::write_onnx_model(model, {});
  if (!files.ok()) return;
  auto written = std::make_shared<const oree::Bytes>(std::move(files->model));
  oree::Result<oree::Model> again = oree::read_onnx_model(*written, written);
  if (!again.ok()) std::fprintf(stderr, "%s\n", again.error().message().c_str());
  OREE_ASSERT(again.ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = std::make_shared<const oree::Bytes>(data, data + size);
  const bool tflite = size >= 8 && std::equal(data + 4, data + 8, "TFL3");
  oree::Result<oree::Model> model = tflite ? oree::read_tflite_model(*file, file) : oree::read_onnx_model(*file, file);
  if (!model.ok() || !oree::prepare(*model, {}).ok()) return 0;
  OREE_ASSERT(oree::validate(model->graph).ok());
  write_both(std::move(*model));
  return 0;
}
