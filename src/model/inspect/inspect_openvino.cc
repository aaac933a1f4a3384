// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>

#include "model/inspect/summary_parts.h"
#include "model/ops/costs.h"
#include "model/runtime/files/openvino_file.h"

namespace oree {
namespace {

Shape shape_of(const std::vector<OpenvinoPort>& ports, size_t i) {
  return i < ports.size() ? ports[i].shape : Shape{-1};
}

bool is_true(const OpenvinoLayer& layer, const char* key) {
  auto found = layer.data.find(key);
  return found != layer.data.end() && (found->second == "true" || found->second == "1");
}

// Layouts: activations NCHW; weights OIHW, grouped ones GOIHW, those of backward convolutions IOHW and GIOHW.
int64_t cost(const OpenvinoLayer& layer) {
  Shape a = shape_of(layer.inputs, 0), w = shape_of(layer.inputs, 1), out = shape_of(layer.outputs, 0);
  const std::string& type = layer.type;
  if (type == "Convolution" || type == "DeformableConvolution") {
    return cost_product(volume(out), volume(type == "Convolution" ? w : shape_of(layer.inputs, 2), 1));
  }
  if (type == "GroupConvolution") return cost_product(volume(out), volume(w, 2));
  if (type == "ConvolutionBackpropData") return cost_product(volume(a), volume(w, 1));
  if (type == "GroupConvolutionBackpropData") return cost_product(volume(a), volume(w, 2));
  if (type == "MatMul") {
    if (a.empty()) return -1;
    size_t k = a.size() >= 2 && is_true(layer, "transpose_a") ? a.size() - 2 : a.size() - 1;
    return cost_product(volume(out), a[k]);
  }
  if (type == "LSTMSequence" || type == "GRUSequence" || type == "RNNSequence") {
    // Inputs: X, H, (C,) lengths, W, R, B with X [batch, time, size] and W, R [directions, gates*hidden, …].
    size_t first = type == "LSTMSequence" ? 4 : 3;
    int64_t input = volume(shape_of(layer.inputs, first)), state = volume(shape_of(layer.inputs, first + 1));
    if (a.size() != 3 || input < 0 || state < 0) return -1;
    return cost_product(cost_product(a[0], a[1]), input + state);
  }
  for (const char* known :
       {"LSTMCell", "GRUCell", "RNNCell", "TensorIterator", "Loop", "If", "Einsum", "ScaledDotProductAttention"}) {
    if (type == known) return -1;
  }
  return 0;
}

std::string port_name(const OpenvinoPort& port, const OpenvinoLayer& layer) {
  return port.names.empty() ? layer.name : port.names;
}

// Equal constants share their bytes in the .bin file: those are counted once.
void weights(const OpenvinoLayer& layer, std::set<std::string>& counted, ModelSummary& out) {
  auto offset = layer.data.find("offset"), size = layer.data.find("size");
  if (layer.outputs.empty() || offset == layer.data.end() || size == layer.data.end()) return;
  if (!counted.insert(offset->second + "+" + size->second).second) return;
  ElementType element = layer.outputs[0].element;
  int64_t elements = volume(layer.outputs[0].shape);
  if (elements < 0) return;
  out.weight_bytes[element.name] += (elements * element.bits + 7) / 8;
  bool real = std::string_view(element.name).find("float") != std::string_view::npos;
  bool small_integer = element.bits > 0 && element.bits <= 8 && element.dtype != Dtype::kBool;
  if (real || small_integer) out.parameters += elements;
}

}  // namespace

Status summarise_openvino(ByteView bytes, int64_t weights_size, ModelSummary& out) {
  OREE_TRY_ASSIGN(OpenvinoFile file, read_openvino(bytes, weights_size));
  out.versions["ir"] = file.version;
  auto runtime = file.rt_info.find("Runtime_version");
  if (runtime != file.rt_info.end()) out.producer = "OpenVINO " + runtime->second;
  std::set<std::string> counted;
  std::map<int64_t, const OpenvinoLayer*> by_id;
  for (const OpenvinoLayer& layer : file.layers) by_id[layer.id] = &layer;
  for (const OpenvinoLayer& layer : file.layers) {
    if (layer.type == "Parameter" && !layer.outputs.empty()) {
      const OpenvinoPort& port = layer.outputs[0];
      out.inputs.push_back({port_name(port, layer), port.element.name, port.shape, true});
    } else if (layer.type == "Result" && !layer.inputs.empty()) {
      const OpenvinoPort& port = layer.inputs[0];
      auto source = by_id.find(layer.sources[0]);
      std::string name = layer.name;
      if (source != by_id.end() && source->second->outputs.size() == 1) {
        name = port_name(source->second->outputs[0], *source->second);
      }
      out.outputs.push_back({name, port.element.name, port.shape, true});
    } else if (layer.type == "Const") {
      weights(layer, counted, out);
    } else {
      ++out.ops[layer.type];
      int64_t macs = cost(layer);
      if (macs != 0) add_macs(out, layer.type, macs);
      if (layer.type == "FakeQuantize") {
        ++out.quantized_tensors;
        if (volume(shape_of(layer.inputs, 1)) > 1) ++out.quantized_per_channel;
      }
    }
  }
  return {};
}

}  // namespace oree
