// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/base/parallel.h"

namespace oree {

Status Noise::add(const Tensor& wanted, const Tensor& found) {
  if (wanted.dtype() != Dtype::kFloat32 || found.dtype() != Dtype::kFloat32 || wanted.elements() != found.elements()) {
    return Error(Code::kInvalid,
                 fmt::format("expected {} {}, found {} {}", dtype_name(wanted.dtype()), shape_text(wanted.shape()),
                             dtype_name(found.dtype()), shape_text(found.shape())));
  }
  std::span<const float> a = wanted.as<float>(), b = found.as<float>();
  for (size_t i = 0; i < a.size(); ++i) {
    double gap = static_cast<double>(b[i]) - static_cast<double>(a[i]);
    signal += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    noise += gap * gap;
  }
  return {};
}

double Noise::sqnr_db() const {
  return noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(std::max(signal, 1e-30) / noise);
}

double noise_left(const std::vector<Noise>& now, const std::vector<Noise>& before) {
  double sum = 0;
  for (size_t i = 0; i < now.size(); ++i) sum += before[i].noise > 0 ? now[i].noise / before[i].noise : 1;
  return now.empty() ? 1 : sum / static_cast<double>(now.size());
}

namespace {

SampleRun::See keep_in(std::vector<Tensor>& kept) {
  return [&kept](const Tensor& tensor) {
    kept.push_back(tensor);
    return Status();
  };
}

}  // namespace

Result<std::vector<Noise>> compare_graphs(Files& files, const Graph& first, const std::vector<ValueId>& first_values,
                                          const Graph& second, const std::vector<ValueId>& second_values,
                                          const std::vector<NamedTensors>& samples, const CompareOptions& options,
                                          const std::string& engine) {
  OREE_ASSERT(first_values.size() == second_values.size());
  std::vector<std::vector<Tensor>> wanted(first_values.size());  // by value, by sample
  SampleRun in_first(first, samples);
  for (size_t i = 0; i < first_values.size(); ++i) in_first.watch(first_values[i], samples.size(), keep_in(wanted[i]));
  std::unique_ptr<Probe> probe;
  Probe::Run run;
  OREE_TRY(each_in_parallel(2, options.beside ? 2 : 1, [&](size_t i) -> Status {
    if (i == 0) return in_first.run(files, 1, options.scratch);
    OREE_TRY_ASSIGN(probe, Probe::open(files, second, second_values, options.scratch, engine, options.ports));
    OREE_TRY_ASSIGN(run, probe->start(options.threads, options.fused));
    return {};
  }));
  std::vector<Noise> noises(first_values.size());
  for (size_t s = 0; s < samples.size(); ++s) {
    OREE_TRY(run.run(samples[s], [&](size_t i, const Tensor& t) { return noises[i].add(wanted[i][s], t); }));
  }
  return noises;
}

std::vector<Compared> compared_values(const Graph& graph) {
  const std::vector<ValueId>& outputs = graph.main().outputs;
  std::vector<Compared> compared;
  std::set<ValueId> seen;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Value& value = graph.value(outputs[i]);
    if (value.dtype != Dtype::kFloat32 || value.constant) continue;
    compared.push_back({outputs[i], static_cast<int>(i)});
    seen.insert(outputs[i]);
  }
  std::vector<ValueId> others;
  for (ValueId v : outputs) {
    if (!seen.contains(v)) others.push_back(v);
  }
  while (!others.empty()) {
    const ValueId v = others.back();
    others.pop_back();
    const Value& value = graph.value(v);
    if (value.constant || value.producer == kNoNode || !seen.insert(v).second) continue;
    if (value.dtype == Dtype::kFloat32) {
      compared.push_back({v, -1});
      continue;
    }
    for (ValueId from : graph.node(value.producer).inputs) {
      if (from != kNoValue) others.push_back(from);
    }
  }
  return compared;
}

OutputReference::OutputReference(const Graph& graph, const std::vector<NamedTensors>& samples)
    : samples_(&samples), values_(compared_values(graph)), outputs_(values_.size()) {}

void OutputReference::watch(SampleRun& run) {
  for (size_t i = 0; i < values_.size(); ++i) run.watch(values_[i].value, samples_->size(), keep_in(outputs_[i]));
}

Result<OutputReference> OutputReference::make(Files& files, const Graph& graph,
                                              const std::vector<NamedTensors>& samples, const CompareOptions& options) {
  OutputReference out(graph, samples);
  SampleRun run(graph, samples);
  out.watch(run);
  OREE_TRY(run.run(files, options.threads, options.scratch));
  return out;
}

Result<std::vector<Noise>> OutputReference::compare(Files& files, const Graph& graph, const CompareOptions& options,
                                                    size_t samples_max) const {
  std::vector<ValueId> values;
  for (const Compared& c : values_) values.push_back(c.in(graph));
  OREE_TRY_ASSIGN(std::unique_ptr<Probe> probe, Probe::open(files, graph, values, options.scratch));
  OREE_TRY_ASSIGN(Probe::Run run, probe->start(options.threads, options.fused));
  std::vector<Noise> noises(values.size());
  for (size_t s = 0; s < std::min(samples_max, samples_->size()); ++s) {
    OREE_TRY(run.run((*samples_)[s], [&](size_t i, const Tensor& t) { return noises[i].add(outputs_[i][s], t); }));
  }
  return noises;
}

}  // namespace oree
