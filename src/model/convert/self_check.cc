// SPDX-License-Identifier: Apache-2.0
#include "model/convert/self_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>

#include "core/base/limits.h"
#include "core/codec/npy.h"
#include "model/convert/convert.h"
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
  // An output that hardly moves, or has one element, is judged by a tenth of its size: rounding is relative to that.
  if (high >= low) g.range = std::max(high - low, std::max(std::abs(high), std::abs(low)) * 0.1);
  return g;
}

const NamedTensor* by_name(const NamedTensors& list, const std::string& name) {
  auto it = std::ranges::find_if(list, [&](const NamedTensor& t) { return t.name == name; });
  return it == list.end() ? nullptr : &*it;
}

// The step in which an output is rounded last; 0 where it is none of a quantized model. Of integers it is 1.
double last_step(const Graph& graph, ValueId id) {
  if (id == kNoValue) return 0;
  if (graph.value(id).quantization) return 1;
  const NodeId producer = graph.value(id).producer;
  if (producer == kNoNode || !graph.node(producer).is("DequantizeLinear")) return 0;
  const Constant* scale = graph.constant(graph.node(producer).input(1));
  if (scale == nullptr || scale->elements() == 0) return 0;
  return std::ranges::max(scale->to_doubles());
}

// 1 for what a sigmoid, a softmax or a tanh makes, moved about or averaged or not; 0 for other values. Engines
// approximate those to some units in the last place of 1, however small the result is.
double natural_size(const Graph& graph, ValueId id) {
  for (int steps = 0; steps < 64 && id != kNoValue; ++steps) {
    const NodeId producer = graph.value(id).producer;
    if (producer == kNoNode) return 0;
    const Node& node = graph.node(producer);
    if (node.is("Sigmoid") || node.is("HardSigmoid") || node.is("Softmax") || node.is("Tanh")) return 1;
    if (node.is("If")) {
      id = graph.block(node.blocks[0].second).outputs[static_cast<size_t>(graph.value(id).producer_output)];
      continue;
    }
    static constexpr std::string_view kMoves[] = {"Reshape", "Transpose", "Squeeze",    "Unsqueeze",  "Slice",
                                                  "Concat",  "Identity",  "Cast",       "ReduceMax",  "ReduceMin",
                                                  "MaxPool", "Gather",    "ReduceMean", "AveragePool"};
    if (!node.domain.empty() || std::ranges::find(kMoves, node.op) == std::end(kMoves)) return 0;
    id = node.input(0);
  }
  return 0;
}

constexpr double kNaturalRounding = 4 * 0x1p-23;
constexpr double kStepRounding = 1.001;  // a step, and what adding and scaling it in float costs

// One run of a file in one engine, in a child; `inputs` by name, or by place.
Result<NamedTensors> run_file(const Ports& ports, const WorkerSettings& settings, const std::string& scratch,
                              const std::string& path, const std::string& runtime, const NamedTensors& inputs,
                              bool fused = true) {
  OREE_TRY_ASSIGN(std::unique_ptr<Worker> worker, Worker::start(ports, settings));
  Candidate candidate;
  candidate.options.fused = fused;
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
  Result<std::string> best = default_backend(*format, path);
  if (best.ok()) std::stable_partition(names.begin(), names.end(), [&](const std::string& n) { return n == *best; });
  return names;
}

template <typename T>
void move_by_a_step(std::span<T> values, SeededRandom& random) {
  for (T& x : values) {
    const bool up = random.below(2) == 1 ? x < std::numeric_limits<T>::max() : x == std::numeric_limits<T>::min();
    x = static_cast<T>(up ? x + 1 : x - 1);
  }
}

// Inputs with each number up or down by what rounding may have done to it: reals by sixteen units in the last place, in
// a quantized model by half a step of 255 and its integers by one step.
NamedTensors moved(NamedTensors inputs, uint64_t seed, bool quantized) {
  SeededRandom random(seed);
  auto sign = [&] { return random.below(2) == 1 ? 1.0F : -1.0F; };
  for (NamedTensor& t : inputs) {
    if (t.tensor.dtype() == Dtype::kFloat32) {
      const std::span<float> values = t.tensor.as<float>();
      float largest = 0;
      for (float x : values) largest = std::max(largest, std::abs(x));
      for (float& x : values) x += quantized ? sign() * largest / 255 : sign() * x * 0x1p-19F;
    } else if (quantized && t.tensor.dtype() == Dtype::kInt8) {
      move_by_a_step(t.tensor.as<int8_t>(), random);
    } else if (quantized && t.tensor.dtype() == Dtype::kUint8) {
      move_by_a_step(t.tensor.as<uint8_t>(), random);
    } else if (quantized && t.tensor.dtype() == Dtype::kInt16) {
      move_by_a_step(t.tensor.as<int16_t>(), random);
    }
  }
  return inputs;
}

