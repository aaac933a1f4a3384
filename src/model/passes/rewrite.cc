// SPDX-License-Identifier: Apache-2.0
#include "model/passes/rewrite.h"

#include <algorithm>
#include <cstring>

namespace oree {

const Node* made_by(const Graph& graph, ValueId value, std::string_view op) {
  if (value == kNoValue) return nullptr;
  NodeId producer = graph.value(value).producer;
  if (producer == kNoNode || !graph.node(producer).is(op)) return nullptr;
  return &graph.node(producer);
}

std::optional<int64_t> positive_axis(int64_t axis, size_t rank) {
  auto n = static_cast<int64_t>(rank);
  if (axis < -n || axis >= n) return std::nullopt;
  return axis < 0 ? axis + n : axis;
}

std::optional<size_t> rank_of(const Graph& graph, ValueId value) {
  if (value == kNoValue || !graph.value(value).dims) return std::nullopt;
  return graph.value(value).dims->size();
}

std::optional<std::vector<int64_t>> constant_ints(const Graph& graph, ValueId value) {
  const Constant* c = graph.constant(value);
  if (!c || dtype_is_float(c->dtype())) return std::nullopt;
  return c->to_ints();
}

std::optional<double> constant_scalar(const Graph& graph, ValueId value) {
  const Constant* c = graph.constant(value);
  if (!c || c->elements() != 1) return std::nullopt;
  return c->to_doubles()[0];
}

std::optional<Permutation> transpose_permutation(const Graph& graph, const Node& node) {
  std::optional<size_t> rank = rank_of(graph, node.input(0));
  if (!rank) return std::nullopt;
  Permutation perm = node.integers("perm");
  if (perm.empty()) {
    perm = identity_permutation(*rank);
    std::ranges::reverse(perm);
  }
  if (perm.size() != *rank || !is_permutation(perm)) return std::nullopt;
  return perm;
}

ValueId put_node(Graph& graph, Node node, std::string_view name, Dtype dtype, const std::optional<Dims>& dims) {
  const ValueId made = graph.add_value(graph.unique_name(name), dtype, dims);
  node.outputs = {made};
  graph.add_node(std::move(node));
  return made;
}

bool bypass(Graph& graph, ValueId from, ValueId to) {
  if (graph.is_output(from) && (graph.value(to).producer == kNoNode || graph.is_output(to))) return false;
  graph.replace_keeping_name(from, to);
  return true;
}

bool same_quantization(const Graph& graph, ValueId a, ValueId b) {
  return graph.value(a).quantization == graph.value(b).quantization;
}

std::pair<int64_t, int64_t> same_pads(int64_t size, int64_t reach, int64_t stride) {
  int64_t steps = (size + stride - 1) / stride;
  int64_t total = std::max<int64_t>((steps - 1) * stride + reach - size, 0);
  return {total / 2, total - total / 2};
}

bool pads_are_same(const Graph& graph, const Node& node) {
  const std::string mode = node.text("auto_pad", "NOTSET");
  if (mode != "NOTSET") return mode != "SAME_LOWER";
  const std::vector<int64_t> pads = node.integers("pads"), kernel = node.integers("kernel_shape");
  std::vector<int64_t> strides = node.integers("strides");
  const bool ceil = node.integer("ceil_mode", 0) != 0;
  if (!ceil && std::ranges::all_of(pads, [](int64_t p) { return p == 0; })) return true;
  const std::optional<Dims>& dims = graph.value(node.inputs[0]).dims;
  const size_t n = kernel.size();
  if (strides.empty()) strides.assign(n, 1);
  if (ceil || !dims || dims->size() != n + 2 || pads.size() != 2 * n || strides.size() != n) return false;
  for (size_t i = 0; i < n; ++i) {
    const Dim& size = (*dims)[i + 2];
    if (!size.known() || strides[i] < 1) return false;
    if (std::pair(pads[i], pads[n + i]) != same_pads(size.size, kernel[i], strides[i])) return false;
  }
  return true;
}

bool only_reshapes(const Node& node) {
  return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
}

bool multiplies_rows(const Graph& graph, const Node& node) {
  const Constant* matrix = node.is("MatMul") ? graph.constant(node.inputs[1]) : nullptr;
  return matrix != nullptr && matrix->shape().size() == 2;
}

std::optional<std::vector<int64_t>> reshape_target(const Graph& graph, ValueId value) {
  const std::optional<Dims>& dims = graph.value(value).dims;
  if (!dims) return std::nullopt;
  Shape shape = to_shape(*dims);
  // -1 beside a 0 would be ambiguous, and a 0 means "as it was".
  if (std::ranges::count(shape, -1) > 1 || std::ranges::count(shape, 0) > 0) return std::nullopt;
  return shape;
}

namespace {

Tensor transposed_tensor(const Tensor& in, const Permutation& perm) {
  Shape shape = permuted(in.shape(), perm);
  size_t size = dtype_size(in.dtype()), rank = perm.size();
  Tensor out(in.dtype(), shape);
  std::vector<int64_t> stride(rank, 1);
  for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * in.shape()[i];
  std::vector<int64_t> step = permuted(stride, perm), at(rank, 0);
  int64_t from = 0;
  for (int64_t i = 0; i < out.elements(); ++i) {
    std::memcpy(out.data() + static_cast<size_t>(i) * size, in.data() + static_cast<size_t>(from) * size, size);
    for (size_t axis = rank; axis-- > 0;) {
      from += step[axis];
      if (++at[axis] < shape[axis]) break;
      from -= step[axis] * shape[axis];
      at[axis] = 0;
    }
  }
  return out;
}

}  // namespace

std::optional<Quantization> transposed_quantization(std::optional<Quantization> q, const Permutation& perm) {
  if (q && q->per_axis()) q->axis = static_cast<int>(inverse(perm)[static_cast<size_t>(q->axis)]);
  return q;
}

ValueId transposed(Graph& graph, ValueId value, const Permutation& perm, BlockId block) {
  if (is_identity(perm)) return value;
  std::optional<Quantization> q = transposed_quantization(graph.value(value).quantization, perm);
  const std::string name = graph.value(value).name;  // a copy: adding values moves the others
  const Constant* constant = graph.constant(value);
  if (constant && dtype_bits(constant->dtype()) >= 8) {
    ValueId out = graph.add_constant(name, Constant(transposed_tensor(constant->to_tensor(), perm)));
    graph.set_quantization(out, std::move(q));
    return out;
  }
  if (const Node* before = made_by(graph, value, "Transpose")) {
    std::optional<Permutation> first = transpose_permutation(graph, *before);
    if (first) return transposed(graph, before->inputs[0], then(*first, perm), block);
  }
  for (NodeId user : graph.value(value).users) {  // somebody may have wanted the same before
    const Node& twin = graph.node(user);
    if (twin.block == block && twin.is("Transpose") && transpose_permutation(graph, twin) == perm &&
        graph.value(twin.outputs[0]).quantization == q)
      return twin.outputs[0];
  }
  ValueId out = build(graph, "Transpose", {value}, {{"perm", perm}}, block, name);
  graph.set_quantization(out, std::move(q));
  return out;
}

void put_transpose(Graph& graph, ValueId from, const Permutation& perm, ValueId to, BlockId block) {
  Node node;
  node.op = "Transpose";
  node.inputs = {from};
  node.attributes.emplace("perm", perm);
  node.outputs = {to};
  graph.add_node(std::move(node), block);
}

int64_t transposition_cost(const Graph& graph, ValueId value, const Permutation& perm) {
  if (graph.value(value).is_constant()) return 0;
  return layout_cost(graph, value, identity_permutation(perm.size()), perm);
}

int64_t layout_cost(const Graph& graph, ValueId value, const Permutation& layout, const Permutation& perm) {
  const Value& v = graph.value(value);
  if (is_identity(perm)) return 0;
  if (!v.dims || moves_nothing(perm, permuted(*v.dims, layout))) return 1;
  int64_t elements = 1;
  for (const Dim& d : *v.dims) {
    elements = std::min(elements * (d.known() ? std::max<int64_t>(d.size, 1) : 8), int64_t{1} << 40);
  }
  return elements + 1;
}

}  // namespace oree
