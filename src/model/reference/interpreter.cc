// SPDX-License-Identifier: Apache-2.0
#include "model/reference/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "core/base/limits.h"
#include "model/ops/op_def.h"
#include "model/reference/kernel.h"

namespace oree {
namespace {

std::string node_text(const Node& node) {
  return fmt::format("{}{}{} '{}'", node.domain, node.domain.empty() ? "" : "::", node.op, node.name);
}

Result<const KernelEntry*> kernel_of(const Graph& graph, const Node& node) {
  if (const KernelEntry* entry = find_kernel_entry(graph, node)) return entry;
  return Error(Code::kUnsupported, node_text(node) + ": the reference has no kernel for it");
}

// One call, after what the kernel's entry asks for has been checked.
Result<std::vector<Tensor>> call_kernel(const Graph& graph, const Node& node, const KernelEntry& entry,
                                        std::span<const Tensor* const> inputs, BlockRunner& blocks,
                                        ReferenceLimits& left) {
  for (int i = 0; i < entry.inputs; ++i) {
    if (static_cast<size_t>(i) >= inputs.size() || !inputs[static_cast<size_t>(i)]) {
      return Error(Code::kInvalid, fmt::format("{}: input {} is missing", node_text(node), i));
    }
  }
  std::vector<Tensor> outputs(node.outputs.size());
  KernelCall call{graph, node, inputs, outputs, blocks, left};
  auto elements = [](double n, const Tensor* t) { return t ? n + static_cast<double>(t->elements()) : n; };
  OREE_TRY(call.affordable(std::accumulate(inputs.begin(), inputs.end(), 1.0, elements)));
  OREE_TRY(entry.kernel(call));
  double made = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    made = elements(made, &outputs[i]);
    // A tensor has elements or a dimension of 0: this is none.
    if (call.wants(i) && outputs[i].shape().empty() && outputs[i].elements() == 0)
      return Error(Code::kInvalid, fmt::format("{}: has no output {}", node_text(node), i));
  }
  OREE_TRY(call.affordable(made));
  return outputs;
}

bool matches(const Tensor& tensor, const Value& value) {
  if (value.dtype && *value.dtype != tensor.dtype()) return false;
  if (!value.dims) return true;
  if (value.dims->size() != tensor.shape().size()) return false;
  for (size_t d = 0; d < value.dims->size(); ++d) {
    const Dim& dim = (*value.dims)[d];
    if (dim.known() && dim.size != tensor.shape()[d]) return false;
  }
  return true;
}

// What can be known of a block before it runs.
struct Plan {
  struct Step {
    NodeId node;
    const KernelEntry* entry;
    std::vector<ValueId> last;  // not used any more after this step
  };
  std::vector<Step> steps;
};

}  // namespace

struct Interpreter::Impl : BlockRunner {
  Impl(const Graph& g, const ReferenceLimits& l) : graph(g), limits(l), left(l), values(g.value_count()) {}

  Status prepare();
  Status prepare_block(BlockId id, int depth);
  void find_last_uses(BlockId id, Plan& plan) const;
  Result<const Tensor*> look_up(ValueId id, const Node& node);
  Status run_step(const Plan::Step& step);
  Result<std::vector<Tensor>> run_block(BlockId id, std::vector<Tensor> inputs) override;
  Result<std::vector<Tensor>> collect_outputs(BlockId id);
  Status put(ValueId id, Tensor tensor);
  void drop(ValueId id);
  void reset_states();
  Result<std::vector<Tensor>> sort_inputs(const NamedTensors& inputs) const;
  Result<NamedTensors> run(const NamedTensors& inputs);

  const Graph& graph;
  const ReferenceLimits limits;
  ReferenceLimits left;                                // of the run that goes on
  std::vector<Plan> plans;                             // of each block
  std::unordered_multimap<ValueId, NodeId> handed_on;  // what bodies hand on without any node, and who holds the body
  std::vector<std::unique_ptr<Tensor>> values;    // those that are alive, of all blocks: no body runs within itself
  std::unordered_map<ValueId, Tensor> constants;  // those that have been used
  std::vector<Tensor> states;
  Observer observer;
};

