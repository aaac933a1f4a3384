// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/weights_only.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/passes/quantization_nodes.h"
#include "model/passes/rewrite.h"
#include "optimize/quantize/integer_products.h"

namespace oree {
namespace {

constexpr int64_t kOnnxFloat = 1, kBlockMost = 64, kBlockLeast = 16;

bool is_layer(const Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul");
}
bool is_matrix(const Node& node) { return node.is("Gemm") || node.is("MatMul"); }

// How many inputs share a scale of 4 bits. Engines have kernels for powers of two; 0: nothing divides them well.
int64_t block_for(int64_t inputs) {
  for (int64_t block : {32, 16, 64, 128}) {
    if (inputs % block == 0) return block;
  }
  for (int64_t block = std::min(inputs, kBlockMost); block >= kBlockLeast; --block) {
    if (inputs % block == 0) return block;
  }
  return 0;
}

uint16_t to_bfloat16(float real) {
  const auto bits = std::bit_cast<uint32_t>(real);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
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
    if (options_.precision == Precision::kBfloat16) {
      put_bfloat16(layer);
      return {};
    }
    const Node& node = graph_.node(layer.node);
    const bool four = options_.precision == Precision::kWeightsInt4;
    if (options_.precision == Precision::kDynamic && multiplies_integers(node))
      return dialect_.tflite ? put_hybrid(layer, symmetric_int8_grid()) : put_dynamic(layer);
    if (four && dialect_.tflite && multiplies_integers(node)) return put_hybrid(layer, symmetric_int4_grid());
    if (four && !dialect_.tflite && takes_blocks(node)) {
      if (int64_t block = block_for(inputs_of(node)); block > 0) return put_blocks(layer, block);
    }
    return put_by_channel(layer, symmetric_int8_grid());
  }

  // --- one scale a channel
  Result<LayerWeights> by_channel(const Node& node, const WeightGrid& grid) const {
    const Tensor tensor = graph_.constant(node.inputs[1])->to_tensor();
    LayerWeights w;
    w.axis = channel_axis(graph_, node);
    // A grouped transposed convolution has its channels on no axis alone.
    if (node.is("ConvTranspose") && node.integer("group", 1) != 1) w.axis = -1;
    const WeightScale how = dtype_bits(grid.integers.dtype) == 4 ? WeightScale::kMse : options_.weight_scale;
    Result<std::vector<float>> scales = weight_scales(tensor.as<float>(), tensor.shape(), w.axis, grid, how);
    if (!scales.ok()) return scales.error().within(graph_.value(node.inputs[1]).name);
    w.scales = std::move(*scales);
    w.integers = quantize_weights(tensor.as<float>(), tensor.shape(), w.axis, w.scales, grid);
    return w;
  }

  Status put_by_channel(StoredLayer& layer, const IntegerGrid& grid) {
    layer.weights = dtype_name(grid.dtype);
    if (dialect_.engine == "onnxruntime") untranspose(layer.node);
    const Node node = graph_.node(layer.node);
    ValueId& reals = reals_of(node.inputs[1], channel_axis(graph_, node));
    if (reals == kNoValue) {
      OREE_TRY_ASSIGN(LayerWeights w, by_channel(node, grid));
      const Value constant = graph_.value(node.inputs[1]);
      ValueId packed = graph_.add_constant(constant.name + "_quantized",
                                           pack_integers(w.integers, constant.constant->shape(), grid.dtype));
      reals = dialect_.engine == "onnxruntime" && !is_matrix(node) ? multiplied(packed, w, constant)
                                                                   : dequantized(packed, w, constant, grid.dtype);
    }
    graph_.set_input(layer.node, 1, reals);
    return {};
  }

  ValueId dequantized(ValueId packed, const LayerWeights& w, const Value& constant, Dtype dtype) {
    Quantization q{w.scales, std::vector<int64_t>(w.scales.size(), 0), w.axis};
    Node node = dequantize_node(graph_, packed, q, dtype);
    if (dialect_.tflite) node.attributes.emplace("tflite.stored", int64_t{1});
    ValueId out = graph_.add_value(graph_.unique_name(constant.name + "_dequantized"), Dtype::kFloat32, constant.dims);
    node.outputs = {out};
    graph_.add_node(std::move(node));
    return out;
  }

  // Cast and Mul.
  ValueId multiplied(ValueId packed, const LayerWeights& w, const Value& constant) {
    Shape shape(constant.constant->shape().size(), 1);
    if (w.axis >= 0) shape[static_cast<size_t>(w.axis)] = static_cast<int64_t>(w.scales.size());
    return multiplied(packed, graph_.add_constant(constant.name + "_scale", Constant::of_floats(w.scales, shape)),
                      constant.name);
  }
  ValueId multiplied(ValueId packed, ValueId scales, const std::string& name) {
    ValueId reals = build(graph_, "Cast", {packed}, {{"to", kOnnxFloat}}, kMainBlock, name + "_cast");
    return build(graph_, "Mul", {reals, scales}, {}, kMainBlock, name + "_dequantized");
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
      OREE_TRY_ASSIGN(reals, blocks_of(node, block));
    }
    graph_.set_input(layer.node, 1, reals);
    return {};
  }

