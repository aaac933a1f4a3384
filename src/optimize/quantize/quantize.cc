// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
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

constexpr size_t kSamplesGlanced = 8;  // to see whether another graph is worth its time
constexpr double kNoiseWorth = 0.9;    // half a decibel less of it

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

double total_noise(const QuantizeReport& report) {
  double sum = 0;
  for (const OutputReport& o : report.outputs) sum += std::pow(10, -o.mixed_db / 10);
  return sum;
}

// That a bound on the drop put in float.
size_t layers_float(const QuantizeReport& report) {
  return report.drops.empty() ? 0 : report.drops.back().layers_float;
}

// Other float graphs that compute the same; what is made of one is kept when it comes nearer.
class OtherGraphs {
 public:
  OtherGraphs(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options, const Dialect& dialect)
      : files_(files), data_(data), options_(options), few_(options), dialect_(dialect), graph_(graph) {
    few_.samples_max = std::min(options.samples_max, kSamplesGlanced);
    few_.progress = {};
  }

  // Few samples tell whether it is worth the time: what it leaves of the noise.
  Result<double> glance(const Graph& other) {
    if (before_.empty()) {
      OREE_TRY_ASSIGN(before_, first_noise(files_, graph_, data_, few_, dialect_));
    }
    OREE_TRY_ASSIGN(const std::vector<Noise> after, first_noise(files_, other, data_, few_, dialect_));
    return noise_left(after, before_);
  }

  Status attempt(const Graph& other, const Result<double>& glanced, const char* name, Quantized& best) {
    StepReport step{name, 1, false};
    const Status tried = attempt(other, glanced, step, best);
    // What is there already is good without it; only a machine that is at its end ends the whole.
    if (!tried.ok() && tried.error().code() == Code::kExhausted) return tried;
    steps_.push_back(step);
    return {};
  }

  void report(Quantized& best) const {
    best.report.steps.insert(best.report.steps.begin(), steps_.begin(), steps_.end());
  }

 private:
  Status attempt(const Graph& other, const Result<double>& glanced, StepReport& step, Quantized& best) const {
    OREE_TRY_ASSIGN(step.noise_left, glanced);
    if (step.noise_left > kNoiseWorth) return {};
    OREE_TRY_ASSIGN(FirstQuantized made, quantize_graph(files_, other, data_, options_, dialect_));
    QuantizeReport &found = made.quantized.report, &was = best.report;
    step.noise_left = total_noise(was) > 0 ? total_noise(found) / total_noise(was) : 1;
    const size_t more = layers_float(found), before = layers_float(was);
    step.kept = more != before ? more < before : step.noise_left < 1;
    if (step.kept) best = std::move(made.quantized);
    return {};
  }

  Files& files_;
  Dataset& data_;
  const QuantizeOptions& options_;
  QuantizeOptions few_;
  const Dialect& dialect_;
  const Graph& graph_;
  std::vector<Noise> before_;
  std::vector<StepReport> steps_;
};

}  // namespace

Result<Quantized> quantize(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options) {
  if (!calibrates(options.precision)) return quantize_weights(files, graph, data, options);
  OREE_TRY_ASSIGN(Dialect dialect, dialect_for(options.engine, options.cpu, options.precision));
  Graph equalized = graph;
  int pairs = 0;
  if (options.thorough) {
    OREE_TRY_ASSIGN(pairs, equalize(equalized));
  }
  OtherGraphs others(files, graph, data, options, dialect);
  Result<double> glanced = 1.0;
  std::function<Status()> glance;
  if (pairs > 0) {
    glance = [&] {
      glanced = others.glance(equalized);
      return Status();
    };
  }
  OREE_TRY_ASSIGN(FirstQuantized first, quantize_graph(files, graph, data, options, dialect, glance));
  Quantized& best = first.quantized;
  if (!options.thorough) return std::move(best);
  if (pairs > 0) OREE_TRY(others.attempt(equalized, glanced, "channels equalized across layers", best));
  Graph smoothed = graph;
  OREE_TRY_ASSIGN(const int values, smooth(smoothed, sizes_for_matrices(graph, first.channel_sizes)));
  if (values > 0) OREE_TRY(others.attempt(smoothed, others.glance(smoothed), "outliers shared with the weights", best));
  others.report(best);
  return std::move(best);
}

}  // namespace oree
