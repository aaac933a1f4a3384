// SPDX-License-Identifier: Apache-2.0
#include "model/ops/analyze.h"

#include <algorithm>
#include <set>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

constexpr std::string_view kTfliteOperators = "tflite";  // a file's own, as model/tflite reads them

bool is_view(const Node& node) {
  static const std::set<std::string_view> views = {"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};
  static const std::set<std::string_view> tflite_views = {"EXPAND_DIMS", "RESHAPE", "SQUEEZE"};
  return (node.domain.empty() && views.contains(node.op)) ||
         (node.domain == kTfliteOperators && tflite_views.contains(node.op));
}

// Is what it makes of constants always the same?
bool repeats(const Node& node) {
  if (node.inputs.empty() || !node.blocks.empty()) return false;
  if (node.domain == kTfliteOperators) return node.op.find("RANDOM") == std::string::npos && node.op != "MULTINOMIAL";
  const OpDef* def = find_op(node);
  return def != nullptr && !def->has(kRandom);
}

// The value that a view shows; kNoValue: it is none.
ValueId viewed(const Graph& graph, ValueId value) {
  const Value& v = graph.value(value);
  if (v.producer == kNoNode || v.producer_output != 0 || !is_view(graph.node(v.producer))) return kNoValue;
  return graph.node(v.producer).input(0);
}

// Memory of one block: which values are there at which step of its order.
class Liveness {
 public:
  Liveness(const Graph& graph, Cost& cost)
      : graph_(graph), cost_(cost), storage_(graph.value_count(), kNoValue), fixed_(fixed_values(graph)) {}

  // The most that this block's own values need at once, bodies included; `steps` gets it node by node.
  int64_t peak(BlockId id, std::span<const NodeId> order, std::vector<int64_t>* steps) {
    const Block& block = graph_.block(id);
    std::map<ValueId, std::pair<size_t, size_t>> lives;  // storage -> first and last step
    const size_t end = std::max<size_t>(order.size(), 1) - 1;
    for (ValueId v : block.inputs) lives.try_emplace(v, 0, 0);
    if (id == kMainBlock) {
      for (const State& s : graph_.states()) lives.try_emplace(s.input, 0, end);
    }
    for (size_t i = 0; i < order.size(); ++i) {
      for (ValueId v : graph_.node(order[i]).outputs) {
        if (v != kNoValue && !fixed_[static_cast<size_t>(v)] && storage(v) == v) lives.try_emplace(v, i, i);
      }
      use(order[i], i, lives);
    }
    auto keep = [&](ValueId v) {
      if (auto it = lives.find(storage(v)); it != lives.end()) it->second.second = end;
    };
    std::ranges::for_each(block.outputs, keep);
    if (id == kMainBlock) {
      for (const State& s : graph_.states()) keep(s.output);
    }
    std::vector<int64_t> live(end + 2, 0);
    for (const auto& [v, life] : lives) {
      const int64_t bytes = bytes_of(graph_, v);
      cost_.values_unknown += bytes < 0 ? 1 : 0;
      live[life.first] += std::max<int64_t>(bytes, 0);
      live[life.second + 1] -= std::max<int64_t>(bytes, 0);
    }
    for (size_t i = 1; i < live.size(); ++i) live[i] += live[i - 1];
    live.pop_back();
    for (size_t i = 0; i < order.size(); ++i) live[i] += bodies(graph_.node(order[i]));
    if (steps != nullptr) *steps = live;
    return *std::ranges::max_element(live);
  }

 private:
  // storage_of(), each step of a chain of views walked once.
  ValueId storage(ValueId value) {
    std::vector<ValueId> chain;
    while (storage_[static_cast<size_t>(value)] == kNoValue && viewed(graph_, value) != kNoValue) {
      chain.push_back(value);
      value = viewed(graph_, value);
    }
    const ValueId known = storage_[static_cast<size_t>(value)];
    const ValueId root = known != kNoValue ? known : value;
    for (ValueId v : chain) storage_[static_cast<size_t>(v)] = root;
    return root;
  }

  // Of the bodies of a node only one runs at a time.
  int64_t bodies(const Node& node) {
    int64_t most = 0;
    for (const auto& [name, body] : node.blocks) most = std::max(most, peak(body, graph_.order(body), nullptr));
    return most;
  }

  // What the node uses, in its bodies too, is there at its step.
  void use(NodeId id, size_t step, std::map<ValueId, std::pair<size_t, size_t>>& lives) {
    auto touch = [&](ValueId v) {
      if (v == kNoValue) return;
      if (auto it = lives.find(storage(v)); it != lives.end()) it->second.second = std::max(it->second.second, step);
    };
    std::vector<NodeId> inside{id};
    while (!inside.empty()) {
      const Node& node = graph_.node(inside.back());
      inside.pop_back();
      std::ranges::for_each(node.inputs, touch);
      for (const auto& [name, body] : node.blocks) {
        std::ranges::for_each(graph_.block(body).outputs, touch);
        for (NodeId n : graph_.block(body).nodes) {
          if (!graph_.node(n).removed) inside.push_back(n);
        }
      }
    }
  }

  const Graph& graph_;
  Cost& cost_;
  std::vector<ValueId> storage_;
  std::vector<bool> fixed_;
};

void count_macs(const Graph& graph, const Node& node, int64_t macs, Cost& cost) {
  if (macs == 0) return;
  const std::string name = op_name(node);
  const std::optional<int64_t> total = macs < 0 ? std::nullopt : sum(cost.macs, macs);
  if (!total || (node.block != kMainBlock && graph.block(node.block).owner != kNoNode)) {
    ++cost.macs_unknown[name];
    return;
  }
  cost.macs = *total;
  cost.macs_by_op[name] += macs;
}

void count_constants(const Graph& graph, Cost& cost) {
  std::set<const uint8_t*> seen;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    auto id = static_cast<ValueId>(i);
    const Value& v = graph.value(id);
    if (!v.constant || graph.unused(id)) continue;
    const Dtype dtype = v.constant->dtype();
    if (v.constant->elements() > 0 && !seen.insert(v.constant->bytes().data()).second) continue;
    cost.constant_bytes[dtype_name(dtype)] += static_cast<int64_t>(v.constant->bytes().size());
    if (holds_parameters(v)) cost.parameters += v.constant->elements();
  }
}

}  // namespace

