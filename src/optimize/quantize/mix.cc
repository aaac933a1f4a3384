// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/mix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "core/base/parallel.h"
#include "model/ops/analyze.h"
#include "optimize/quantize/emit.h"
#include "optimize/quantize/prepare.h"

namespace oree {
namespace {

// What turning one element from integers to float or back costs, in multiply-accumulates of a convolution: both are
// bound by memory and by vector units that do some 16 at once.
constexpr double kBorderMacs = 16;
constexpr size_t kTriedNext = 3;     // layers
constexpr size_t kSamplesTried = 2;  // of the reference's: they tell which layer helps; choosing takes all

class Mixer {
 public:
  Mixer(Files& files, const Graph& graph, const PlanFor& plan_for, const std::set<NodeId>& kept,
        const OutputReference& reference, const std::vector<Noise>& before, const MixOptions& options)
      : files_(files),
        graph_(graph),
        sized_(sized_for_counting(graph)),
        plan_for_(plan_for),
        reference_(reference),
        options_(options) {
    mix_.choice = {kept, before};
    mix_.before = before;
    one_ = {1, options.scratch};
  }

  Result<Mix> run() {
    for (NodeId n : graph_.order()) macs_ += std::max<int64_t>(0, macs_of(sized_, sized_.node(n)));
    const bool enough = near_enough(mix_.before) && !options_.list_only;
    if (enough || float_macs_most() <= 0) return std::move(mix_);
    OREE_TRY_ASSIGN(Plan plan, plan_for_(mix_.choice.kept));
    one_.fused = exact_here(plan.dialect);
    Graph quantized = graph_;
    OREE_TRY(emit(quantized, plan));
    OREE_TRY(measure_layers(plan, quantized));
    list_candidates(plan);
    OREE_TRY(try_layers());
    sort_trials();
    if (options_.list_only) {
      bound_order();
      return std::move(mix_);
    }
    OREE_TRY(choose(options_.float_macs_max, mix_.choice));
    if (options_.float_macs_more > options_.float_macs_max) {
      MixChoice more = mix_.choice;
      OREE_TRY(choose(options_.float_macs_more, more));
      if (more.kept != mix_.choice.kept) mix_.more = std::move(more);
    }
    return std::move(mix_);
  }

 private:
  bool near_enough(const std::vector<Noise>& noises) const {
    return std::ranges::all_of(noises, [&](const Noise& n) { return n.sqnr_db() >= options_.enough_db; });
  }

  Status measure_layers(const Plan& plan, const Graph& quantized) {
    std::vector<ValueId> values;
    std::vector<NodeId> nodes;
    for (const LayerPlace& layer : plan.placement.layers) {
      if (layer.role == Role::kMoves || graph_.node(layer.node).outputs.size() != 1) continue;
      values.push_back(layer.result);
      nodes.push_back(layer.node);
    }
    std::vector<ValueId> second = values;
    for (const Compared& c : reference_.values()) {
      values.push_back(c.value);
      second.push_back(c.in(quantized));
    }
    const std::vector<NamedTensors>& samples = reference_.samples();
    const std::vector<NamedTensors> few(
        samples.begin(), samples.begin() + static_cast<ptrdiff_t>(std::min(kSamplesTried, samples.size())));
    CompareOptions how = one_;
    how.beside = options_.threads > 1;
    OREE_TRY_ASSIGN(std::vector<Noise> noises, compare_graphs(files_, graph_, values, quantized, second, few, how));
    before_few_.assign(noises.begin() + std::ssize(nodes), noises.end());
    for (size_t i = 0; i < nodes.size(); ++i) {
      mix_.layer_noise[nodes[i]] = noises[i];
      noise_of_value_[values[i]] = noises[i].ratio();
    }
    return {};
  }

  // Those first whose results are further from float than what they take.
  void list_candidates(const Plan& plan) {
    std::vector<std::pair<double, Trial>> found;
    for (const LayerPlace& layer : plan.placement.layers) {
      auto noise = mix_.layer_noise.find(layer.node);
      if (noise == mix_.layer_noise.end()) continue;
      const Node& node = graph_.node(layer.node);
      Trial trial;
      trial.node = layer.node;
      trial.macs_share = macs_share(layer.node);
      if (trial.macs_share > float_macs_most()) continue;
      double taken = 0;
      for (size_t i : operands_of(graph_, node, layer.role)) {
        trial.border_elements += elements(node.inputs[i]);
        auto before = noise_of_value_.find(node.inputs[i]);
        if (before != noise_of_value_.end()) taken = std::max(taken, before->second);
      }
      trial.border_elements += elements(layer.result);
      found.emplace_back(noise->second.ratio() - taken, trial);
    }
    std::ranges::stable_sort(found, std::greater<>(), [](const auto& f) { return f.first; });
    for (const auto& [added, trial] : found) {
      if (std::ssize(mix_.trials) < options_.tries_max) mix_.trials.push_back(trial);
      mix_.order.push_back(trial.node);
    }
  }

  double float_macs_most() const { return std::max(options_.float_macs_max, options_.float_macs_more); }

  double macs_share(NodeId n) const {
    const auto macs = static_cast<double>(macs_of(sized_, sized_.node(n)));  // -1: not known
    return macs_ > 0 ? std::max(0.0, macs) / static_cast<double>(macs_) : 0;
  }

  int64_t elements(ValueId v) const {
    const std::optional<Dims>& dims = sized_.value(v).dims;
    if (!dims) return 0;
    Result<int64_t> count = shape_elements(to_shape(*dims));
    return count.ok() ? *count : 0;
  }