Result<NamedTensors> inputs_of(const Ports& ports, const Graph& graph, const SelfCheckPlan& plan) {
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
    for (size_t d = 1; d < value.dims->size(); ++d) {
      if ((*value.dims)[d].known()) continue;
      return Error(Code::kUsage,
                   fmt::format("input '{}' has the shape {}: set its free dimensions (--dim, --shape), or "
                               "give tensors for the check (--check-input)",
                               value.name, dims_text(*value.dims)));
    }
    infos.push_back({value.name, *value.dtype, to_shape(*value.dims)});
  }
  return noise_tensors(infos, plan.seed);
}

// One self-check on its way. The source's outputs are asked of each engine once.
class Checking {
 public:
  Checking(const Ports& ports, const WorkerSettings& settings, const Model& source, const Model& result,
           const SelfCheckPlan& plan)
      : ports_(ports),
        settings_(settings),
        source_(source),
        result_(result),
        plan_(plan),
        source_engines_(engines_for(plan.source)),
        quantized_(is_quantized(source.graph)) {}

  Result<SelfCheck> run() {
    OREE_TRY_ASSIGN(check_.inputs, inputs_of(ports_, result_.graph, plan_));
    OREE_TRY_ASSIGN(const NamedTensors* wanted, find_reference());
    // Inputs that the result has and the source has not are states: they begin as the model says.
    NamedTensors given = check_.inputs;
    for (const State& s : result_.graph.states()) {
      given.push_back({result_.graph.value(s.input).name, s.initial.to_tensor()});
    }
    std::string reasons;
    for (const std::string& runtime : engines_for(plan_.result)) {
      OREE_TRY_ASSIGN(EngineCheck engine, check_engine(runtime, given, *wanted));
      if (engine.refused) reasons += fmt::format("; {}: {}", runtime, engine.refused->message());
      check_.engines.push_back(std::move(engine));
    }
    if (std::ranges::all_of(check_.engines, [](const EngineCheck& e) { return e.refused.has_value(); })) {
      if (check_.engines.empty()) reasons = "; `oree runtimes` says how to get one (--no-check converts without)";
      return Error(Code::kUnsupported, fmt::format("no engine here runs {}{}", plan_.result, reasons));
    }
    return std::move(check_);
  }

 private:
  const Result<NamedTensors>& source_in(const std::string& runtime) {
    auto it = source_outputs_.find(runtime);
    if (it != source_outputs_.end()) return it->second;
    return source_outputs_.emplace(runtime, run_source(runtime, check_.inputs)).first->second;
  }

  Result<NamedTensors> run_source(const std::string& runtime, const NamedTensors& inputs, bool fused = true) {
    return runtime == kInterpreter ? interpret(source_.graph, inputs)
                                   : run_file(ports_, settings_, plan_.scratch, plan_.source, runtime, inputs, fused);
  }

  static bool fuses(const std::string& runtime) { return runtime == "onnxruntime" || runtime == "openvino"; }

  Result<const NamedTensors*> find_reference() {
    std::vector<std::string> runtimes = source_engines_;
    runtimes.push_back(kInterpreter);
    std::string why;
    for (const std::string& runtime : runtimes) {
      const Result<NamedTensors>& outputs = source_in(runtime);
      if (outputs.ok()) {
        check_.reference = runtime;
        return &outputs.value();
      }
      why += fmt::format("; {}: {}", runtime, outputs.error().message());
    }
    return Error(Code::kUnavailable, fmt::format("nothing here can run {}{}", plan_.source, why));
  }

  // Outputs by name, or by place where an engine or a format wants other names. `rounding`: differences that are
  // allowed besides, an output each; empty: none.
  Result<std::vector<OutputCheck>> compare(const NamedTensors& source, const NamedTensors& result,
                                           const std::vector<double>& rounding = {}) const {
    std::vector<OutputCheck> checks;
    for (size_t i = 0; i < source.size(); ++i) {
      const auto& [name, wanted] = source[i];
      const NamedTensor* other = by_name(result, name);
      if (!other && i < result.size()) other = &result[i];
      if (!other) return Error(Code::kInvalid, fmt::format("the result has no output for '{}'", name));
      if (other->tensor.shape() != wanted.shape()) {
        return Error(Code::kInvalid, fmt::format("output '{}' has shape {}, and {} in the result", name,
                                                 shape_text(wanted.shape()), shape_text(other->tensor.shape())));
      }
      Gap g = gap_of(wanted.to_doubles(), other->tensor.to_doubles());
      const ValueId value = source_.graph.find(name);
      const double allowed =
          std::max({kNaturalRounding * natural_size(source_.graph, value),
                    kStepRounding * last_step(source_.graph, value), i < rounding.size() ? rounding[i] : 0});
      checks.push_back({name, g.max_abs, g.relative(), g.relative() <= plan_.tolerance || g.max_abs <= allowed});
    }
    return checks;
  }

