// SPDX-License-Identifier: Apache-2.0
#include "model/convert/self_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/base/limits.h"
#include "core/codec/npy.h"
#include "model/eval/noise.h"
#include "model/reference/interpreter.h"
#include "model/runtime/registry.h"

namespace oree {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Gap {
  double max_abs = 0, range = 0, signal = 0, noise = 0;
  double relative() const { return max_abs == 0 ? 0 : range > 0 ? max_abs / range : kInfinity; }
  double sqnr_db() const { return noise == 0 ? kInfinity : 10 * std::log10(signal / noise); }
};

// NaN against NaN and infinity against the same are no difference; against a number they are an infinite one.
Gap gap_of(const std::vector<double>& a, const std::vector<double>& b) {
  Gap g;
  double low = kInfinity, high = -kInfinity;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isfinite(a[i])) {
      low = std::min(low, a[i]);
      high = std::max(high, a[i]);
      g.signal += a[i] * a[i];
    }
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    double difference = std::abs(a[i] - b[i]);
    if (!std::isfinite(difference)) difference = kInfinity;
    g.max_abs = std::max(g.max_abs, difference);
    g.noise += difference * difference;
  }
  // An output that hardly moves is judged by a thousandth of its size.
  if (high >= low) g.range = std::max(high - low, std::max(std::abs(high), std::abs(low)) * 1e-3);
  return g;
}

const NamedTensor* by_name(const NamedTensors& list, const std::string& name) {
  auto it = std::ranges::find_if(list, [&](const NamedTensor& t) { return t.name == name; });
  return it == list.end() ? nullptr : &*it;
}

// Outputs by name, or by place where an engine or a format wants other names.
Result<std::vector<OutputCheck>> compare(const NamedTensors& source, const NamedTensors& result, double tolerance) {
  std::vector<OutputCheck> checks;
  for (size_t i = 0; i < source.size(); ++i) {
    const NamedTensor* other = by_name(result, source[i].name);
    if (!other && i < result.size()) other = &result[i];
    if (!other) return Error(Code::kInvalid, fmt::format("the result has no output for '{}'", source[i].name));
    if (other->tensor.shape() != source[i].tensor.shape()) {
      return Error(Code::kInvalid,
                   fmt::format("output '{}' has shape {}, and {} in the result", source[i].name,
                               shape_text(source[i].tensor.shape()), shape_text(other->tensor.shape())));
    }
    Gap g = gap_of(source[i].tensor.to_doubles(), other->tensor.to_doubles());
    checks.push_back({source[i].name, g.max_abs, g.relative(), g.relative() <= tolerance});
  }
  return checks;
}

// One run of a file in one engine, in a child; `inputs` by name, or by place.
Result<NamedTensors> run_file(const Ports& ports, const WorkerSettings& settings, const std::string& scratch,
                              const std::string& path, const std::string& runtime, const NamedTensors& inputs) {
  OREE_TRY_ASSIGN(std::unique_ptr<Worker> worker, Worker::start(ports, settings));
  Candidate candidate;
  candidate.model = path;
  candidate.runtime = runtime;
  OREE_TRY_ASSIGN(Worker::Opened opened, worker->open(candidate));
  NamedTensors fitted;
  for (size_t i = 0; i < opened.inputs.size(); ++i) {
    const NamedTensor* t = by_name(inputs, opened.inputs[i].name);
    if (!t && opened.inputs.size() == inputs.size()) t = &inputs[i];
    if (!t) return Error(Code::kInvalid, fmt::format("no tensor for its input '{}'", opened.inputs[i].name));
    fitted.push_back({opened.inputs[i].name, t->tensor});
  }
  std::string in = path_join(scratch, "in.npz"), out = path_join(scratch, "out.npz");
  OREE_TRY_ASSIGN(Bytes packed, write_npz(fitted));
  OREE_TRY(ports.files->write_atomic(in, packed));
  Status ran = worker->outputs(in, out);
  (void)ports.files->remove(in);
  if (!ran.ok()) return ran.error();
  Result<Bytes> bytes = ports.files->read(out, kModelBytesMax);
  (void)ports.files->remove(out);
  if (!bytes.ok()) return bytes.error();
  return read_npz(*bytes);
}

Result<NamedTensors> interpret(const Graph& graph, const NamedTensors& inputs) {
  OREE_TRY_ASSIGN(Interpreter interpreter, Interpreter::create(graph));
  return interpreter.run(inputs);
}

// The engines here that read the file's format, the format's own first.
std::vector<std::string> engines_for(const std::string& path) {
  std::vector<std::string> names;
  Result<ModelFormat> format = detect_format(path);
  if (!format.ok()) return names;
  for (const std::string& name : backend_names()) {
    const RuntimeInfo& info = backend(name).info();
    if (info.available && std::ranges::count(info.formats, format_name(*format)) > 0) names.push_back(name);
  }
  Result<std::string> best = default_backend(*format);
  if (best.ok()) std::ranges::stable_partition(names, [&](const std::string& n) { return n == *best; });
  return names;
}

}  // namespace

