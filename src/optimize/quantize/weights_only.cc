// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/weights_only.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "model/eval/dataset.h"
#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/passes/rewrite.h"
#include "optimize/quantize/integer_products.h"
#include "optimize/quantize/stored_reals.h"

namespace oree {
namespace {

constexpr int64_t kOnnxFloat = 1;

bool is_layer(const Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul");
}
bool is_matrix(const Node& node) { return node.is("Gemm") || node.is("MatMul"); }

uint16_t to_bfloat16(float real) {
  constexpr uint32_t kLargest = 0x7F7F;
  const auto bits = std::bit_cast<uint32_t>(real);
  const uint32_t size = bits & 0x7FFFFFFF, rounded = (size + 0x7FFF + ((size >> 16) & 1)) >> 16;
  return static_cast<uint16_t>(std::min(rounded, kLargest) | (bits >> 31 << 15));
}

class Storer {
 public:
  Storer(Graph& graph, const StoreOptions& options) : graph_(graph), options_(options), dialect_(options.dialect) {}

  Result<std::vector<StoredLayer>> run() {
    for (NodeId n : graph_.order()) {
      if (!is_layer(graph_.node(n))) continue;
      const Constant* weights = graph_.constant(graph_.node(n).input(1));
      if (weights == nullptr || weights->dtype() != Dtype::kFloat32) continue;
      StoredLayer layer{n, graph_.node(n).outputs[0], false, "", refused(n, *weights)};
      if (layer.because.empty()) OREE_TRY(store(layer));
      layers_.push_back(std::move(layer));
    }
    OREE_TRY(infer_types(graph_));
    OREE_TRY(remove_dead(graph_));
    return std::move(layers_);
  }

 private:
  std::string refused(NodeId n, const Constant& weights) const {
    if (options_.keep_float.contains(n)) return "left in float for its accuracy";
    if (weights.elements() < kStoredElementsMin) return fmt::format("fewer than {} weights", kStoredElementsMin);
    const Shape& shape = weights.shape();
    if (is_matrix(graph_.node(n)) && shape.size() != 2) return "its weights are no matrix";
    if (!is_matrix(graph_.node(n)) && shape.size() < 3) return "its weights are no filters";
    return "";
  }

  Status store(StoredLayer& layer) {
    if (options_.precision == Precision::kBfloat16) return put_bfloat16(layer);
    const Node& node = graph_.node(layer.node);
    const bool four = options_.precision == Precision::kWeightsInt4;
    if (options_.precision == Precision::kDynamic && multiplies_integers(node))
      return dialect_.tflite ? put_hybrid(layer) : put_dynamic(layer);
    if (four && takes_blocks(node)) {
      if (int64_t block = block_for(inputs_of(node)); block > 0) return put_blocks(layer, block);
    }
    return put_by_channel(layer);
  }

  // --- one scale a channel
  Result<LayerWeights> by_channel(const Node& node, const WeightGrid& grid) const {
    const Tensor tensor = graph_.constant(node.inputs[1])->to_tensor();
    LayerWeights w;
    w.axis = channel_axis(graph_, node);
    // A grouped transposed convolution has its channels on no axis alone.
    if (node.is("ConvTranspose") && node.integer("group", 1) != 1) w.axis = -1;
    Result<std::vector<float>> scales =
        weight_scales(tensor.as<float>(), tensor.shape(), w.axis, grid, options_.weight_scale);
    if (!scales.ok()) return scales.error().within(graph_.value(node.inputs[1]).name);
    w.scales = std::move(*scales);
    w.integers = pack_integers(quantize_weights(tensor.as<float>(), tensor.shape(), w.axis, w.scales, grid),
                               tensor.shape(), grid.integers.dtype);
    return w;
  }

