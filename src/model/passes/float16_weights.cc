// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

constexpr int64_t kElementsMin = 64;  // smaller ones save nothing and are often an epsilon that float16 would lose

// Nothing when a value would become infinite: such a constant stays float32.
std::optional<Constant> halved(const Constant& c) {
  Tensor wide = c.to_tensor();
  Tensor half(Dtype::kFloat16, c.shape());
  std::span<const float> from = std::as_const(wide).as<float>();
  std::span<uint16_t> to = half.as<uint16_t>();
  for (size_t i = 0; i < from.size(); ++i) {
    to[i] = float_to_half(from[i]);
    if (std::isinf(half_to_float(to[i])) && !std::isinf(from[i])) return std::nullopt;
  }
  return Constant(std::move(half));
}

}  // namespace

PassResult to_float16_weights(Graph& graph) {
  constexpr int64_t kOnnxFloat = 1;  // TensorProto.FLOAT, Cast's `to`
  int changed = 0;
  auto count = static_cast<ValueId>(graph.value_count());
  for (ValueId v = 0; v < count; ++v) {
    const Constant* c = graph.constant(v);
    if (!c || c->dtype() != Dtype::kFloat32 || c->elements() < kElementsMin || graph.value(v).users.empty() ||
        graph.is_output(v))
      continue;
    std::optional<Constant> half = halved(*c);
    if (!half) continue;
    ValueId stored = graph.add_constant(graph.value(v).name + "_fp16", std::move(*half));
    ValueId wide = build(graph, "Cast", {stored}, {{"to", kOnnxFloat}}, kMainBlock, graph.value(v).name + "_fp32");
    graph.replace(v, wide);
    ++changed;
  }
  return changed;
}

}  // namespace oree
