// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/inspect/summary_parts.h"
#include "model/ncnn/ncnn_file.h"

namespace oree {
namespace {

// Where a layer says how many weights it has; their storage is in the other file alone.
int64_t parameters(const NcnnLayer& layer) {
  const std::string& type = layer.type;
  if (type.find("onvolution") != std::string::npos) {
    return layer.integer(6, 0) + (layer.integer(5, 0) != 0 ? layer.integer(0, 0) : 0);
  }
  if (type == "InnerProduct") return layer.integer(2, 0) + (layer.integer(1, 0) != 0 ? layer.integer(0, 0) : 0);
  if (type == "BatchNorm") return 4 * layer.integer(0, 0);
  if (type == "PReLU") return layer.integer(0, 0);
  if (type == "LayerNorm" || type == "InstanceNorm") return layer.integer(2, 1) != 0 ? 2 * layer.integer(0, 0) : 0;
  if (type == "GroupNorm") return layer.integer(3, 1) != 0 ? 2 * layer.integer(1, 0) : 0;
  if (type != "MemoryData" || layer.integer(0, 0) == 0) return 0;
  int64_t elements = 1;
  for (int id : {0, 1, 11, 2}) elements *= std::max<int64_t>(1, layer.integer(id, 0));
  return elements;
}

bool multiplies_matrices(const std::string& type) {
  return type.find("onvolution") != std::string::npos || type == "InnerProduct" || type == "MatMul" || type == "Gemm" ||
         type == "LSTM" || type == "GRU" || type == "RNN" || type == "MultiHeadAttention" || type == "DeformableConv2D";
}

void ports(const std::vector<NcnnPort>& from, std::vector<InspectedTensor>& to) {
  for (const NcnnPort& p : from) to.push_back({p.name, "float32", p.shape, true});
}

}  // namespace

Status summarise_ncnn(ByteView bytes, int64_t weights_size, ModelSummary& out) {
  OREE_TRY_ASSIGN(NcnnFile file, read_ncnn(bytes, weights_size));
  out.versions["text"] = 7767517;
  if (weights_size > 0) out.weight_bytes["as stored"] = weights_size;
  if (file.note) {
    out.producer = "orée";
    ports(file.note->inputs, out.inputs);
    ports(file.note->outputs, out.outputs);
  } else {
    for (const std::string& blob : file.inputs) out.inputs.push_back({blob, "float32", {}, false});
    for (const std::string& blob : file.outputs) out.outputs.push_back({blob, "float32", {}, false});
  }
  for (const NcnnLayer& layer : file.layers) {
    out.parameters += std::max<int64_t>(0, parameters(layer));
    if (layer.type == "Input" || layer.type == "Split" || layer.type == "MemoryData") continue;
    ++out.ops[layer.type];
    if (multiplies_matrices(layer.type)) ++out.macs_unknown[layer.type];
    if (layer.integer(8, 0) != 0 && multiplies_matrices(layer.type)) ++out.quantized_tensors;
  }
  return {};
}

}  // namespace oree
