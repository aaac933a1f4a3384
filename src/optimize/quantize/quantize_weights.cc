// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/quantize_weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/ops/analyze.h"
#include "optimize/quantize/engine_accuracy.h"
#include "optimize/quantize/output_report.h"
#include "optimize/quantize/prepare.h"
#include "optimize/quantize/weights_only.h"

namespace oree {
namespace {

constexpr size_t kSamplesMeasured = 2;

class WeightQuantizer {
 public:
  WeightQuantizer(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options, Dialect dialect)
      : files_(files), graph_(graph), data_(data), options_(options) {
    how_.dialect = std::move(dialect);
    how_.precision = options.precision;
    how_.weight_scale = options.plan.weight_scale;
  }

  Result<Quantized> run() {
    OREE_TRY_ASSIGN(how_.keep_float, makers_of(graph_, options_.keep_float));
    Quantized out;
    out.graph = graph_;
    OREE_TRY_ASSIGN(layers_, store_weights(out.graph, how_));
    if (std::ranges::all_of(layers_, [](const StoredLayer& l) { return l.weights.empty(); })) {
      return Error(Code::kUnsupported, fmt::format("no layer of this model has weights to be stored as {}",
                                                   precision_name(options_.precision)));
    }
    OREE_TRY(read_samples(out.report.bad));
    OREE_TRY(simulate(out.graph));
    OREE_TRY(measure(out.graph));
    report(out.report);
    return out;
  }

 private:
  Status read_samples(BadSamples& bad) {
    for (size_t i : spread_indices(data_.size(), options_.samples_max)) {
      if (samples_.size() == kSamplesMeasured) break;
      Result<Sample> sample = data_.read(i);
      if (sample.ok()) {
        samples_.push_back(std::move(sample->inputs));
        continue;
      }
      if (!options_.skip_bad) return sample.error();
      ++bad.count;
      bad.messages.push_back(sample.error().message());
    }
    if (samples_.empty()) return Error(Code::kInvalid, "no sample of the data can be used");
    return {};
  }

  // What the graph promises, in ONNX's operators: those of TFLite that quantize at run time are no graph's.
  Status simulate(const Graph& stored) {
    if (!options_.measure) {
      measured_.not_run = "not asked for";
      return {};
    }
    const CompareOptions how{options_.threads, options_.scratch};
    Result<OutputReference> reference = OutputReference::make(files_, graph_, samples_, how);
    if (!reference.ok() && reference.error().code() == Code::kUnavailable) {
      measured_.not_run = "float runs in ONNX Runtime or OpenVINO, and neither is on this machine";
      return {};
    }
    if (!reference.ok()) return reference.error();
    if (options_.precision != Precision::kDynamic || !how_.dialect.tflite) {
      OREE_TRY_ASSIGN(simulated_, reference->compare(files_, stored, how));
      return {};
    }
    StoreOptions other = how_;
    OREE_TRY_ASSIGN(other.dialect, dialect_for("onnxruntime"));
    Graph graph = graph_;
    Result<std::vector<StoredLayer>> layers = store_weights(graph, other);
    if (!layers.ok()) return layers.error();
    OREE_TRY_ASSIGN(simulated_, reference->compare(files_, graph, how));
    return {};
  }

  Status measure(const Graph& stored) {
    if (!measured_.not_run.empty()) return {};
    Plan plan;
    plan.dialect = how_.dialect;
    for (const StoredLayer& layer : layers_) {
      if (!layer.weights.empty())
        plan.placement.layers.push_back({layer.node, Role::kWeighted, kNoNode, layer.result, false});
    }
    OREE_TRY_ASSIGN(measured_,
                    measure_in_engine(files_, graph_, stored, plan, samples_, {options_.threads, options_.scratch}));
    if (measured_.refused) return measured_.refused->within(fmt::format("{} refuses the result", measured_.engine));
    return {};
  }

  void report(QuantizeReport& out) const {
    out.engine = how_.dialect.engine;
    out.precision = options_.precision;
    out.samples = samples_.size();
    const Graph sized = sized_for_counting(graph_);
    for (NodeId n : graph_.order()) {
      const Node& node = graph_.node(n);
      const int64_t macs = std::max<int64_t>(0, macs_of(sized, sized.node(n)));
      out.macs += macs;
      auto stored = std::ranges::find(layers_, n, &StoredLayer::node);
      if (stored == layers_.end()) continue;
      LayerReport layer;
      layer.name = graph_.value(stored->result).name;
      layer.op = op_name(node);
      layer.macs = macs;
      layer.integer = stored->integer;
      layer.weights = stored->weights;
      layer.because = stored->because;
      if (layer.integer) out.macs_integer += macs;
      for (const auto& [measured, noise] : measured_.layers) {
        if (measured == n) layer.sqnr_db = noise.sqnr_db();
      }
      out.layers.push_back(std::move(layer));
    }
    report_outputs(graph_, simulated_, simulated_, measured_, out);
  }

  Files& files_;
  const Graph& graph_;
  Dataset& data_;
  const QuantizeOptions& options_;
  StoreOptions how_;
  std::vector<StoredLayer> layers_;
  std::vector<NamedTensors> samples_;
  std::vector<Noise> simulated_;
  EngineAccuracy measured_;
};

}  // namespace

Result<Quantized> quantize_weights(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options) {
  if (options.thorough) {
    return Error(Code::kUsage, fmt::format("--thorough is for int8 and int16; {} has nothing to be tried",
                                           precision_name(options.precision)));
  }
  OREE_TRY(check_precision(options.engine, options.precision));
  OREE_TRY_ASSIGN(Dialect dialect, dialect_for(options.engine, options.cpu));
  return WeightQuantizer(files, graph, data, options, std::move(dialect)).run();
}

}  // namespace oree
