// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "core/base/parallel.h"
#include "model/ops/analyze.h"
#include "optimize/quantize/correct.h"
#include "optimize/quantize/emit.h"
#include "optimize/quantize/engine_accuracy.h"
#include "optimize/quantize/mix.h"
#include "optimize/quantize/output_report.h"
#include "optimize/quantize/prepare.h"
#include "optimize/quantize/reconstruct.h"
#include "optimize/quantize/rows.h"

namespace oree {
namespace {

constexpr size_t kSamplesTried = 4;       // on which layers are tried in float
constexpr size_t kSamplesCorrected = 16;  // the last layers' biases
constexpr size_t kSamplesRounded = 8;     // whose inputs weights are rounded for
// Layers of more inputs a channel take most of the time of rounding, and add little: --thorough.
constexpr int64_t kInputsRounded = 640;
constexpr size_t kSamplesMeasured = 2;  // in the engine, layer by layer
constexpr double kFloatMacs = 0.04;
constexpr double kNoiseGood = 0.9;  // half a decibel less from some layer in float: more are worth a try
constexpr int kBars = 48;

class Quantizer {
 public:
  Quantizer(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options, Dialect dialect)
      : files_(files),
        graph_(graph),
        data_(data),
        options_(options),
        dialect_(std::move(dialect)),
        planner_(graph_, dialect_, calibration_.statistics, options_.plan) {}

  Result<Quantized> run(const std::function<Status()>& beside) {
    OREE_TRY(begin(true));
    OREE_TRY(round_weights());
    OREE_TRY(options_.judge ? choose_by_drop() : choose_by_noise());
    OREE_TRY_ASSIGN(const Plan plan, corrected_plan(mix_.choice.kept));
    std::optional<Plan> whole, more;
    if (options_.also_whole && mix_.choice.kept != kept_) {
      OREE_TRY_ASSIGN(whole, corrected_plan(kept_));
    }
    if (mix_.more) {
      OREE_TRY_ASSIGN(more, corrected_plan(mix_.more->kept));
    }
    // Measuring takes the most memory of all.
    many_ = {};
    alone_ = !beside;
    Quantized out;
    auto finish = [&]() -> Status {
      OREE_TRY_ASSIGN(out, finished(plan, mix_.choice));
      out.report.drops = drops_;
      if (whole) {
        OREE_TRY_ASSIGN(Quantized other, finished(*whole, {kept_, mix_.before}));
        out.whole = std::make_shared<Quantized>(std::move(other));
      }
      if (more) {
        OREE_TRY_ASSIGN(Quantized other, finished(*more, *mix_.more));
        out.more = std::make_shared<Quantized>(std::move(other));
      }
      return {};
    };
    OREE_TRY(
        each_in_parallel(beside ? 2 : 1, options_.threads, [&](size_t i) { return i == 0 ? finish() : beside(); }));
    return out;
  }

  // What comes out when all that may be is in integers, weights rounded to nearest or left in float.
  Result<FirstLook> first_look(bool weights) {
    OREE_TRY(begin(false));
    OREE_TRY_ASSIGN(Plan plan, first_plan({}));
    if (!weights) plan.weights.clear();
    FirstLook look;
    OREE_TRY_ASSIGN(look.noise, noise(plan, weights && exact_here(dialect_)));
    look.channel_sizes = std::move(calibration_.channel_sizes);
    return look;
  }

  const Calibration& calibration() const { return calibration_; }

 private:
  // `whole`: with what corrections take of the float network.
  Status begin(bool whole) {
    OREE_TRY_ASSIGN(kept_, makers_of(graph_, options_.keep_float));
    GraphPlacement placement = place(graph_, dialect_, kept_);
    if (placement.layers.empty())
      return Error(Code::kUnsupported, "no layer of this model has a form in integers in " + dialect_.engine);
    const std::vector<size_t> indices = spread_indices(data_.size(), options_.samples_max);
    CalibrationOptions how;
    how.beside_at = keep_samples(indices);
    SampleRun beside(graph_, many_);
    reference_ = OutputReference(graph_, few_);
    reference_.watch(beside);
    if (whole) watch_corrections(placement, beside);
    how.beside = &beside;
    OREE_TRY(look(placement, indices, how));
    keep_last_joins(placement);
    return {};
  }

  // What weights are rounded for, the means of the last layers.
  void watch_corrections(const GraphPlacement& placement, SampleRun& run) {
    ReconstructOptions how;
    how.samples_max = kSamplesRounded;
    how.threads = options_.threads;
    how.scratch = options_.scratch;
    how.progress = [&](size_t done, size_t total) { progress("round weights", done, total); };
    how.biases_follow = true;
    if (!options_.thorough) how.inputs_max = kInputsRounded;
    rounder_.emplace(graph_, placement, how).watch(run);
    watch_values(graph_, last_layers(graph_, placement), run, float_values_);
  }

