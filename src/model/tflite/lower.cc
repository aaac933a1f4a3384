// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/passes/quantization_nodes.h"
#include "model/tflite/activation_bound.h"

namespace oree {
namespace {

using Handlers = std::map<std::string_view, LowerHandler>;

Handlers collect(std::initializer_list<std::span<const LowerEntry>> families) {
  Handlers out;
  for (std::span<const LowerEntry> family : families) {
    for (const LowerEntry& entry : family) OREE_ASSERT(out.emplace(entry.op, entry.handler).second);
  }
  return out;
}

const Handlers& composing() {
  static const Handlers table = collect({compose_activations(), compose_normalisation(), compose_windows(),
                                         compose_resize(), compose_reductions(), compose_indices(), compose_linear(),
                                         compose_recurrent(), compose_attention(), compose_sampling()});
  return table;
}
const Handlers& laying_out() {
  static const Handlers table = collect({lay_out_convolutions(), lay_out_pools(), lay_out_images()});
  return table;
}
const Handlers& lowering() {
  static const Handlers table = collect({lower_elementwise(), lower_movements(), lower_slices(), lower_reductions(),
                                         lower_linear(), lower_indices(), lower_control()});
  return table;
}

Result<bool> one_node(Graph& graph, NodeId id, LowerHandler handler, PermutedConstants& permuted) {
  Lower lower(graph, id, permuted);
  Result<bool> done = handler(lower);
  if (done.ok() && !lower.status().ok()) done = lower.status().error();
  done.ok() && *done ? lower.commit() : lower.roll_back();
  return done;
}

// How often one step may make nodes that it then works on again: a Conv of one dimension one of two, and that is it.
constexpr int kRoundsMax = 16;

Result<int> step(Graph& graph, const Handlers& handlers, bool all) {
  int changed = 0;
  PermutedConstants permuted;
  for (BlockId block = 0; block < static_cast<BlockId>(graph.block_count()); ++block) {
    NodeId owner = graph.block(block).owner;
    if (owner != kNoNode && graph.node(owner).removed) continue;
    for (NodeId id : graph.order(block)) {
      const Node& node = graph.node(id);
      if (node.removed || node.domain == kTfliteDomain || node.domain == kTfliteCustomDomain) continue;
      auto found = node.domain.empty() ? handlers.find(node.op) : handlers.end();
      if (found == handlers.end()) {
        if (!all) continue;
        std::string name = node.output(0) == kNoValue ? node.name : graph.value(node.outputs[0]).name;
        return Error(Code::kUnsupported, fmt::format("{}{}{} '{}': TFLite has no operator for it", node.domain,
                                                     node.domain.empty() ? "" : ".", node.op, name));
      }
      OREE_TRY_ASSIGN(bool done, one_node(graph, id, found->second, permuted));
      changed += done;
    }
  }
  graph.sweep();
  return changed;
}

Status repeat(Graph& graph, const Handlers& handlers) {
  for (int round = 0; round < kRoundsMax; ++round) {
    OREE_TRY_ASSIGN(int changed, step(graph, handlers, false));
    if (changed == 0) return {};
  }
  return Error(Code::kInternal, "operators that are composed of each other without end");
}

}  // namespace

Status lower_to_tflite(Graph& graph) {
  OREE_TRY(repeat(graph, composing()));
  Result<int> folded = fold_constants(graph, kTfliteFoldedBytesMax);
  if (!folded.ok()) return folded.error();
  Result<int> simpler = simplify(graph);  // the Identities that composing ends in would be copies
  if (!simpler.ok()) return simpler.error();
  Result<int> laid_out = step(graph, laying_out(), false);
  if (!laid_out.ok()) return laid_out.error();
  Result<int> sunk = sink_transposes(graph);
  if (!sunk.ok()) return sunk.error();
  // What pads the layout asked for, and bounds of their activations, may be composed of others again.
  OREE_TRY(repeat(graph, composing()));
  // Nodes that lowering itself makes of ONNX's operators come in their turn.
  for (int round = 0; round < kRoundsMax; ++round) {
    OREE_TRY_ASSIGN(int lowered, step(graph, lowering(), true));
    if (lowered == 0) return {};
  }
  return Error(Code::kInternal, "operators that are lowered to each other without end");
}

bool lowers_to_tflite(std::string_view op) {
  return composing().contains(op) || laying_out().contains(op) || lowering().contains(op);
}

Result<std::vector<int64_t>> Lower::ints_or_none(size_t input) const {
  if (!has(input)) return std::vector<int64_t>();
  return ints(input);
}

std::optional<double> Lower::number_of(ValueId id) const {
  std::optional<Constant> c = constant_of(id);
  if (!c || c->elements() != 1) return std::nullopt;
  return c->to_doubles()[0];
}

Status Lower::want_type(ValueId id, std::string_view letters) const {
  std::optional<Dtype> type = dtype(id);
  if (!type) return unsupported(fmt::format("the type of '{}' is not known", value(id).name));
  static constexpr std::pair<Dtype, char> kLetters[] = {
      {Dtype::kFloat32, 'f'}, {Dtype::kInt32, 'i'},  {Dtype::kInt64, 'l'},   {Dtype::kBool, 'b'},
      {Dtype::kInt8, 'c'},    {Dtype::kUint8, 'C'},  {Dtype::kInt16, 's'},   {Dtype::kFloat16, 'h'},
      {Dtype::kUint32, 'I'},  {Dtype::kUint16, 'S'}, {Dtype::kFloat64, 'd'}, {Dtype::kInt4, 'n'}};
  for (const auto& [known, letter] : kLetters) {
    if (known == *type && letters.find(letter) != std::string_view::npos) return {};
  }
  return unsupported(fmt::format("TFLite's operator takes no {}", dtype_name(*type)));
}

ValueId Lower::emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, Dtype dtype, Dims dims,
                    ValueId like) {
  ValueId v = graph_.add_value(value(out()).name, dtype, std::move(dims));
  if (like != kNoValue) graph_.set_quantization(v, value(like).quantization);
  finish_emit_many(op, std::move(inputs), {v}, std::move(attributes));
  return v;
}

