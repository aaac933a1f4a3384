// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/other_graphs.h"

#include <algorithm>
#include <cmath>

#include "core/base/parallel.h"
#include "optimize/quantize/level.h"

namespace oree {
namespace {

constexpr size_t kSamplesGlanced = 8;  // to see whether another graph is worth its time
constexpr size_t kSamplesChanged = 4;  // others, on which it must compute what it did
constexpr double kNoiseWorth = 0.9;    // half a decibel less of it: worth a whole run beside
constexpr double kNoiseLevelled = 0.95;

double total_noise(const QuantizeReport& report) {
  double sum = 0;
  for (const OutputReport& o : report.outputs) sum += std::pow(10, -o.mixed_db / 10);
  return sum;
}

// That a bound on the drop put in float.
size_t layers_float(const QuantizeReport& report) {
  return report.drops.empty() ? 0 : report.drops.back().layers_float;
}

}  // namespace

OtherGraphs::OtherGraphs(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options,
                         const Dialect& dialect)
    : files_(files), data_(data), options_(options), few_(options), dialect_(dialect), graph_(graph) {
  few_.samples_max = std::min(options.samples_max, kSamplesGlanced);
  few_.progress = {};
}

Result<bool> OtherGraphs::try_level() {
  // Of 16 bits the steps are fine enough, and weights are what costs.
  if (dtype_bits(dialect_.activations.dtype) != 8 || levelled_values(graph_).empty()) return false;
  StepReport step{"channels brought to like size", 1, false};
  Graph levelled = graph_;
  const Result<double> noise = level_left(levelled);
  // What is wrong with the samples the calibration says.
  if (!noise.ok() && noise.error().code() == Code::kExhausted) return noise.error();
  if (!noise.ok()) return false;
  step.noise_left = *noise;
  step.kept = *noise < kNoiseLevelled;
  if (step.kept) levelled_ = std::move(levelled);
  steps_.push_back(step);
  return step.kept;
}

// What it leaves of the noise, that of weights left out: they are rounded for what they give yet.
Result<double> OtherGraphs::level_left(Graph& levelled) const {
  OREE_TRY_ASSIGN(const FirstLook before, look(levelled, false));
  OREE_TRY_ASSIGN(const int groups, level(levelled, before.channel_sizes));
  if (groups == 0) return 1.0;
  FirstLook after;
  std::vector<Noise> changed;
  const std::vector<NamedTensors> samples = other_samples();  // a data set is read by one thread at a time
  OREE_TRY(each_in_parallel(2, options_.threads, [&](size_t i) -> Status {
    if (i == 0) {
      OREE_TRY_ASSIGN(after, look(levelled, false));
    } else {
      OREE_TRY_ASSIGN(changed, change(levelled, samples));
    }
    return {};
  }));
  for (size_t i = 0; i < changed.size(); ++i) after.noise[i].noise += changed[i].ratio() * after.noise[i].signal;
  return noise_left(after.noise, before.noise);
}

// Whose channels' sizes were not looked at.
std::vector<NamedTensors> OtherGraphs::other_samples() const {
  const size_t count = std::min(data_.size(), options_.samples_max);
  const std::vector<size_t> seen = spread_indices(data_.size(), std::min(count, kSamplesGlanced));
  std::vector<NamedTensors> samples;
  for (size_t i : spread_indices(data_.size(), std::min(count, 2 * kSamplesGlanced + 1))) {
    if (samples.size() == kSamplesChanged) break;
    if (std::ranges::find(seen, i) != seen.end()) continue;
    if (Result<Sample> sample = data_.read(i); sample.ok()) samples.push_back(std::move(sample->inputs));
  }
  return samples;
}

// In float.
Result<std::vector<Noise>> OtherGraphs::change(const Graph& levelled, const std::vector<NamedTensors>& samples) const {
  const CompareOptions how{1, options_.scratch};
  OREE_TRY_ASSIGN(const OutputReference reference, OutputReference::make(files_, graph_, samples, how));
  return reference.compare(files_, levelled, how);
}

Result<double> OtherGraphs::glance(const Graph& other) {
  if (!before_) {
    OREE_TRY_ASSIGN(before_, look(base(), true));
  }
  OREE_TRY_ASSIGN(const FirstLook after, look(other, true));
  return noise_left(after.noise, before_->noise);
}

Status OtherGraphs::attempt(const Graph& other, const Result<double>& glanced, const char* name, Quantized& best) {
  StepReport step{name, 1, false};
  const Status tried = attempt(other, glanced, step, best);
  // What is there already is good without it; only a machine that is at its end ends the whole.
  if (!tried.ok() && tried.error().code() == Code::kExhausted) return tried;
  steps_.push_back(step);
  return {};
}

Status OtherGraphs::attempt(const Graph& other, const Result<double>& glanced, StepReport& step,
                            Quantized& best) const {
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

void OtherGraphs::report(Quantized& best) const {
  best.report.steps.insert(best.report.steps.begin(), steps_.begin(), steps_.end());
}

}  // namespace oree