  // At the network's end the engine's float kernels cost next to nothing, and one scale for all would cost the narrow
  // operand all that it says.
  void keep_last_joins(const GraphPlacement& placement) {
    if (!dialect_.tflite) return;
    joins_ = unlike_joins(graph_, dialect_, placement, calibration_.statistics);
    for (Join& join : joins_) {
      if (!join.last) continue;
      join.in_float = true;
      kept_.insert(join.node);
    }
  }

  void progress(const char* step, size_t done, size_t total) const {
    if (options_.progress) options_.progress(step, done, total);
  }

  Status look(const GraphPlacement& placement, const std::vector<size_t>& indices, CalibrationOptions& how) {
    std::map<ValueId, int> by_channel;
    for (const LayerPlace& layer : placement.layers) {
      if (layer.role != Role::kWeighted) continue;
      const Node& node = graph_.node(layer.node);
      bool matrix = node.is("MatMul") || node.is("Gemm");
      const std::optional<Dims>& dims = graph_.value(node.inputs[0]).dims;
      if (!dims || graph_.constant(node.inputs[0]) != nullptr) continue;
      // Of both kinds on one value the convolution counts: it has a bias to be corrected by the means.
      if (matrix) by_channel.emplace(node.inputs[0], static_cast<int>(dims->size()) - 1);
      if (!matrix) by_channel[node.inputs[0]] = 1;
    }
    how.threads = options_.threads;
    how.skip_bad = options_.skip_bad;
    how.scratch = options_.scratch;
    how.progress = [&](size_t done, size_t total) { progress("calibrate", done, total); };
    OREE_TRY_ASSIGN(calibration_, calibrate(files_, graph_, values_to_see(graph_, dialect_, placement), by_channel,
                                            data_, indices, how));
    return {};
  }

  Result<Plan> plan_for(const std::set<NodeId>& kept, int threads = 1) const {
    return planner_.plan(place(graph_, dialect_, kept), threads);
  }

  // All that may be in integers, with weights that other plans may adopt.
  Result<Plan> first_plan(const std::map<NodeId, std::vector<int32_t>>& rounded) const {
    OREE_TRY_ASSIGN(Plan plan, plan_for(kept_, options_.threads));
    for (const auto& [node, integers] : rounded) {
      Constant& packed = plan.weights.at(node).integers;
      packed = pack_integers(integers, packed.shape(), packed.dtype());
    }
    correct_biases_by_means(graph_, plan, calibration_.channel_means);
    return plan;
  }

  Result<Plan> corrected_plan(const std::set<NodeId>& kept) {
    OREE_TRY_ASSIGN(Plan plan, plan_for(kept));
    OREE_TRY(correct_last_biases(files_, graph_, plan, many_, float_values_,
                                 {options_.threads, options_.scratch, exact_here(dialect_)}));
    return plan;
  }

  Result<Graph> emitted(const Plan& plan) const {
    Graph quantized = graph_;
    OREE_TRY(emit(quantized, plan));
    return quantized;
  }

  Result<std::vector<Noise>> noise(const Plan& plan) const { return noise(plan, exact_here(dialect_)); }
  Result<std::vector<Noise>> noise(const Plan& plan, bool fused) const {
    OREE_TRY_ASSIGN(Graph quantized, emitted(plan));
    return reference_.compare(files_, quantized, {1, options_.scratch, fused});
  }

  // It takes what goes into each layer in float, so that one rounding serves whatever layers stay in integers.
  Status round_weights() {
    OREE_TRY_ASSIGN(Plan nearest, first_plan({}));
    OREE_TRY_ASSIGN(const auto integers, rounder_->round(files_, nearest, many_));
    rounder_.reset();
    if (integers.empty()) {
      OREE_TRY_ASSIGN(first_, noise(nearest));
      planner_.adopt(std::move(nearest.weights));
      return {};
    }
    OREE_TRY_ASSIGN(Plan rounded, first_plan(integers));
    // Side by side, each on one thread: the same bits.
    std::vector<Noise> found[2];
    OREE_TRY(each_in_parallel(2, options_.threads, [&](size_t i) -> Status {
      OREE_TRY_ASSIGN(found[i], noise(i == 0 ? nearest : rounded));
      return {};
    }));
    const auto& [before, after] = found;
    StepReport step{"weights rounded for what their layers give", noise_left(after, before), false};
    step.kept = step.noise_left < 1;
    first_ = step.kept ? after : before;
    planner_.adopt(std::move((step.kept ? rounded : nearest).weights));
    steps_.push_back(step);
    return {};
  }

