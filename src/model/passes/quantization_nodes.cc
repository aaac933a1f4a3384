// SPDX-License-Identifier: Apache-2.0
#include "model/passes/quantization_nodes.h"

#include <algorithm>

namespace oree {
namespace {

Tensor zero_points(const Quantization& q, Dtype dtype) {
  Shape shape = q.per_axis() ? Shape{static_cast<int64_t>(q.zero_points.size())} : Shape{};
  Tensor out(dtype, std::move(shape));
  for (size_t i = 0; i < q.zero_points.size(); ++i) {
    auto low = static_cast<uint8_t>(q.zero_points[i]);
    switch (dtype_bits(dtype)) {
      case 4: out.data()[i / 2] |= static_cast<uint8_t>((low & 15) << (i % 2 * 4)); break;
      case 8: out.data()[i] = low; break;
      case 16: {
        out.data()[2 * i] = low;
        out.data()[2 * i + 1] = static_cast<uint8_t>(static_cast<uint64_t>(q.zero_points[i]) >> 8);
        break;
      }
      default: OREE_ASSERT(q.zero_points[i] == 0);
    }
  }
  return out;
}

// `q` is a copy: values of the graph move while constants are added.
Node with_parameters(Graph& graph, std::string_view op, ValueId data, const Quantization q, Dtype dtype) {
  Node node;
  node.op = op;
  std::string name = graph.value(data).name;
  Shape shape = q.per_axis() ? Shape{static_cast<int64_t>(q.scales.size())} : Shape{};
  ValueId scale = graph.add_constant(name + "_scale", Constant::of_floats(q.scales, shape));
  ValueId zero = graph.add_constant(name + "_zero_point", Constant(zero_points(q, dtype)));
  node.inputs = {data, scale, zero};
  if (q.per_axis()) node.attributes.emplace("axis", int64_t{q.axis});
  return node;
}

}  // namespace

bool quantizes_to(Dtype dtype) {
  switch (dtype) {
    case Dtype::kInt4:
    case Dtype::kUint4:
    case Dtype::kInt8:
    case Dtype::kUint8:
    case Dtype::kInt16:
    case Dtype::kUint16: return true;
    default: return false;
  }
}

Node quantize_node(Graph& graph, ValueId reals, Quantization q, Dtype dtype) {
  return with_parameters(graph, "QuantizeLinear", reals, std::move(q), dtype);
}

Node dequantize_node(Graph& graph, ValueId integers, Quantization q, Dtype dtype) {
  return with_parameters(graph, "DequantizeLinear", integers, std::move(q), dtype);
}

std::optional<Quantization> parameters_of(const Graph& graph, const Node& node) {
  const Constant* scale = graph.constant(node.input(1));
  const Constant* zero = graph.constant(node.input(2));
  if (scale == nullptr || scale->dtype() != Dtype::kFloat32 || node.integer("block_size", 0) != 0) return std::nullopt;
  if (node.input(2) != kNoValue && (zero == nullptr || dtype_is_float(zero->dtype()))) return std::nullopt;
  if (node.integer("saturate", 1) == 0 || scale->elements() < 1) return std::nullopt;
  Quantization q;
  for (double s : scale->to_doubles()) q.scales.push_back(static_cast<float>(s));
  q.zero_points.assign(q.scales.size(), 0);
  if (zero != nullptr) q.zero_points = zero->to_ints();
  if (q.zero_points.size() == 1) q.zero_points.assign(q.scales.size(), q.zero_points[0]);
  if (q.zero_points.size() != q.scales.size()) return std::nullopt;
  if (q.scales.size() == 1) return q;
  std::optional<size_t> rank = rank_of(graph, node.input(0));
  std::optional<int64_t> axis = rank ? positive_axis(node.integer("axis", 1), *rank) : std::nullopt;
  if (!axis) return std::nullopt;
  q.axis = static_cast<int>(*axis);
  return q;
}

bool same_parameters(const Graph& graph, const Node& a, const Node& b) {
  std::optional<Quantization> p = parameters_of(graph, a), q = parameters_of(graph, b);
  if (!p || p != q) return false;
  const Constant *y = graph.constant(a.input(2)), *z = graph.constant(b.input(2));
  return (y ? y->dtype() : Dtype::kUint8) == (z ? z->dtype() : Dtype::kUint8);
}

Quantization sum_quantization(const Quantization& x, const Quantization& weights) {
  Quantization q = weights;
  for (float& s : q.scales) s *= x.scales[0];
  q.zero_points.assign(q.scales.size(), 0);
  q.axis = weights.per_axis() ? 0 : -1;
  return q;
}

}  // namespace oree