  Result<ValueId> blocks_of(const Node& node, int64_t block) {
    const Value constant = graph_.value(node.inputs[1]);
    const Shape shape = constant.constant->shape();
    // Rows of inputs: of a matrix with its channels last, the other way round.
    const bool columns = is_matrix(node) && channel_axis(graph_, node) == 1;
    const int64_t channels = shape[columns ? 1 : 0], inputs = constant.constant->elements() / channels,
                  count = inputs / block;
    const Tensor tensor = constant.constant->to_tensor();
    std::vector<float> rows(tensor.as<float>().begin(), tensor.as<float>().end());
    auto place = [&](int64_t c, int64_t i) { return static_cast<size_t>(columns ? i * channels + c : c * inputs + i); };
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < inputs; ++i) rows[static_cast<size_t>(c * inputs + i)] = tensor.as<float>()[place(c, i)];
    }
    const IntegerGrid grid = symmetric_int4_grid();
    const Shape blocked{channels * count, block};
    Result<std::vector<float>> scales = weight_scales(rows, blocked, 0, grid, WeightScale::kMse);
    if (!scales.ok()) return scales.error().within(constant.name);
    const std::vector<int32_t> by_row = quantize_weights(rows, blocked, 0, *scales, grid);
    std::vector<int32_t> integers(by_row.size());
    std::vector<float> placed(scales->size());
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < inputs; ++i) integers[place(c, i)] = by_row[static_cast<size_t>(c * inputs + i)];
      for (int64_t b = 0; b < count; ++b)
        placed[static_cast<size_t>(columns ? b * channels + c : c * count + b)] =
            (*scales)[static_cast<size_t>(c * count + b)];
    }
    if (!is_matrix(node) && dialect_.engine == "onnxruntime") {
      ValueId packed = graph_.add_constant(constant.name + "_quantized",
                                           pack_integers(integers, {channels, count, block}, Dtype::kInt4));
      ValueId by = graph_.add_constant(constant.name + "_scale", Constant::of_floats(placed, {channels, count, 1}));
      return filters(multiplied(packed, by, constant.name), constant);
    }
    ValueId packed = graph_.add_constant(
        constant.name + "_quantized", pack_integers(integers, columns ? shape : Shape{channels, inputs}, Dtype::kInt4));
    ValueId by =
        graph_.add_constant(constant.name + "_scale",
                            Constant::of_floats(placed, columns ? Shape{count, channels} : Shape{channels, count}));
    ValueId reals =
        build(graph_, "DequantizeLinear", {packed, by}, {{"axis", int64_t{columns ? 0 : 1}}, {"block_size", block}},
              kMainBlock, constant.name + "_dequantized");
    return is_matrix(node) ? reals : filters(reals, constant);
  }

  ValueId filters(ValueId rows, const Value& constant) {
    ValueId shape = graph_.add_constant(constant.name + "_shape", Constant::vector(constant.constant->shape()));
    return build(graph_, "Reshape", {rows, shape}, {}, kMainBlock, constant.name + "_filters");
  }

  // --- scales at run time
  // ONNX Runtime has no fast kernel that gives sums of groups; TFLite's of groups and of transposed filters take no 4
  // bits, and of 8 some are slow.
  bool multiplies_integers(const Node& node) const {
    if (node.is("ConvTranspose")) return false;
    if (node.is("Conv")) return node.integer("group", 1) == 1 && graph_.value(node.outputs[0]).dims.has_value();
    if (node.is("Gemm"))
      return node.integer("transA", 0) == 0 && node.real("alpha", 1) == 1 && node.real("beta", 1) == 1;
    return true;
  }

  Status put_hybrid(StoredLayer& layer, const IntegerGrid& grid) {
    OREE_TRY(put_by_channel(layer, grid));
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
    put_products(graph_, layer.node, w, operand_of(node.inputs[0]), dialect_.weights.dtype);
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
  void put_bfloat16(StoredLayer& layer) {
    layer.weights = "bfloat16";
    const Value constant = graph_.value(graph_.node(layer.node).inputs[1]);
    ValueId& reals = reals_of(graph_.node(layer.node).inputs[1], 0);
    if (reals == kNoValue) {
      const Tensor wide = constant.constant->to_tensor();
      Tensor half(Dtype::kBfloat16, wide.shape());
      std::ranges::transform(wide.as<float>(), half.as<uint16_t>().begin(), to_bfloat16);
      ValueId packed = graph_.add_constant(constant.name + "_bf16", Constant(std::move(half)));
      reals = build(graph_, "Cast", {packed}, {{"to", kOnnxFloat}}, kMainBlock, constant.name + "_fp32");
    }
    graph_.set_input(layer.node, 1, reals);
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