  Status put_by_channel(StoredLayer& layer) {
    const IntegerGrid grid = symmetric_int8_grid();
    layer.weights = dtype_name(grid.dtype);
    if (dialect_.engine == "onnxruntime") untranspose(layer.node);
    const Node node = graph_.node(layer.node);
    ValueId& reals = reals_of(node.inputs[1], channel_axis(graph_, node));
    if (reals == kNoValue) {
      OREE_TRY_ASSIGN(LayerWeights w, by_channel(node, grid));
      const Value constant = graph_.value(node.inputs[1]);
      ValueId packed = graph_.add_constant(constant.name + "_quantized", w.integers);
      reals = dialect_.engine == "onnxruntime" && !is_matrix(node)
                  ? multiplied(graph_, packed, w, constant)
                  : dequantized(graph_, packed, w, constant, dialect_.tflite);
    }
    graph_.set_input(layer.node, 1, reals);
    return {};
  }

  // A Gemm's weights as a MatMul has them, for which alone ONNX Runtime has a kernel that takes them as they are.
  void untranspose(NodeId n) {
    const Node node = graph_.node(n);
    if (!node.is("Gemm") || node.integer("transB", 0) == 0) return;
    const Value constant = graph_.value(node.inputs[1]);
    const Tensor from = constant.constant->to_tensor();
    const int64_t rows = from.shape()[0], columns = from.shape()[1];
    Tensor to(Dtype::kFloat32, {columns, rows});
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c)
        to.as<float>()[static_cast<size_t>(c * rows + r)] = from.as<float>()[static_cast<size_t>(r * columns + c)];
    }
    graph_.set_input(n, 1, graph_.add_constant(constant.name + "_transposed", Constant(std::move(to))));
    graph_.set_attribute(n, "transB", int64_t{0});
  }

  // --- one scale a block of inputs
  bool takes_blocks(const Node& node) const {
    return !node.is("ConvTranspose") && (is_matrix(node) || dialect_.engine != "tensorrt");
  }

  int64_t inputs_of(const Node& node) const {
    const Constant& w = *graph_.constant(node.inputs[1]);
    return w.elements() / w.shape()[static_cast<size_t>(channel_axis(graph_, node))];
  }

  // Of a matrix along its inputs; of filters along all that one channel takes, in rows that become filters again.
  Status put_blocks(StoredLayer& layer, int64_t block) {
    layer.weights = fmt::format("int4 in blocks of {}", block);
    if (dialect_.engine == "onnxruntime") untranspose(layer.node);
    const Node node = graph_.node(layer.node);
    ValueId& reals = reals_of(node.inputs[1], channel_axis(graph_, node));
    if (reals == kNoValue) {
      OREE_TRY_ASSIGN(reals, in_blocks(graph_, node, block, dialect_.engine == "onnxruntime" && !is_matrix(node)));
    }
    graph_.set_input(layer.node, 1, reals);
    return {};
  }

  // --- scales at run time
  // ONNX Runtime has no fast kernel that gives sums of groups; TFLite's of groups and of transposed filters are slow.
  bool multiplies_integers(const Node& node) const {
    if (node.is("ConvTranspose")) return false;
    if (node.is("Conv")) return node.integer("group", 1) == 1 && graph_.value(node.outputs[0]).dims.has_value();
    if (node.is("Gemm"))
      return node.integer("transA", 0) == 0 && node.real("alpha", 1) == 1 && node.real("beta", 1) == 1;
    return true;
  }

  Status put_hybrid(StoredLayer& layer) {
    OREE_TRY(put_by_channel(layer));
    graph_.set_attribute(layer.node, "tflite.hybrid", int64_t{1});
    layer.integer = true;
    return {};
  }

  Status put_dynamic(StoredLayer& layer) {
    const Node node = graph_.node(layer.node);
    if (node.input(2) != kNoValue && !bias_of(node)) {
      layer.because = "its bias is not one number a channel";
      return {};
    }
    OREE_TRY_ASSIGN(LayerWeights w, by_channel(node, weight_grid(graph_, node, dialect_)));
    if (node.input(2) != kNoValue) w.bias = *bias_of(node);
    put_products(graph_, layer.node, w, operand_of(node.inputs[0]));
    layer.weights = dtype_name(dialect_.weights.dtype);
    layer.integer = true;
    return {};
  }

