// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/onnx_shapes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "model/inspect/summary_parts.h"
#include "model/onnx/onnx_element.h"

namespace oree {
namespace {

constexpr size_t kIntsMax = 64;  // elements of a tensor that shapes are computed from

// NumPy's rule: from the right, 1 gives way.
std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    int64_t& d = out[out.size() - 1 - i];
    if (x == y || y == 1) {
      d = x;
    } else if (x == 1 || x < 0) {
      d = y;  // an unknown beside a number over 1 must be that number
    } else if (y < 0) {
      d = x;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

const std::set<std::string_view>& broadcasting() {
  static const std::set<std::string_view> ops = {
      "Add",         "Sub",   "Mul", "Div",      "Pow",   "Min",        "Max",       "Mean",
      "Sum",         "And",   "Or",  "Xor",      "Equal", "Greater",    "Less",      "GreaterOrEqual",
      "LessOrEqual", "PRelu", "Mod", "BitShift", "Where", "QLinearAdd", "QLinearMul"};
  return ops;
}

// Ops whose first output is shaped like their first input.
const std::set<std::string_view>& keeping() {
  static const std::set<std::string_view> ops = {"Abs",
                                                 "Acos",
                                                 "Asin",
                                                 "Atan",
                                                 "BatchNormalization",
                                                 "Cast",
                                                 "CastLike",
                                                 "Ceil",
                                                 "Celu",
                                                 "Clip",
                                                 "Cos",
                                                 "CumSum",
                                                 "DequantizeLinear",
                                                 "Dropout",
                                                 "Elu",
                                                 "Erf",
                                                 "Exp",
                                                 "FastGelu",
                                                 "Floor",
                                                 "Gelu",
                                                 "GroupNormalization",
                                                 "HardSigmoid",
                                                 "HardSwish",
                                                 "Hardmax",
                                                 "Identity",
                                                 "InstanceNormalization",
                                                 "IsInf",
                                                 "IsNaN",
                                                 "LRN",
                                                 "LayerNormalization",
                                                 "LeakyRelu",
                                                 "Log",
                                                 "LogSoftmax",
                                                 "LpNormalization",
                                                 "MeanVarianceNormalization",
                                                 "Mish",
                                                 "Neg",
                                                 "Not",
                                                 "QLinearLeakyRelu",
                                                 "QLinearSigmoid",
                                                 "QuantizeLinear",
                                                 "QuickGelu",
                                                 "Reciprocal",
                                                 "Relu",
                                                 "Round",
                                                 "ScatterElements",
                                                 "ScatterND",
                                                 "Selu",
                                                 "Shrink",
                                                 "Sigmoid",
                                                 "Sign",
                                                 "SimplifiedLayerNormalization",
                                                 "Sin",
                                                 "SkipLayerNormalization",
                                                 "Softmax",
                                                 "Softplus",
                                                 "Softsign",
                                                 "Sqrt",
                                                 "Tan",
                                                 "Tanh",
                                                 "ThresholdedRelu",
                                                 "Trilu"};
  return ops;
}

}  // namespace

OnnxShapes::OnnxShapes(const OnnxFile& file, std::map<std::string, int64_t> free) : free_(std::move(free)) {
  for (const OnnxValue& value : file.graph.inputs) declare(value, false);
  for (const OnnxTensor& tensor : file.graph.initializers) load(tensor, tensor.name);
  for (const OnnxNode& node : file.graph.nodes) visit(node);
  // What the exporter wrote down fills the gaps, and what follows from it fills more.
  for (const OnnxValue& value : file.graph.values) declare(value, true);
  for (const OnnxValue& value : file.graph.outputs) declare(value, true);
  for (const OnnxNode& node : file.graph.nodes) visit(node);
}

std::optional<Shape> OnnxShapes::shape(std::string_view tensor) const {
  auto found = shapes_.find(tensor);
  if (found == shapes_.end()) return std::nullopt;
  return found->second;
}

void OnnxShapes::set(std::string_view name, Shape shape) {
  if (!name.empty() && shape.size() <= 32) shapes_[name] = std::move(shape);
}

void OnnxShapes::declare(const OnnxValue& value, bool keep_known) {
  if (!value.has_shape || !value.tensor) return;
  Shape shape = value.shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    auto assumed = free_.find(std::string(value.symbols[i]));
    if (shape[i] < 0 && !value.symbols[i].empty() && assumed != free_.end()) shape[i] = assumed->second;
    if (shape[i] < 0 && value.symbols[i].empty()) {
      auto unnamed = free_.find(std::string(value.name) + "#" + std::to_string(i));
      if (unnamed != free_.end()) shape[i] = unnamed->second;
    }
  }
  if (keep_known) {
    auto known = shapes_.find(value.name);
    if (known != shapes_.end() && volume(known->second) >= 0) return;
  }
  set(value.name, std::move(shape));
}

void OnnxShapes::load(const OnnxTensor& tensor, std::string_view name) {
  set(name, tensor.dims);
  int64_t elements = volume(tensor.dims);
  if (elements < 0 || elements > static_cast<int64_t>(kIntsMax) || !tensor.external.empty()) return;
  size_t n = static_cast<size_t>(elements);
  int bits = onnx_element(tensor.element).bits;
  bool integer = tensor.element == 6 || tensor.element == 7;
  if (integer && tensor.raw.empty() && tensor.integers.size() == n) ints_[name] = tensor.integers;
  if (tensor.raw.size() != n * static_cast<size_t>(bits) / 8) return;
  if (integer) {
    Ints& values = ints_[name];
    values.clear();
    for (size_t i = 0; i < n; ++i) {
      int64_t wide = 0;
      int32_t narrow = 0;
      if (bits == 64) {
        std::memcpy(&wide, tensor.raw.data() + i * 8, 8);
      } else {
        std::memcpy(&narrow, tensor.raw.data() + i * 4, 4);
        wide = narrow;
      }
      values.push_back(wide);
    }
  } else if (tensor.element == 1) {
    std::vector<float>& values = floats_[name];
    values.resize(n);
    if (n > 0) std::memcpy(values.data(), tensor.raw.data(), n * 4);
  }
}

std::optional<Shape> OnnxShapes::in(const OnnxNode& node, size_t index) const {
  if (index >= node.inputs.size()) return std::nullopt;
  return shape(node.inputs[index]);
}

const OnnxShapes::Ints* OnnxShapes::ints(const OnnxNode& node, size_t index) const {
  if (index >= node.inputs.size()) return nullptr;
  auto found = ints_.find(node.inputs[index]);
  return found == ints_.end() ? nullptr : &found->second;
}

const std::vector<float>* OnnxShapes::floats(const OnnxNode& node, size_t index) const {
  if (index >= node.inputs.size()) return nullptr;
  auto found = floats_.find(node.inputs[index]);
  return found == floats_.end() ? nullptr : &found->second;
}

std::optional<OnnxShapes::Ints> OnnxShapes::axes(const OnnxNode& node, size_t input) const {
  if (const OnnxAttribute* a = node.find("axes")) return a->ints;
  if (input >= node.inputs.size() || node.inputs[input].empty()) return Ints{};
  const Ints* values = ints(node, input);
  if (values == nullptr) return std::nullopt;
  return *values;
}

void OnnxShapes::visit(const OnnxNode& node) {
  if (node.outputs.empty() || several_outputs(node)) return;
  if (node.op == "Constant") {
    if (const OnnxAttribute* value = node.find("value"); value != nullptr && !value->tensors.empty()) {
      load(value->tensors.front(), node.outputs[0]);
    } else if (const OnnxAttribute* list = node.find("value_ints")) {
      set(node.outputs[0], {static_cast<int64_t>(list->ints.size())});
      if (list->ints.size() <= kIntsMax) ints_[node.outputs[0]] = list->ints;
    } else if (const OnnxAttribute* one = node.find("value_int")) {
      set(node.outputs[0], {});
      ints_[node.outputs[0]] = {one->i};
    } else if (node.find("value_float") != nullptr) {
      set(node.outputs[0], {});
    }
    return;
  }
  std::optional<Shape> out = infer(node);
  // A later pass must not lose what the exporter had written down.
  if (out && (volume(*out) >= 0 || !shape(node.outputs[0]))) set(node.outputs[0], *out);
  fold(node);
}

std::optional<Shape> OnnxShapes::infer(const OnnxNode& node) {
  if (keeping().contains(node.op)) return in(node, 0);
  if (node.op == "DynamicQuantizeLinear") return in(node, 0);
  if (broadcasting().contains(node.op)) {
    bool quantized = node.op.starts_with("QLinear");  // (a, scale, zero, b, …)
    std::optional<Shape> out = in(node, 0);
    for (size_t i = quantized ? 3 : 1; i < (quantized ? 4 : node.inputs.size()) && out; ++i) {
      std::optional<Shape> next = in(node, i);
      out = next ? broadcast(*out, *next) : std::nullopt;
    }
    return out;
  }
  if (std::optional<Shape> out = infer_window(node)) return out;
  if (std::optional<Shape> out = infer_product(node)) return out;
  return infer_layout(node);
}

std::optional<Shape> OnnxShapes::infer_window(const OnnxNode& node) {
  std::optional<Shape> x = in(node, 0);
  if (!x || x->size() < 3) return std::nullopt;
  if (node.op.starts_with("Global")) {
    Shape out{(*x)[0], (*x)[1]};
    out.resize(x->size(), 1);
    return out;
  }
  bool conv = node.op == "Conv" || node.op == "ConvInteger" || node.op == "QLinearConv" || node.op == "FusedConv";
  bool transposed = node.op == "ConvTranspose";
  bool pool =
      node.op == "MaxPool" || node.op == "AveragePool" || node.op == "LpPool" || node.op == "QLinearAveragePool";
  if (!conv && !transposed && !pool) return std::nullopt;
  size_t spatial = x->size() - 2;
  Ints kernel(spatial, -1);
  Shape out{(*x)[0], (*x)[1]};
  if (!pool) {
    std::optional<Shape> w = in(node, node.op == "QLinearConv" ? 3 : 1);
    if (!w || w->size() != x->size()) return std::nullopt;
    std::copy(w->begin() + 2, w->end(), kernel.begin());
    out[1] = transposed ? times((*w)[1], node.integer("group", 1)) : (*w)[0];
  } else if (const OnnxAttribute* k = node.find("kernel_shape"); k != nullptr && k->ints.size() == spatial) {
    kernel = k->ints;
  }
  auto list = [&](const char* name, size_t size, int64_t otherwise) {
    const OnnxAttribute* a = node.find(name);
    return a != nullptr && a->ints.size() == size ? a->ints : Ints(size, otherwise);
  };
  Ints strides = list("strides", spatial, 1), dilations = list("dilations", spatial, 1);
  Ints pads = list("pads", 2 * spatial, 0), extra = list("output_padding", spatial, 0);
  const OnnxAttribute* automatic = node.find("auto_pad");
  bool same = automatic != nullptr && automatic->s.starts_with("SAME");
  const OnnxAttribute* wanted = node.find("output_shape");
  bool ceil_mode = node.integer("ceil_mode", 0) != 0;
  constexpr int64_t kSane = int64_t{1} << 40;  // attributes come from outside: keep the arithmetic below in range
  for (size_t i = 0; i < spatial; ++i) {
    int64_t size = (*x)[i + 2], s = strides[i], d = dilations[i];
    for (int64_t v : {s, d, kernel[i], pads[i], pads[spatial + i], extra[i]}) {
      if (v > 1 << 20 || v < -(1 << 20)) return std::nullopt;
    }
    if (s <= 0 || d <= 0) return std::nullopt;
    int64_t reach = d * (kernel[i] - 1) + 1, padding = pads[i] + pads[spatial + i];
    int64_t result = -1;
    if (size < 0 || size > kSane || kernel[i] < 1) {
      result = -1;
    } else if (transposed && wanted != nullptr && wanted->ints.size() == spatial) {
      result = wanted->ints[i];
    } else if (transposed) {
      result = same ? size * s : s * (size - 1) + extra[i] + reach - padding;
    } else if (same) {
      result = (size + s - 1) / s;
    } else {
      int64_t room = size + padding - reach;
      result = room < 0 ? -1 : room / s + 1;
      // A last window that would begin in the padding behind the input does not count.
      if (ceil_mode && room >= 0 && room % s != 0 && (result * s) < size + pads[i]) ++result;
    }
    out.push_back(result);
  }
  return out;
}

std::optional<Shape> OnnxShapes::infer_product(const OnnxNode& node) {
  if (node.op == "Gemm") {
    std::optional<Shape> a = in(node, 0), b = in(node, 1);
    if (!a || !b || a->size() != 2 || b->size() != 2) return std::nullopt;
    return Shape{(*a)[node.integer("transA", 0) != 0 ? 1 : 0], (*b)[node.integer("transB", 0) != 0 ? 0 : 1]};
  }
  bool quantized = node.op == "QLinearMatMul";
  if (node.op != "MatMul" && node.op != "MatMulInteger" && node.op != "FusedMatMul" && !quantized) return std::nullopt;
  std::optional<Shape> a = in(node, 0), b = in(node, quantized ? 3 : 1);
  if (!a || !b || a->empty() || b->empty()) return std::nullopt;
  bool vector_a = a->size() == 1, vector_b = b->size() == 1;
  if (vector_a) a->insert(a->begin(), 1);
  if (vector_b) b->push_back(1);
  std::optional<Shape> out = broadcast(Shape(a->begin(), a->end() - 2), Shape(b->begin(), b->end() - 2));
  if (!out) return std::nullopt;
  if (!vector_a) out->push_back((*a)[a->size() - 2]);
  if (!vector_b) out->push_back(b->back());
  return out;
}

}  // namespace oree