  // Of the samples that are calibrated with, some that are run again, and where these are. That a sample is bad, the
  // calibration says.
  std::vector<size_t> keep_samples(const std::vector<size_t>& indices) {
    const std::vector<size_t> places = spread_indices(indices.size(), kSamplesCorrected);
    std::vector<size_t> kept;
    for (size_t k = 0; k < places.size(); ++k) {
      // One after a bad one takes its place.
      const size_t end = k + 1 < places.size() ? places[k + 1] : indices.size();
      for (size_t i = places[k]; i < end; ++i) {
        Result<Sample> sample = data_.read(indices[i]);
        if (!sample.ok()) continue;
        many_.push_back(std::move(sample->inputs));
        kept.push_back(indices[i]);
        break;
      }
    }
    few_ = some_of(many_, kSamplesTried);
    return kept;
  }

  static std::vector<NamedTensors> some_of(const std::vector<NamedTensors>& samples, size_t count) {
    std::vector<NamedTensors> some;
    for (size_t i : spread_indices(samples.size(), count)) some.push_back(samples[i]);
    return some;
  }

  Result<Mix> mix(double float_macs_max, bool list_only) {
    MixOptions how;
    how.float_macs_max = float_macs_max;
    if (!options_.judge && !dialect_.tail) how.float_macs_more = options_.also_float_macs;
    how.list_only = list_only;
    if (!list_only && !options_.thorough) how.noise_good = kNoiseGood;
    how.threads = options_.threads;
    how.scratch = options_.scratch;
    how.progress = [&](size_t done, size_t total) { progress("try layers in float", done, total); };
    auto plan = [&](const std::set<NodeId>& kept) { return plan_for(kept); };
    return choose_mix(files_, graph_, plan, kept_, reference_, first_, how);
  }

  Status choose_by_noise() {
    OREE_TRY_ASSIGN(mix_, mix(options_.float_macs_max.value_or(dialect_.tail ? 0 : kFloatMacs), false));
    return {};
  }

  Result<Drop> judged(const Plan& plan) const {
    OREE_TRY_ASSIGN(Graph quantized, emitted(plan));
    return options_.judge(quantized);
  }

  // As few layers in float as the bound on the drop allows; they are tried and ordered only when it takes any.
  Status choose_by_drop() {
    OREE_TRY_ASSIGN(mix_, mix(0, false));
    const double float_macs_max = options_.float_macs_max.value_or(dialect_.tail ? 0 : 1);
    size_t judgements = 0;
    auto in_float = [&](size_t count) {
      std::set<NodeId> kept = kept_;
      kept.insert(mix_.order.begin(), mix_.order.begin() + static_cast<ptrdiff_t>(count));
      return kept;
    };
    auto judge = [&](size_t count) -> Result<Drop> {
      progress("judge", judgements++, 0);
      OREE_TRY_ASSIGN(const Plan plan, corrected_plan(in_float(count)));
      return judged(plan);
    };
    OREE_TRY_ASSIGN(const Drop whole, judge(0));
    drops_ = {{0, whole}};
    if (whole.lost() <= options_.drop_max) return {};
    if (float_macs_max > 0) {
      OREE_TRY_ASSIGN(mix_, mix(float_macs_max, true));
    }
    OREE_TRY_ASSIGN(drops_, fewest_in_float(mix_.order.size(), options_.drop_max, [&](size_t count) {
                      return count == 0 ? Result<Drop>(whole) : judge(count);
                    }));
    mix_.choice.kept = in_float(drops_.back().layers_float);
    OREE_TRY_ASSIGN(const Plan plan, plan_for(mix_.choice.kept));
    OREE_TRY_ASSIGN(mix_.choice.after, noise(plan));
    return {};
  }

  Result<Quantized> finished(const Plan& plan, const MixChoice& choice) {
    Quantized out;
    OREE_TRY_ASSIGN(out.graph, emitted(plan));
    std::vector<ValueId> inside;
    for (const Compared& c : compared_values(graph_)) {
      if (c.place < 0) inside.push_back(c.value);
    }
    OREE_TRY_ASSIGN(const TurnedResults turned, turn_tail(out.graph, plan, inside));
    OREE_TRY_ASSIGN(IoType io, io_of(options_));
    OREE_TRY_ASSIGN(out.report.ports, make_io(out.graph, io));
    Graph seen = out.graph;
    turn_back(seen, turned);
    OREE_TRY(measure(plan, seen, out.report.ports));
    report(plan, choice, out.report);
    return out;
  }