ValueId Lower::emit_like(ValueId like, std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return emit(op, std::move(inputs), std::move(attributes), dtype(like).value_or(Dtype::kFloat32),
              dims(like).value_or(Dims{}), like);
}

void Lower::finish_emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, size_t output) {
  finish_emit_many(op, std::move(inputs), {out(output)}, std::move(attributes));
}

void Lower::finish_emit_many(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                             Attributes attributes) {
  OREE_ASSERT(find_tflite_builtin(op) != nullptr);
  put({.op = std::string(op),
       .domain = std::string(kTfliteDomain),
       .inputs = std::move(inputs),
       .outputs = std::move(outputs),
       .attributes = std::move(attributes)});
}

NodeId Lower::add_tflite_node(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  NodeId id = add_node(op, std::move(inputs), std::move(outputs));
  graph_.set_op(id, std::string(op), std::string(kTfliteDomain));
  return id;
}

ValueId Lower::zero_bias(int64_t channels) {
  const std::optional<Quantization>&x = value(in(0)).quantization, &w = value(in(1)).quantization;
  std::optional<Quantization> q;
  if (x && w) q = sum_quantization(*x, *w);
  Dtype type = !q ? Dtype::kFloat32 : dtype(in(0)) == Dtype::kInt16 ? Dtype::kInt64 : Dtype::kInt32;
  ValueId bias = zeros(type, {channels});
  graph_.set_quantization(bias, std::move(q));
  return bias;
}

ValueId Lower::int32s(std::span<const int64_t> values) {
  Tensor t(Dtype::kInt32, {static_cast<int64_t>(values.size())});
  std::ranges::transform(values, t.as<int32_t>().begin(),
                         [](int64_t v) { return static_cast<int32_t>(std::clamp<int64_t>(v, INT32_MIN, INT32_MAX)); });
  return constant(Constant(std::move(t)));
}

ValueId Lower::int32(int64_t value) { return number(Dtype::kInt32, static_cast<double>(value)); }