  Result<EngineCheck> check_engine(const std::string& runtime, const NamedTensors& given, const NamedTensors& wanted) {
    EngineCheck engine;
    engine.runtime = runtime;
    engine.reference = check_.reference;
    Result<NamedTensors> outputs = run_file(ports_, settings_, plan_.scratch, plan_.result, runtime, given);
    if (!outputs.ok()) {
      engine.refused = outputs.error();
      return engine;
    }
    OREE_TRY_ASSIGN(engine.outputs, compare(wanted, *outputs));
    if (engine.agrees()) return engine;
    OREE_TRY_ASSIGN(bool excused, as_the_source_does(engine, *outputs));
    if (!excused) OREE_TRY(within_rounding(engine, *outputs, wanted));
    if (!engine.agrees() && quantized_) OREE_TRY(operator_by_operator(engine, *outputs, given, wanted));
    return engine;
  }

  // Or do joined kernels of integers saturate, of the result, of the source in its engine, or of both?
  Status operator_by_operator(EngineCheck& engine, const NamedTensors& outputs, const NamedTensors& given,
                              const NamedTensors& wanted) {
    OREE_TRY_ASSIGN(const std::vector<double>* rounding, rounding_of(wanted));
    double error = 0;
    for (const OutputCheck& o : engine.outputs) error = std::max(error, o.max_relative_error);
    auto agrees = [&](const Result<NamedTensors>& source, const Result<NamedTensors>& result,
                      const std::string& joins) -> Result<bool> {
      if (!source.ok() || !result.ok()) return false;
      OREE_TRY_ASSIGN(std::vector<OutputCheck> again, compare(*source, *result, *rounding));
      if (!excuse(engine, std::move(again), check_.reference)) return false;
      engine.fused = {joins, error};
      return true;
    };
    Result<NamedTensors> result = outputs;
    if (fuses(engine.runtime)) {
      result = run_file(ports_, settings_, plan_.scratch, plan_.result, engine.runtime, given, false);
      OREE_TRY_ASSIGN(bool done, agrees(wanted, result, engine.runtime));
      if (done) return {};
    }
    if (!fuses(check_.reference)) return {};
    if (!source_unfused_) source_unfused_.emplace(run_source(check_.reference, check_.inputs, false));
    OREE_TRY(agrees(*source_unfused_, result, check_.reference));
    return {};
  }

  // Is it the engine that computes this network otherwise? Then it does so with the source, too.
  Result<bool> as_the_source_does(EngineCheck& engine, const NamedTensors& outputs) {
    if (engine.runtime == check_.reference || std::ranges::count(source_engines_, engine.runtime) == 0) return false;
    const Result<NamedTensors>& source = source_in(engine.runtime);
    if (!source.ok()) return false;
    OREE_TRY_ASSIGN(std::vector<OutputCheck> own, compare(*source, outputs));
    return excuse(engine, std::move(own), engine.runtime);
  }

  // Or is it a network whose outputs move with every rounding? Then they do with its inputs' last bits, too.
  Status within_rounding(EngineCheck& engine, const NamedTensors& outputs, const NamedTensors& wanted) {
    OREE_TRY_ASSIGN(const std::vector<double>* rounding, rounding_of(wanted));
    OREE_TRY_ASSIGN(std::vector<OutputCheck> again, compare(wanted, outputs, *rounding));
    (void)excuse(engine, std::move(again), check_.reference);
    return {};
  }

  // What an output may move by rounding alone: four times what it moves when all inputs move by what long sums in
  // another order do to the values inside; in a quantized model, where each engine rounds to a step in each layer,
  // twice what half a step does.
  Result<const std::vector<double>*> rounding_of(const NamedTensors& wanted) {
    if (rounding_) return &*rounding_;
    rounding_.emplace(wanted.size(), 0);
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      Result<NamedTensors> outputs = run_source(check_.reference, moved(check_.inputs, seed, quantized_));
      if (!outputs.ok()) return outputs.error();
      OREE_TRY_ASSIGN(std::vector<OutputCheck> spread, compare(wanted, *outputs));
      for (size_t i = 0; i < spread.size(); ++i) {
        (*rounding_)[i] = std::max((*rounding_)[i], (quantized_ ? 2 : 4) * spread[i].max_abs_error);
      }
    }
    return &*rounding_;
  }

  static bool excuse(EngineCheck& engine, std::vector<OutputCheck> outputs, const std::string& reference) {
    if (!std::ranges::all_of(outputs, [](const OutputCheck& o) { return o.agrees; })) return false;
    engine.outputs = std::move(outputs);
    engine.reference = reference;
    return true;
  }

  static constexpr char kInterpreter[] = "reference";
  const Ports& ports_;
  const WorkerSettings& settings_;
  const Model& source_;
  const Model& result_;
  const SelfCheckPlan& plan_;
  const std::vector<std::string> source_engines_;
  const bool quantized_;
  std::map<std::string, Result<NamedTensors>> source_outputs_;
  std::optional<Result<NamedTensors>> source_unfused_;  // of the reference
  std::optional<std::vector<double>> rounding_;
  SelfCheck check_;
};

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

Result<SelfCheck> self_check(const Ports& ports, const WorkerSettings& settings, const Model& source,
                             const Model& result, const SelfCheckPlan& plan) {
  return Checking(ports, settings, source, result, plan).run();
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