  std::optional<std::vector<float>> bias_of(const Node& node) const {
    const Constant* bias = graph_.constant(node.inputs[2]);
    const int64_t channels = graph_.constant(node.inputs[1])->shape()[static_cast<size_t>(channel_axis(graph_, node))];
    if (bias == nullptr || bias->elements() != channels) return std::nullopt;
    std::vector<float> numbers;
    for (double b : bias->to_doubles()) numbers.push_back(static_cast<float>(b));
    return numbers;
  }

  // One DynamicQuantizeLinear serves all layers that take a value.
  ProductOperand operand_of(ValueId x) {
    auto known = dynamic_.find(x);
    if (known != dynamic_.end()) return known->second;
    const Value value = graph_.value(x);
    Node node;
    node.op = "DynamicQuantizeLinear";
    node.inputs = {x};
    ProductOperand out;
    out.integers = graph_.add_value(graph_.unique_name(value.name + "_quantized"), Dtype::kUint8, value.dims);
    out.scale = graph_.add_value(graph_.unique_name(value.name + "_scale"), Dtype::kFloat32, Dims{});
    out.zero_point = graph_.add_value(graph_.unique_name(value.name + "_zero_point"), Dtype::kUint8, Dims{});
    node.outputs = {out.integers, out.scale, out.zero_point};
    graph_.add_node(std::move(node));
    return dynamic_[x] = out;
  }

  // --- floats of 16 bits
  Status put_bfloat16(StoredLayer& layer) {
    layer.weights = "bfloat16";
    const Value constant = graph_.value(graph_.node(layer.node).inputs[1]);
    ValueId& reals = reals_of(graph_.node(layer.node).inputs[1], 0);
    if (reals == kNoValue) {
      const Tensor wide = constant.constant->to_tensor();
      OREE_TRY(check_finite(wide, constant.name));
      Tensor half(Dtype::kBfloat16, wide.shape());
      std::ranges::transform(wide.as<float>(), half.as<uint16_t>().begin(), to_bfloat16);
      ValueId packed = graph_.add_constant(constant.name + "_bf16", Constant(std::move(half)));
      reals = build(graph_, "Cast", {packed}, {{"to", kOnnxFloat}}, kMainBlock, constant.name + "_fp32");
    }
    graph_.set_input(layer.node, 1, reals);
    return {};
  }

  ValueId& reals_of(ValueId constant, int axis) {
    return stored_.try_emplace({constant, axis}, kNoValue).first->second;
  }

  Graph& graph_;
  const StoreOptions& options_;
  const Dialect& dialect_;
  std::vector<StoredLayer> layers_;
  std::map<std::pair<ValueId, int>, ValueId> stored_;  // by constant and axis: the reals made of it
  std::map<ValueId, ProductOperand> dynamic_;
};

// All constants, not those of layers alone.
Result<std::vector<StoredLayer>> store_float16(Graph& graph) {
  std::vector<StoredLayer> layers;
  for (NodeId n : graph.order()) {
    const Node& node = graph.node(n);
    if (is_layer(node) && graph.constant(node.input(1)) != nullptr)
      layers.push_back({n, node.outputs[0], false, "", ""});
  }
  OREE_TRY(to_float16_weights(graph));
  for (StoredLayer& layer : layers) {
    const bool stays = graph.constant(graph.node(layer.node).inputs[1]) != nullptr;
    (stays ? layer.because : layer.weights) = stays ? "few, or too large for 16 bits" : "float16";
  }
  return layers;
}

}  // namespace

Result<std::vector<StoredLayer>> store_weights(Graph& graph, const StoreOptions& options) {
  OREE_ASSERT(!calibrates(options.precision));
  if (options.precision == Precision::kFloat16) return store_float16(graph);
  return Storer(graph, options).run();
}

}  // namespace oree