ValueId Lower::as_int32(ValueId id) {
  if (dtype(id) == Dtype::kInt32) return id;
  if (std::optional<Constant> c = constant_of(id)) {
    ValueId flat = int32s(c->to_ints());
    return reshape(flat, c->shape());
  }
  NodeId producer = value(id).producer;
  if (producer != kNoNode) {
    const Node& n = graph_.node(producer);
    bool cast = n.is("Cast") || (n.domain == kTfliteDomain && n.op == "CAST");
    if (cast && dtype(n.inputs[0]) == Dtype::kInt32) return n.inputs[0];
  }
  return emit("CAST", {id}, {{"in_data_type", int64_t{4}}, {"out_data_type", int64_t{2}}}, Dtype::kInt32,
              dims(id).value_or(Dims{}));
}

ValueId Lower::unsqueezed_constant(ValueId id, size_t axis) {
  std::optional<Constant> c = constant_of(id);
  if (!c) return add_like(id, "Unsqueeze", {id, ints_constant({static_cast<int64_t>(axis)})});
  Shape shape = c->shape();
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(axis), 1);
  std::optional<Quantization> q = value(id).quantization;
  if (q && q->axis >= static_cast<int>(axis)) ++q->axis;
  ValueId out = constant(c->reshaped(std::move(shape)), value(id).name);
  graph_.set_quantization(out, std::move(q));
  return out;
}

bool Lower::same_scale(const Value& a, const Value& b) { return a.quantization == b.quantization; }

int64_t Lower::absorb_activation() {
  NodeId user = graph_.only_user(out());
  if (user == kNoNode || graph_.node(user).block != block()) return kTfliteNoActivation;
  const Node& node = graph_.node(user);
  if (node.inputs[0] != out() || !same_scale(value(out()), value(node.outputs[0]))) return kTfliteNoActivation;
  std::optional<int64_t> activation = tflite_activation(graph_, node);
  if (!activation || *activation == kTfliteNoActivation) return kTfliteNoActivation;
  take_over(user);
  return *activation;
}

void Lower::take_over(NodeId user, size_t output) {
  ValueId result = graph_.node(user).outputs[0];
  graph_.remove_node(user);
  node_.outputs[output] = result;
}

bool Lower::is_zeros(ValueId id) const {
  if (std::optional<Constant> c = constant_of(id)) {
    return std::ranges::all_of(c->bytes(), [](uint8_t b) { return b == 0; });
  }
  NodeId producer = value(id).producer;
  if (producer == kNoNode) return false;
  const Node& node = graph_.node(producer);
  if (node.is("ConstantOfShape")) {
    const Attribute* given = node.find("value");
    const auto* held = given ? std::get_if<Constant>(given) : nullptr;
    return !held || std::ranges::all_of(held->bytes(), [](uint8_t b) { return b == 0; });
  }
  if (node.is("Expand")) return is_zeros(node.inputs[0]);
  return node.domain == kTfliteDomain && node.op == "FILL" && is_zeros(node.inputs[1]);
}

bool Lower::absorb_cast(Dtype to, size_t output) {
  NodeId user = graph_.only_user(out(output));
  if (user == kNoNode || !graph_.node(user).is("Cast") || graph_.node(user).block != block()) return false;
  if (dtype(graph_.node(user).outputs[0]) != to) return false;
  take_over(user, output);
  return true;
}

std::optional<int64_t> tflite_activation(const Graph& graph, const Node& node) {
  if (node.is("Relu")) return kTfliteRelu;
  if (!node.is("Clip") || node.output(0) == kNoValue) return std::nullopt;
  const Value& value = graph.value(node.outputs[0]);
  auto bound_is = [&](size_t input, double real) {
    ValueId v = node.input(input);
    const Constant* c = graph.constant(v);
    if (!c || c->elements() != 1) return false;
    double found = c->to_doubles()[0];
    if (!value.quantization || !value.dtype) return found == real;
    std::optional<Quantization> q = graph.value(v).quantization;
    if (!q) return found == real;
    return q == value.quantization && found == activation_bound(*value.quantization, *value.dtype, real);
  };
  bool open_above = node.input(2) == kNoValue || bound_is(2, INFINITY);
  if (bound_is(1, 0) && open_above && !value.quantization) return kTfliteRelu;
  if (bound_is(1, 0) && bound_is(2, 6)) return kTfliteRelu6;
  if (bound_is(1, -1) && bound_is(2, 1)) return kTfliteReluN1To1;
  return std::nullopt;
}

}  // namespace oree