Status Interpreter::Impl::prepare() {
  plans.resize(graph.block_count());
  for (size_t b = 1; b < graph.block_count(); ++b) {
    const Block& block = graph.block(static_cast<BlockId>(b));
    if (block.owner == kNoNode || graph.node(block.owner).removed) continue;
    for (ValueId v : block.outputs) handed_on.emplace(v, block.owner);
  }
  OREE_TRY(prepare_block(kMainBlock, 0));
  reset_states();
  return {};
}

Status Interpreter::Impl::prepare_block(BlockId id, int depth) {
  if (depth > kModelNestingMax) {
    return Error(Code::kUnsupported, fmt::format("bodies are nested deeper than {}", kModelNestingMax));
  }
  Plan plan;
  for (NodeId n : graph.order(id)) {
    const Node& node = graph.node(n);
    if (std::ranges::all_of(node.outputs, [](ValueId v) { return v == kNoValue; })) continue;
    OREE_TRY_ASSIGN(const KernelEntry* entry, kernel_of(graph, node));
    plan.steps.push_back({n, entry, {}});
    for (const auto& [name, body] : node.blocks) OREE_TRY(prepare_block(body, depth + 1));
  }
  find_last_uses(id, plan);
  plans[static_cast<size_t>(id)] = std::move(plan);
  return {};
}

void Interpreter::Impl::find_last_uses(BlockId id, Plan& plan) const {
  std::unordered_map<NodeId, size_t> position;
  for (size_t i = 0; i < plan.steps.size(); ++i) position.emplace(plan.steps[i].node, i);
  // A use within a body is one by the node of this block that holds the body.
  auto step_of = [&](NodeId user) {
    while (user != kNoNode && graph.node(user).block != id) user = graph.block(graph.node(user).block).owner;
    auto it = position.find(user);
    return it == position.end() ? size_t{0} : it->second;
  };
  const Block& block = graph.block(id);
  std::vector<ValueId> kept = block.outputs;
  if (id == kMainBlock) {
    for (const State& s : graph.states()) kept.push_back(s.output);
  }
  auto free_after = [&](ValueId v, size_t made) {
    if (v == kNoValue || std::ranges::find(kept, v) != kept.end()) return;
    size_t last = made;
    for (NodeId user : graph.value(v).users) last = std::max(last, step_of(user));
    auto [first, end] = handed_on.equal_range(v);
    for (auto it = first; it != end; ++it) last = std::max(last, step_of(it->second));
    if (last < plan.steps.size()) plan.steps[last].last.push_back(v);
  };
  for (ValueId v : block.inputs) free_after(v, 0);
  if (id == kMainBlock) {
    for (const State& s : graph.states()) free_after(s.input, 0);
  }
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (ValueId v : graph.node(plan.steps[i].node).outputs) free_after(v, i);
  }
}

Status Interpreter::Impl::put(ValueId id, Tensor tensor) {
  if (observer) observer(id, tensor);
  drop(id);
  left.live_bytes -= static_cast<int64_t>(tensor.byte_size());
  values[static_cast<size_t>(id)] = std::make_unique<Tensor>(std::move(tensor));
  if (left.live_bytes >= 0) return {};
  return Error(Code::kExhausted, fmt::format("with '{}', more than {} bytes are in use at a time", graph.value(id).name,
                                             limits.live_bytes));
}

void Interpreter::Impl::drop(ValueId id) {
  std::unique_ptr<Tensor>& value = values[static_cast<size_t>(id)];
  if (value) left.live_bytes += static_cast<int64_t>(value->byte_size());
  value.reset();
}

