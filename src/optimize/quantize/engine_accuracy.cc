// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/engine_accuracy.h"

#include <fmt/format.h>

#include <cmath>

#include "model/runtime/registry.h"

namespace oree {

std::string stand_in(const std::string& engine) {
  if (engine == "edgetpu" || engine == "tflm") return "tflite";
  return engine == "tensorrt" ? "onnxruntime" : engine;
}

Result<EngineAccuracy> measure_in_engine(Files& files, const Graph& graph, const Graph& quantized, const Plan& plan,
                                         const std::vector<NamedTensors>& samples, CompareOptions options) {
  EngineAccuracy out;
  out.engine = stand_in(plan.dialect.engine);
  const RuntimeInfo info = backend(out.engine).info();
  if (!info.available) {
    out.not_run = fmt::format("{} is not on this machine", out.engine);
    return out;
  }
  // What stands in for another engine shall not add its own kernels' saturation.
  if (out.engine == "onnxruntime" && plan.dialect.engine != out.engine) options.fused &= exact_here(plan.dialect);
  std::vector<ValueId> first, second;
  for (const Compared& c : compared_values(graph)) {
    first.push_back(c.value);
    second.push_back(c.in(quantized));
  }
  const size_t outputs = first.size();
  std::vector<NodeId> nodes;
  for (const LayerPlace& layer : plan.placement.layers) {
    // The value that the quantized graph's other layers take: behind its rounding, where there is one.
    const Value& real = quantized.value(layer.result);
    if (layer.role == Role::kMoves || graph.node(layer.node).outputs.size() != 1 || real.constant) continue;
    if (real.producer == kNoNode) continue;
    nodes.push_back(layer.node);
    first.push_back(layer.result);
    second.push_back(layer.result);
  }
  Result<std::vector<Noise>> found =
      compare_graphs(files, graph, first, quantized, second, samples, options, out.engine);
  if (!found.ok()) {
    if (found.error().code() == Code::kExhausted) return found.error();
    out.refused = found.error();
    return out;
  }
  for (size_t i = 0; i < outputs; ++i) {
    if (std::isfinite((*found)[i].noise)) continue;
    out.refused = Error(Code::kUnsupported,
                        fmt::format("'{}' comes out as NaN or infinite there", quantized.value(second[i]).name));
    return out;
  }
  out.outputs.assign(found->begin(), found->begin() + static_cast<ptrdiff_t>(outputs));
  for (size_t i = 0; i < nodes.size(); ++i) out.layers.emplace_back(nodes[i], (*found)[outputs + i]);
  return out;
}

}  // namespace oree
