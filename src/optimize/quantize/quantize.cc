// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "model/passes/passes.h"
#include "optimize/quantize/equalize.h"
#include "optimize/quantize/quantize_weights.h"
#include "optimize/quantize/quantizer.h"
#include "optimize/quantize/smooth.h"

namespace oree {

Result<IoType> io_of(const QuantizeOptions& options) {
  OREE_TRY_ASSIGN(Dialect dialect, dialect_for(options.engine, options.cpu));
  if (!options.io) return dialect.tflite && dialect.tail ? IoType::kInt8 : IoType::kFloat;
  if (!dialect.tflite && *options.io != IoType::kFloat) {
    return Error(Code::kUsage,
                 fmt::format("integer inputs and outputs (--io) are for tflite, edgetpu and tflm: ONNX has "
                             "no place for their scale and zero point, so {} takes and gives reals",
                             options.engine));
  }
  return *options.io;
}

double QuantizeReport::integer_share() const {
  return macs > 0 ? static_cast<double>(macs_integer) / static_cast<double>(macs) : 0;
}

namespace {

// x * Sigmoid(x): engines have kernels of integers for the two, none for the one.
int write_out_swish(Graph& graph) {
  int changed = 0;
  for (NodeId n : graph.order()) {
    const Node node = graph.node(n);
    if (!node.is("Swish") || node.real("alpha", 1) != 1) continue;
    const Value out = graph.value(node.outputs[0]);
    ValueId gate = graph.add("Sigmoid", {node.inputs[0]}, {}, node.block, out.name + "_gate");
    graph.set_type(gate, out.dtype, out.dims);
    graph.remove_node(n);
    Node product;
    product.op = "Mul";
    product.inputs = {node.inputs[0], gate};
    product.outputs = {node.outputs[0]};
    graph.add_node(std::move(product), node.block);
    ++changed;
  }
  graph.sweep();
  return changed;
}

}  // namespace

Status prepare_for_quantization(Model& model, const ConvertOptions& options) {
  if (is_quantized(model.graph)) {
    return Error(Code::kInvalid, "the model is quantized already; quantization starts from a float model");
  }
  OREE_TRY(prepare(model, options));
  write_out_swish(model.graph);
  OREE_TRY(fold_constants(model.graph, kModelBytesMax));  // weights stored as float16, too
  PassResult cleaned = clean(model.graph);
  return cleaned.ok() ? Status() : Status(cleaned.error());
}

namespace {

constexpr size_t kSamplesGlanced = 8;  // to see whether another graph is worth its time

// Those along the last axis, as matrices have their channels.
std::map<ValueId, std::vector<double>> sizes_for_matrices(const Graph& graph,
                                                          std::map<ValueId, std::vector<double>> sizes) {
  std::erase_if(sizes, [&](const auto& of) {
    return std::ranges::any_of(graph.value(of.first).users, [&](NodeId user) {
      return graph.node(user).is("Conv") || graph.node(user).is("ConvTranspose");
    });
  });
  return sizes;
}

double mean_noise(const QuantizeReport& report) {
  double sum = 0;
  for (const OutputReport& o : report.outputs) sum += std::pow(10, -o.mixed_db / 10);
  return sum;
}

// Other float graphs that compute the same; what is made of one is kept when it comes nearer.
class OtherGraphs {
 public:
  OtherGraphs(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options, const Dialect& dialect,
              Quantized& best)
      : files_(files), data_(data), options_(options), few_(options), dialect_(dialect), best_(best), graph_(graph) {
    few_.samples_max = std::min(options.samples_max, kSamplesGlanced);
    few_.progress = {};
  }

  Status attempt(const Graph& other, const char* name) {
    StepReport step{name, 1, false};
    // Few samples tell whether it is worth the time.
    if (before_.empty()) {
      OREE_TRY_ASSIGN(before_, first_noise(files_, graph_, data_, few_, dialect_));
    }
    Result<std::vector<Noise>> after = first_noise(files_, other, data_, few_, dialect_);
    if (!after.ok()) return after.error().within(name);
    step.noise_left = noise_left(*after, before_);
    if (step.noise_left >= 1) {
      best_.report.steps.push_back(step);
      return {};
    }
    Result<FirstQuantized> made = quantize_graph(files_, other, data_, options_, dialect_);
    if (!made.ok()) return made.error().within(name);
    Quantized& found = made->quantized;
    const double was = mean_noise(best_.report), is = mean_noise(found.report);
    step.noise_left = was > 0 ? is / was : 1;
    step.kept = is < was;
    if (step.kept) {
      found.report.steps.insert(found.report.steps.begin(), step);
      best_ = std::move(found);
    } else {
      best_.report.steps.push_back(step);
    }
    return {};
  }

 private:
  Files& files_;
  Dataset& data_;
  const QuantizeOptions& options_;
  QuantizeOptions few_;
  const Dialect& dialect_;
  Quantized& best_;
  const Graph& graph_;
  std::vector<Noise> before_;
};

}  // namespace

Result<Quantized> quantize(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options) {
  if (!calibrates(options.precision)) return quantize_weights(files, graph, data, options);
  OREE_TRY_ASSIGN(Dialect dialect, dialect_for(options.engine, options.cpu, options.precision));
  OREE_TRY_ASSIGN(FirstQuantized first, quantize_graph(files, graph, data, options, dialect));
  Quantized& best = first.quantized;
  if (!options.thorough) return std::move(best);
  OtherGraphs others(files, graph, data, options, dialect, best);
  Graph equalized = graph;
  OREE_TRY_ASSIGN(int pairs, equalize(equalized));
  if (pairs > 0) OREE_TRY(others.attempt(equalized, "channels equalized across layers"));
  Graph smoothed = graph;
  OREE_TRY_ASSIGN(int values, smooth(smoothed, sizes_for_matrices(graph, first.channel_sizes)));
  if (values > 0) OREE_TRY(others.attempt(smoothed, "outliers shared with the weights"));
  return std::move(best);
}

}  // namespace oree