Result<const Tensor*> Interpreter::Impl::look_up(ValueId id, const Node& node) {
  if (id == kNoValue) return static_cast<const Tensor*>(nullptr);
  if (const Tensor* made = values[static_cast<size_t>(id)].get()) return made;
  const Constant* constant = graph.constant(id);
  if (!constant) {
    return Error(Code::kInvalid,
                 fmt::format("{}: nothing makes its input '{}'", node_text(node), graph.value(id).name));
  }
  auto it = constants.find(id);
  if (it == constants.end()) it = constants.emplace(id, constant->to_tensor()).first;
  return static_cast<const Tensor*>(&it->second);
}

namespace {

// What no inference has gone over: an operator of TFLite's own, and the type of a quantized value. Results are as the
// file says, or it is wrong.
Status check_declared(const Graph& graph, const Node& node, ValueId id, const Tensor& made) {
  const Value& v = graph.value(id);
  bool same = (!v.dtype || *v.dtype == made.dtype()) && (!v.dims || v.dims->size() == made.shape().size());
  for (size_t i = 0; same && v.dims && i < v.dims->size(); ++i) {
    const Dim& d = (*v.dims)[i];
    same = !d.known() || d.size == made.shape()[i];
  }
  if (same) return {};
  return Error(Code::kInvalid, fmt::format("{}: '{}' is {} {}, but the model says {} {}", node_text(node), v.name,
                                           dtype_name(made.dtype()), shape_text(made.shape()),
                                           v.dtype ? dtype_name(*v.dtype) : "?", v.dims ? dims_text(*v.dims) : "?"));
}

}  // namespace

Status Interpreter::Impl::run_step(const Plan::Step& step) {
  const Node& node = graph.node(step.node);
  std::vector<const Tensor*> inputs;
  for (ValueId id : node.inputs) {
    OREE_TRY_ASSIGN(const Tensor* tensor, look_up(id, node));
    inputs.push_back(tensor);
  }
  OREE_TRY_ASSIGN(std::vector<Tensor> outputs, call_kernel(graph, node, *step.entry, inputs, *this, left));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    bool declared = find_op(node) == nullptr || graph.value(node.outputs[i]).quantization;
    if (declared) OREE_TRY(check_declared(graph, node, node.outputs[i], outputs[i]));
    OREE_TRY(put(node.outputs[i], std::move(outputs[i])));
  }
  for (ValueId id : step.last) drop(id);
  return {};
}