  Result<std::vector<Noise>> noise_with(const std::set<NodeId>& kept, size_t samples_max) const {
    OREE_TRY_ASSIGN(Plan plan, plan_for_(kept));
    Graph quantized = graph_;
    OREE_TRY(emit(quantized, plan));
    return reference_.compare(files_, quantized, one_, samples_max);
  }

  // Half of them, then some at a time while any of the last ones is of use.
  Status try_layers() {
    size_t tried = 0, end = (mix_.trials.size() + 1) / 2;
    while (tried < end) {
      OREE_TRY(try_some(tried, end));
      const bool any = std::any_of(mix_.trials.begin() + static_cast<ptrdiff_t>(tried),
                                   mix_.trials.begin() + static_cast<ptrdiff_t>(end),
                                   [&](const Trial& t) { return t.noise_left <= options_.noise_good; });
      tried = end;
      if (any) end = std::min(mix_.trials.size(), tried + kTriedNext);
    }
    mix_.trials.resize(tried);
    return {};
  }

  Status try_some(size_t begin, size_t end) {
    std::vector<std::set<NodeId>> kept;
    for (size_t i = begin; i < end; ++i) {
      kept.push_back(mix_.choice.kept);
      kept.back().insert(mix_.trials[i].node);
    }
    OREE_TRY_ASSIGN(const std::vector<std::vector<Noise>> noises, noises_with(kept, kSamplesTried, [&](size_t done) {
                      if (options_.progress) options_.progress(begin + done, mix_.trials.size());
                    }));
    for (size_t i = begin; i < end; ++i) mix_.trials[i].noise_left = noise_left(noises[i - begin], before_few_);
    return {};
  }

  // Several at once, each on one thread; `tell` is called by one at a time.
  Result<std::vector<std::vector<Noise>>> noises_with(const std::vector<std::set<NodeId>>& kept, size_t samples_max,
                                                      const std::function<void(size_t done)>& tell) const {
    std::vector<std::vector<Noise>> found(kept.size());
    std::mutex mutex;
    size_t done = 0;
    OREE_TRY(each_in_parallel(kept.size(), options_.threads, [&](size_t i) -> Status {
      OREE_TRY_ASSIGN(found[i], noise_with(kept[i], samples_max));
      std::lock_guard<std::mutex> lock(mutex);
      tell(++done);
      return {};
    }));
    return found;
  }

  size_t threads_at_once() const { return static_cast<size_t>(std::max(1, options_.threads)); }

  double price(const Trial& t) const {
    return t.macs_share * static_cast<double>(macs_) + kBorderMacs * static_cast<double>(t.border_elements) + 1;
  }

  // By the noise that a layer takes away by what it costs.
  void sort_trials() {
    std::ranges::stable_sort(mix_.trials, std::greater<>(),
                             [&](const Trial& t) { return (1 - t.noise_left) / price(t); });
    std::vector<NodeId> helped;
    for (const Trial& t : mix_.trials) {
      if (t.noise_left <= kNoiseKept) helped.push_back(t.node);
    }
    std::erase_if(mix_.order, [&](NodeId n) { return std::ranges::find(helped, n) != helped.end(); });
    mix_.order.insert(mix_.order.begin(), helped.begin(), helped.end());
  }

  // Together they may all be in float.
  void bound_order() {
    double share = 0;
    std::erase_if(mix_.order, [&](NodeId n) {
      const double more = macs_share(n);
      const bool too_much = share + more > options_.float_macs_max;
      if (!too_much) share += more;
      return too_much;
    });
  }

  // Each in turn, when it lowers what is left. Most do: some more are tried at once as if those before them did.
  Status choose(double float_macs_max, MixChoice& choice) const {
    double share = 0;
    for (const Trial& t : mix_.trials) share += choice.kept.contains(t.node) ? t.macs_share : 0;
    size_t at = 0;
    while (!near_enough(choice.after)) {
      std::vector<size_t> next;
      std::vector<std::set<NodeId>> kept;
      double more = share;
      for (size_t i = at; i < mix_.trials.size() && next.size() < threads_at_once(); ++i) {
        const Trial& t = mix_.trials[i];
        if (t.noise_left > kNoiseKept || choice.kept.contains(t.node) || more + t.macs_share > float_macs_max) continue;
        more += t.macs_share;
        next.push_back(i);
        kept.push_back(kept.empty() ? choice.kept : kept.back());
        kept.back().insert(t.node);
      }
      if (next.empty()) break;
      OREE_TRY_ASSIGN(const std::vector<std::vector<Noise>> noises, noises_with(kept, SIZE_MAX, [](size_t) {}));
      for (size_t k = 0; k < next.size() && !near_enough(choice.after); ++k) {
        at = next[k] + 1;
        if (noise_left(noises[k], choice.after) > kNoiseKept) break;
        choice = {kept[k], noises[k]};
        share += mix_.trials[next[k]].macs_share;
      }
    }
    return {};
  }

  Files& files_;
  const Graph& graph_;
  const Graph sized_;
  const PlanFor& plan_for_;
  const OutputReference& reference_;
  const MixOptions& options_;
  CompareOptions one_;  // a trial runs on one thread: the same bits whatever else runs
  int64_t macs_ = 0;
  std::vector<Noise> before_few_;
  std::map<ValueId, double> noise_of_value_;
  Mix mix_;
};

}  // namespace

Result<Mix> choose_mix(Files& files, const Graph& graph, const PlanFor& plan_for, const std::set<NodeId>& kept,
                       const OutputReference& reference, const std::vector<Noise>& before, const MixOptions& options) {
  return Mixer(files, graph, plan_for, kept, reference, before, options).run();
}

}  // namespace oree