bool EngineCheck::agrees() const {
  return !refused && std::ranges::all_of(outputs, [](const OutputCheck& o) { return o.agrees; });
}

bool SelfCheck::agrees() const {
  bool any = false;
  for (const EngineCheck& e : engines) {
    if (e.refused) continue;
    any = true;
    if (!e.agrees()) return false;
  }
  return any;
}

Result<NamedTensors> self_check_inputs(const Ports& ports, const Graph& graph, const SelfCheckPlan& plan) {
  if (!plan.input_npz.empty()) {
    OREE_TRY_ASSIGN(Bytes bytes, ports.files->read(plan.input_npz, kModelBytesMax));
    Result<NamedTensors> tensors = read_npz(bytes);
    return tensors.ok() ? std::move(tensors) : tensors.error().within(plan.input_npz);
  }
  std::vector<TensorInfo> infos;
  for (ValueId v : graph.main().inputs) {
    const Value& value = graph.value(v);
    if (!value.dtype || !value.dims) {
      return Error(Code::kUnsupported, fmt::format("input '{}' has no known type: give inputs", value.name));
    }
    infos.push_back({value.name, *value.dtype, to_shape(*value.dims)});
  }
  return noise_tensors(infos, plan.seed);
}

Result<SelfCheck> self_check(const Ports& ports, const WorkerSettings& settings, const Model& source,
                             const Model& result, const SelfCheckPlan& plan) {
  OREE_TRY_ASSIGN(NamedTensors inputs, self_check_inputs(ports, result.graph, plan));
  SelfCheck check;
  std::optional<NamedTensors> wanted;
  std::string why = "no engine here opens it";
  for (const std::string& runtime : engines_for(plan.source)) {
    Result<NamedTensors> outputs = run_file(ports, settings, plan.scratch, plan.source, runtime, inputs);
    if (!outputs.ok()) {
      why = outputs.error().message();
      continue;
    }
    wanted = std::move(outputs).value();
    check.reference = runtime;
    break;
  }
  if (!wanted) {
    Result<NamedTensors> outputs = interpret(source.graph, inputs);
    if (!outputs.ok()) {
      return Error(Code::kUnavailable, fmt::format("nothing here can run {}: {}; our own interpreter: {}", plan.source,
                                                   why, outputs.error().message()));
    }
    wanted = std::move(outputs).value();
    check.reference = "reference";
  }
  // Inputs that the result has and the source has not are states: they begin as the model says.
  NamedTensors given = inputs;
  for (const State& s : result.graph.states()) {
    given.push_back({result.graph.value(s.input).name, s.initial.to_tensor()});
  }
  std::string reasons;
  for (const std::string& runtime : engines_for(plan.result)) {
    EngineCheck engine;
    engine.runtime = runtime;
    Result<NamedTensors> outputs = run_file(ports, settings, plan.scratch, plan.result, runtime, given);
    if (outputs.ok()) {
      OREE_TRY_ASSIGN(engine.outputs, compare(*wanted, *outputs, plan.tolerance));
    } else {
      engine.refused = outputs.error();
      reasons += fmt::format("; {}: {}", runtime, outputs.error().message());
    }
    check.engines.push_back(std::move(engine));
  }
  if (std::ranges::all_of(check.engines, [](const EngineCheck& e) { return e.refused.has_value(); })) {
    return Error(Code::kUnsupported, fmt::format("no engine here runs {}{}", plan.result, reasons));
  }
  return check;
}

Result<std::vector<LayerCheck>> compare_layers(const Graph& source, const Graph& result, const NamedTensors& inputs) {
  OREE_TRY_ASSIGN(Interpreter first, Interpreter::create(source));
  OREE_TRY_ASSIGN(Interpreter second, Interpreter::create(result));
  std::map<std::string, Tensor> kept;
  std::vector<std::pair<std::string, std::string>> order;  // name, operator
  first.observe([&](ValueId v, const Tensor& t) {
    const Value& value = source.value(v);
    if (result.find(value.name) == kNoValue || !kept.emplace(value.name, t).second) return;
    order.emplace_back(value.name, value.producer == kNoNode ? "" : source.node(value.producer).op);
  });
  OREE_TRY_ASSIGN(NamedTensors a, first.run(inputs));
  std::map<std::string, LayerCheck> checks;
  second.observe([&](ValueId v, const Tensor& t) {
    const std::string& name = result.value(v).name;
    auto it = kept.find(name);
    if (it == kept.end() || it->second.shape() != t.shape()) return;
    Gap g = gap_of(it->second.to_doubles(), t.to_doubles());
    checks.try_emplace(name, LayerCheck{name, "", g.max_abs, g.relative(), g.sqnr_db()});
  });
  OREE_TRY_ASSIGN(NamedTensors b, second.run(inputs));
  std::vector<LayerCheck> out;
  for (const auto& [name, op] : order) {
    auto it = checks.find(name);
    if (it == checks.end()) continue;
    it->second.op = op;
    out.push_back(it->second);
  }
  return out;
}

}  // namespace oree
