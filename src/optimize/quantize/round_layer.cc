// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/round_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

constexpr double kDampingByColumns = 0.1;  // times inputs a column

template <typename T>
std::vector<T> turned(std::span<const T> values, size_t rows, size_t columns) {
  std::vector<T> out(values.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c) out[c * rows + r] = values[r * columns + c];
  }
  return out;
}

}  // namespace

Result<std::vector<int32_t>> round_layer(const Graph& graph, NodeId id, const GramMatrix& gram,
                                         std::span<const float> scales, const WeightGrid& grid,
                                         const LayerRounding& how) {
  const Node& node = graph.node(id);
  const Constant* w = graph.constant(node.input(1));
  OREE_ASSERT(w != nullptr && !w->shape().empty());
  if (w->dtype() != Dtype::kFloat32)
    return Error(Code::kInvalid, fmt::format("weights: expected float32, found {}", dtype_name(w->dtype())));
  if (gram.columns() == 0) return Error(Code::kInvalid, fmt::format("{}: no input was seen", node.op));
  const Tensor tensor = w->to_tensor();
  std::span<const float> values = tensor.as<float>();
  auto bad = std::ranges::find_if(values, [](float x) { return !std::isfinite(x); });
  if (bad != values.end()) return Error(Code::kInvalid, fmt::format("weight {} is {}", bad - values.begin(), *bad));

  auto k = static_cast<size_t>(gram.k()), channels = values.size() / k;
  // Matrices lie [k][channels] unless they are turned.
  bool by_column = node.is("MatMul") || (node.is("Gemm") && node.integer("transB", 0) == 0);
  std::vector<float> rows = by_column ? turned(values, k, channels) : std::vector<float>(values.begin(), values.end());
  std::vector<float> scale_of(scales.begin(), scales.end());
  if (scale_of.size() == 1) scale_of.assign(channels, scales[0]);
  auto groups = static_cast<size_t>(gram.groups());
  OREE_ASSERT(scale_of.size() == channels && channels * k == values.size() && channels % groups == 0);

  // Of few columns the matrix says little more than the samples: the fewer, the less it is believed.
  RoundingOptions options = how.options;
  options.damping += kDampingByColumns * static_cast<double>(gram.k()) / static_cast<double>(gram.columns());
  if (grid.pair_axis >= 0) options.pair_distance = node.is("Conv") ? gram.k() / w->shape()[1] : 1;
  size_t a_group = channels / groups;
  std::vector<int32_t> integers;
  for (size_t g = 0; g < groups; ++g) {
    std::vector<int32_t> part =
        round_to_data(std::span(rows).subspan(g * a_group * k, a_group * k), static_cast<int64_t>(a_group), gram.k(),
                      gram.matrix(static_cast<int64_t>(g), how.bias_follows),
                      std::span(scale_of).subspan(g * a_group, a_group), grid.integers, options);
    integers.insert(integers.end(), part.begin(), part.end());
  }
  return by_column ? turned(std::span<const int32_t>(integers), channels, k) : integers;
}

}  // namespace oree