std::string op_name(const Node& node) { return node.domain.empty() ? node.op : node.domain + "." + node.op; }

ValueId storage_of(const Graph& graph, ValueId value) {
  for (ValueId next = viewed(graph, value); next != kNoValue; next = viewed(graph, next)) value = next;
  return value;
}

int64_t bytes_of(const Graph& graph, ValueId value) {
  const Value& v = graph.value(value);
  std::optional<Shape> shape = v.dims && v.dtype ? known_shape(*v.dims) : std::nullopt;
  if (!shape) return -1;
  Result<int64_t> elements = shape_elements(*shape);
  return elements.ok() ? static_cast<int64_t>(dtype_bytes(*v.dtype, *elements)) : -1;
}

bool holds_parameters(const Value& constant) {
  const Dtype dtype = constant.constant->dtype();
  const bool small = dtype_bits(dtype) <= 8 && dtype != Dtype::kBool;
  return dtype_is_float(dtype) || small || constant.quantization;
}

std::vector<bool> fixed_values(const Graph& graph) {
  std::vector<bool> fixed(graph.value_count(), false);
  for (size_t v = 0; v < fixed.size(); ++v) fixed[v] = graph.value(static_cast<ValueId>(v)).is_constant();
  std::set<ValueId> outputs;
  for (const State& s : graph.states()) outputs.insert(s.output);
  for (size_t b = 0; b < graph.block_count(); ++b) {
    const std::vector<ValueId>& list = graph.block(static_cast<BlockId>(b)).outputs;
    outputs.insert(list.begin(), list.end());
  }
  for (size_t b = 0; b < graph.block_count(); ++b) {
    const Block& block = graph.block(static_cast<BlockId>(b));
    if (b != kMainBlock && (block.owner == kNoNode || graph.node(block.owner).removed)) continue;
    for (NodeId id : graph.order(static_cast<BlockId>(b))) {
      const Node& node = graph.node(id);
      auto is_fixed = [&](ValueId v) { return v == kNoValue || fixed[static_cast<size_t>(v)]; };
      if (!repeats(node) || !std::ranges::all_of(node.inputs, is_fixed)) continue;
      for (ValueId v : node.outputs) {
        if (v != kNoValue && !outputs.contains(v)) fixed[static_cast<size_t>(v)] = true;
      }
    }
  }
  return fixed;
}

int64_t macs_of(const Graph& graph, const Node& node) {
  const OpDef* def = find_op(node);
  return def != nullptr && def->macs != nullptr ? def->macs(graph, node) : 0;
}

Cost analyze(const Graph& graph, MacsOf macs) { return analyze(graph, graph.order(), macs); }

Cost analyze(const Graph& graph, std::span<const NodeId> order, MacsOf macs) {
  Cost cost;
  std::vector<int64_t> live;
  cost.live_bytes_peak = Liveness(graph, cost).peak(kMainBlock, order, &live);
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    count_macs(graph, node, macs(graph, node), cost);
  }
  for (size_t i = 0; i < order.size(); ++i) {
    cost.nodes.push_back({order[i], macs(graph, graph.node(order[i])), live[i]});
    if (live[i] == cost.live_bytes_peak && cost.peak_node == kNoNode) cost.peak_node = order[i];
  }
  count_constants(graph, cost);
  return cost;
}

}  // namespace oree