Result<std::vector<Tensor>> Interpreter::Impl::run_block(BlockId id, std::vector<Tensor> inputs) {
  const Block& block = graph.block(id);
  if (inputs.size() != block.inputs.size()) {
    return Error(Code::kInvalid, fmt::format("a body of {} takes {} values, not {}",
                                             block.owner == kNoNode ? "?" : node_text(graph.node(block.owner)),
                                             block.inputs.size(), inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) OREE_TRY(put(block.inputs[i], std::move(inputs[i])));
  for (const Plan::Step& step : plans[static_cast<size_t>(id)].steps) OREE_TRY(run_step(step));
  return collect_outputs(id);
}

Result<std::vector<Tensor>> Interpreter::Impl::collect_outputs(BlockId id) {
  const Block& block = graph.block(id);
  std::vector<Tensor> out;
  for (ValueId v : block.outputs) {
    const Tensor* made = values[static_cast<size_t>(v)].get();
    const Constant* constant = graph.constant(v);
    if (!made && !constant) {
      return Error(Code::kInvalid, fmt::format("nothing makes the output '{}'", graph.value(v).name));
    }
    out.push_back(made ? *made : constant->to_tensor());
  }
  if (id == kMainBlock) return out;  // run() frees what is left
  // What this body made is not needed any more; what came from around it is.
  for (ValueId v : block.inputs) drop(v);
  for (const Plan::Step& step : plans[static_cast<size_t>(id)].steps) {
    for (ValueId v : graph.node(step.node).outputs) {
      if (v != kNoValue) drop(v);
    }
  }
  return out;
}

void Interpreter::Impl::reset_states() {
  states.clear();
  for (const State& s : graph.states()) states.push_back(s.initial.to_tensor());
}

Result<std::vector<Tensor>> Interpreter::Impl::sort_inputs(const NamedTensors& inputs) const {
  std::vector<Tensor> out;
  for (ValueId id : graph.main().inputs) {
    const Value& value = graph.value(id);
    auto it = std::ranges::find(inputs, value.name, &NamedTensor::name);
    if (it == inputs.end()) return Error(Code::kInvalid, fmt::format("no input '{}' was given", value.name));
    if (!matches(it->tensor, value)) {
      return Error(Code::kInvalid, fmt::format("input '{}' must be {} of shape {}, not {} of shape {}", value.name,
                                               value.dtype ? dtype_name(*value.dtype) : "anything",
                                               value.dims ? dims_text(*value.dims) : "?",
                                               dtype_name(it->tensor.dtype()), shape_text(it->tensor.shape())));
    }
    out.push_back(it->tensor);
  }
  for (const NamedTensor& given : inputs) {
    bool known =
        std::ranges::any_of(graph.main().inputs, [&](ValueId id) { return graph.value(id).name == given.name; });
    if (!known) return Error(Code::kInvalid, fmt::format("the graph has no input '{}'", given.name));
  }
  if (inputs.size() != out.size()) return Error(Code::kInvalid, "an input was given twice");
  return out;
}

Result<NamedTensors> Interpreter::Impl::run(const NamedTensors& inputs) {
  OREE_TRY_ASSIGN(std::vector<Tensor> sorted, sort_inputs(inputs));
  left = limits;
  for (size_t i = 0; i < states.size(); ++i) OREE_TRY(put(graph.states()[i].input, states[i]));
  OREE_TRY_ASSIGN(std::vector<Tensor> outputs, run_block(kMainBlock, std::move(sorted)));
  std::vector<Tensor> next;
  for (const State& s : graph.states()) {
    const Tensor* made = values[static_cast<size_t>(s.output)].get();
    const Constant* constant = graph.constant(s.output);
    if (!made && !constant) return Error(Code::kInvalid, fmt::format("nothing makes the next state '{}'", s.name));
    next.push_back(made ? *made : constant->to_tensor());
  }
  states = std::move(next);
  NamedTensors out;
  for (size_t i = 0; i < outputs.size(); ++i) {
    out.push_back({graph.value(graph.main().outputs[i]).name, std::move(outputs[i])});
  }
  return out;
}

Interpreter::Interpreter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Interpreter::Interpreter(Interpreter&&) noexcept = default;
Interpreter& Interpreter::operator=(Interpreter&&) noexcept = default;
Interpreter::~Interpreter() = default;

Result<Interpreter> Interpreter::create(const Graph& graph, const ReferenceLimits& limits) {
  auto impl = std::make_unique<Impl>(graph, limits);
  OREE_TRY(impl->prepare());
  return Interpreter(std::move(impl));
}

void Interpreter::observe(Observer observer) { impl_->observer = std::move(observer); }
void Interpreter::reset_states() { impl_->reset_states(); }

Result<NamedTensors> Interpreter::run(const NamedTensors& inputs) {
  Result<NamedTensors> out = impl_->run(inputs);
  for (std::unique_ptr<Tensor>& value : impl_->values) value.reset();  // after a failure, too
  return out;
}

Result<std::vector<Tensor>> evaluate_node(const Graph& graph, NodeId node, std::span<const Tensor* const> inputs,
                                          ReferenceLimits& left) {
  struct NoBlocks : BlockRunner {
    Result<std::vector<Tensor>> run_block(BlockId, std::vector<Tensor>) override {
      return Error(Code::kUnsupported, "bodies are not run here");
    }
  } no_blocks;
  const Node& n = graph.node(node);
  if (!n.blocks.empty()) return Error(Code::kUnsupported, node_text(n) + ": has bodies");
  OREE_TRY_ASSIGN(const KernelEntry* entry, kernel_of(graph, n));
  return call_kernel(graph, n, *entry, inputs, no_blocks, left);
}

}  // namespace oree
