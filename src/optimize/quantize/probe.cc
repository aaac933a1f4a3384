// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/base/parallel.h"
#include "model/convert/convert.h"
#include "model/passes/passes.h"
#include "model/runtime/files/real_values.h"
#include "model/runtime/registry.h"
#include "optimize/quantize/float_between.h"
#include "optimize/quantize/turns.h"

namespace oree {
namespace {

// The engine, when it is here; of several, the first.
Result<std::string> find_engine(const std::string& engine) {
  const std::vector<std::string> wanted =
      engine.empty() ? std::vector<std::string>{"onnxruntime", "openvino"} : std::vector<std::string>{engine};
  for (const std::string& name : wanted) {
    if (backend(name).info().available) return name;
  }
  return Error(Code::kUnavailable, fmt::format("running the model on data needs {}; 'oree runtimes' says how to get it",
                                               fmt::join(wanted, " or ")));
}

// A convolution that sums each channel by itself, of as many as the registers of any CPU hold.
bool is_depthwise(const Graph& graph, const Node& node) {
  const Shape& weights = graph.constant(node.inputs[1])->shape();
  constexpr int64_t kRegisterMost = 16;
  return weights.size() == 4 && weights[1] == 1 && node.integer("group", 1) == weights[0] &&
         weights[0] % kRegisterMost == 0;
}

// Weights of convolutions that ONNX Runtime shall leave laid out as they are. It lays out those that it knows for
// constants by the CPU's registers, which takes more memory, and changes with the CPU in which order channels are
// added. Where none are, that is in the same order, and three to six times as fast.
std::set<std::string> laid_out_as_they_are(const Graph& graph) {
  std::set<std::string> names;
  for (NodeId n : graph.all_nodes()) {
    const Node& node = graph.node(n);
    if (node.is("Conv") && graph.constant(node.input(1)) != nullptr && !is_depthwise(graph, node))
      names.insert(graph.value(node.inputs[1]).name);
  }
  return names;
}

}  // namespace

Result<std::unique_ptr<Probe>> Probe::open(Files& files, const Graph& graph, const std::vector<ValueId>& seen,
                                           const std::string& scratch, const std::string& engine,
                                           const std::map<std::string, Port>& ports) {
  OREE_TRY_ASSIGN(std::string runs, find_engine(engine));
  static std::atomic<int> count = 0;
  std::string name = fmt::format("probe-{}.{}", count++, runs == "tflite" ? "tflite" : "onnx");
  std::unique_ptr<Probe> probe(new Probe(files, path_join(scratch, name)));
  probe->engine_ = runs;
  probe->ports_ = ports;
  probe->reals_ = std::ranges::none_of(graph.all_nodes(), [&](NodeId n) {
    return graph.node(n).is("QuantizeLinear") || graph.node(n).is("DequantizeLinear");
  });
  Graph shown = graph;
  while (!shown.main().outputs.empty()) shown.remove_output(kMainBlock, 0);
  for (ValueId v : seen) {
    const Value& value = graph.value(v);
    OREE_ASSERT(!value.constant && (value.dtype == Dtype::kFloat32 || ports.contains(value.name)));
    probe->names_.push_back(value.name);
    probe->is_input_.push_back(value.producer == kNoNode);
    if (!probe->is_input_.back()) shown.add_output(v);
  }
  if (runs == "onnxruntime") keep_float_between_integers(shown);  // which may be another engine's dialect
  OREE_TRY(remove_dead(shown));
  if (shown.main().outputs.empty()) return probe;  // only inputs are seen: nothing runs
  Model model;
  model.graph = std::move(shown);
  ConvertOptions how;
  how.replaceable = laid_out_as_they_are(model.graph);
  OREE_TRY(write_model(files, model, probe->path_, how));
  return probe;
}

Probe::~Probe() {
  (void)files_.remove(path_);
  (void)files_.remove(path_ + ".data");  // of constants that are too large for one file
}

Result<Probe::Run> Probe::start(int threads, bool fused) const {
  Run run;
  run.probe_ = this;
  if (std::ranges::all_of(is_input_, [](bool input) { return input; })) return run;
  SessionOptions options;
  options.threads = threads;
  options.fused = fused || reals_;
  options.precision = "f32";  // OpenVINO would take bf16 where it can
  OREE_TRY_ASSIGN(run.session_, backend(engine_).open(path_, options));
  run.bound_ = std::ranges::all_of(run.session_->outputs(), [](const TensorInfo& info) {
    return std::ranges::all_of(info.shape, [](int64_t d) { return d >= 0; });
  });
  size_t output = 0;
  for (bool input : is_input_) run.output_of_.push_back(input ? 0 : output++);
  return run;
}

Status Probe::run_each(const std::vector<const NamedTensors*>& samples, int threads, bool fused,
                       const SeeEach& see) const {
  Turns turns;
  std::atomic<size_t> next = 0;
  auto work = [&] {
    Result<Run> run = start(1, fused);
    if (!run.ok()) return turns.fail(run.error(), 0);
    for (size_t i = next++; i < samples.size(); i = next++) {
      bool stopped = false;
      Status ran = run->run(*samples[i], [&](size_t place, const Tensor& tensor) -> Status {
        stopped = !turns.wait_for(i);
        return stopped ? Status(Error(Code::kInternal, "another sample failed")) : see(i, place, tensor);
      });
      if (stopped) return;
      if (!ran.ok()) return turns.fail(ran.error(), i);
      turns.end();
    }
  };
  const auto workers = std::min(samples.size(), static_cast<size_t>(std::max(threads, 1)));
  OREE_TRY(each_in_parallel(workers, threads, [&](size_t) {
    work();
    return Status();
  }));
  return turns.verdict();
}

namespace {

RealScale scale_of(const Port& port) { return {port.affine.scale, port.affine.zero_point}; }

Result<NamedTensors> with_integers(NamedTensors inputs, const std::map<std::string, Port>& ports) {
  for (NamedTensor& t : inputs) {
    auto port = ports.find(t.name);
    if (port == ports.end()) continue;
    OREE_TRY_ASSIGN(t.tensor, to_integers(t.tensor, port->second.dtype, scale_of(port->second)));
  }
  return inputs;
}

}  // namespace

Status Probe::Run::run(const NamedTensors& reals, const See& see_reals) {
  NamedTensors integers;
  if (!probe_->ports_.empty()) {
    OREE_TRY_ASSIGN(integers, with_integers(reals, probe_->ports_));
  }
  const NamedTensors& inputs = probe_->ports_.empty() ? reals : integers;
  auto see = [&](size_t place, const Tensor& tensor) -> Status {
    auto port = probe_->ports_.find(probe_->names_[place]);
    if (port == probe_->ports_.end()) return see_reals(place, tensor);
    return see_reals(place, to_reals(tensor, scale_of(port->second)));
  };
  NamedTensors results;
  if (session_ != nullptr && bound_) {
    for (size_t i = 0; i < session_->inputs().size(); ++i) {
      OREE_TRY_ASSIGN(Tensor * buffer, session_->input_buffer(i));
      const TensorInfo& info = session_->inputs()[i];
      auto given = std::ranges::find(inputs, info.name, &NamedTensor::name);
      if (given == inputs.end() || given->tensor.dtype() != info.dtype ||
          given->tensor.byte_size() != buffer->byte_size())
        return Error(Code::kInvalid, fmt::format("input '{}': expected {} {}", info.name, dtype_name(info.dtype),
                                                 shape_text(info.shape)));
      std::memcpy(buffer->data(), given->tensor.data(), buffer->byte_size());
    }
    OREE_TRY(session_->run_bound());
  } else if (session_ != nullptr) {
    // An input that no seen value needs is none of this session's.
    NamedTensors taken;
    for (const TensorInfo& info : session_->inputs()) {
      auto given = std::ranges::find(inputs, info.name, &NamedTensor::name);
      if (given == inputs.end()) return Error(Code::kInvalid, fmt::format("input '{}' is missing", info.name));
      taken.push_back(*given);
    }
    OREE_TRY_ASSIGN(results, session_->run(taken));
  }
  for (size_t place = 0; place < probe_->names_.size(); ++place) {
    if (probe_->is_input_[place]) {
      auto given = std::ranges::find(inputs, probe_->names_[place], &NamedTensor::name);
      if (given == inputs.end())
        return Error(Code::kInvalid, fmt::format("input '{}' is missing", probe_->names_[place]));
      OREE_TRY(see(place, given->tensor));
    } else if (bound_) {
      OREE_TRY_ASSIGN(const Tensor* view, session_->output_view(output_of_[place]));
      OREE_TRY(see(place, *view));
    } else {
      OREE_TRY(see(place, results[output_of_[place]].tensor));
    }
  }
  return {};
}

}  // namespace oree