  Status measure(const Plan& plan, const Graph& quantized, const std::vector<Port>& ports) {
    if (!options_.measure) {
      measured_.not_run = "not asked for";
      return {};
    }
    std::vector<NamedTensors> few(few_.begin(),
                                  few_.begin() + static_cast<ptrdiff_t>(std::min(few_.size(), kSamplesMeasured)));
    const bool beside = options_.threads > 1 && alone_;
    OREE_TRY_ASSIGN(measured_,
                    measure_in_engine(files_, graph_, quantized, plan, few,
                                      {options_.threads, options_.scratch, true, beside, integer_ports(ports)}));
    if (measured_.refused) return measured_.refused->within(fmt::format("{} refuses the result", measured_.engine));
    return {};
  }

  // --- report
  std::string name_of(NodeId n) const {
    for (ValueId v : graph_.node(n).outputs) {
      if (v != kNoValue) return graph_.value(v).name;
    }
    return "";
  }

  LayerReport report_layer(const Plan& plan, NodeId n) const {
    LayerReport layer;
    layer.name = name_of(n);
    layer.op = op_name(graph_.node(n));
    layer.macs = std::max<int64_t>(0, macs_of(sized_, sized_.node(n)));
    layer.integer = plan.placement.integer(n);
    if (!layer.integer) {
      layer.because = plan.placement.float_because[static_cast<size_t>(n)];
      return layer;
    }
    for (const auto& [node, noise] : measured_.layers) {
      if (node == n) layer.sqnr_db = noise.sqnr_db();
    }
    ValueId result = plan.placement.layers[static_cast<size_t>(plan.placement.layer_of[static_cast<size_t>(n)])].result;
    auto seen = calibration_.statistics.find(result);
    if (seen == calibration_.statistics.end()) return layer;
    const Histogram& h = seen->second.histogram;
    layer.seen = {h.min(), h.max()};
    layer.bars = h.bars(kBars);
    if (plan.placement.quantized(result)) {
      int group = plan.placement.group_of[static_cast<size_t>(result)];
      layer.taken = covered(plan.groups[static_cast<size_t>(group)], dialect_.activations);
    }
    return layer;
  }

  void report(const Plan& plan, const MixChoice& choice, QuantizeReport& out) const {
    out.engine = dialect_.engine;
    out.precision = options_.precision;
    out.calibration_engine = calibration_.engine;
    out.samples = calibration_.samples;
    out.bad = calibration_.bad;
    for (NodeId n : graph_.order()) {
      LayerReport layer = report_layer(plan, n);
      out.macs += layer.macs;
      if (layer.integer) out.macs_integer += layer.macs;
      if (layer.integer || !layer.because.empty()) out.layers.push_back(std::move(layer));
    }
    for (const Trial& t : mix_.trials) {
      out.trials.push_back(
          {name_of(t.node), t.noise_left, t.macs_share, t.border_elements, choice.kept.contains(t.node)});
    }
    out.steps = steps_;
    out.joins = joins_;
    report_outputs(graph_, mix_.before, choice.after, measured_, out);
  }

  Files& files_;
  const Graph& graph_;
  const Graph sized_ = sized_for_counting(graph_);
  Dataset& data_;
  const QuantizeOptions& options_;
  Dialect dialect_;
  std::set<NodeId> kept_;
  std::vector<Join> joins_;
  Calibration calibration_;
  Planner planner_;
  std::vector<NamedTensors> many_, few_;
  OutputReference reference_;  // of few_
  LayerValues float_values_;   // of many_
  std::vector<Noise> first_;   // all that may be in integers
  std::optional<Reconstructor> rounder_;
  Mix mix_;
  std::vector<StepReport> steps_;
  std::vector<DropTrial> drops_;
  bool alone_ = true;  // no other graph is looked at beside
  EngineAccuracy measured_;
};

}  // namespace

Result<FirstQuantized> quantize_graph(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options,
                                      const Dialect& dialect, const std::function<Status()>& beside) {
  Quantizer quantizer(files, graph, data, options, dialect);
  FirstQuantized out;
  OREE_TRY_ASSIGN(out.quantized, quantizer.run(beside));
  out.channel_sizes = quantizer.calibration().channel_sizes;
  return out;
}

Result<FirstLook> first_look(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options,
                             const Dialect& dialect, bool weights) {
  return Quantizer(files, graph, data, options, dialect).first_look(weights);
}

}  // namespace oree
