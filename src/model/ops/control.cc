// SPDX-License-Identifier: Apache-2.0
// Operators with bodies. A body's inputs get their types here, its nodes are then inferred, and its outputs say the
// node's.
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;
using Type = InferenceState::Type;

constexpr int kRoundsMax = 3;  // of a loop's body until what goes around keeps its type

BlockId body_of(const Node& node, std::string_view name) {
  auto it = std::ranges::find(node.blocks, name, &std::pair<std::string, BlockId>::first);
  OREE_ASSERT(it != node.blocks.end());  // check_node has looked
  return it->second;
}

Type type_of(const Graph& graph, ValueId value) { return {graph.value(value).dtype, graph.value(value).dims}; }

// What holds for both.
std::optional<Dims> common(const std::optional<Dims>& a, const std::optional<Dims>& b) {
  if (!a || !b || a->size() != b->size()) return std::nullopt;
  Dims out = *a;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] != (*b)[i]) out[i] = Dim();
  }
  return out;
}

Status infer_if(Inference& in) {
  OREE_TRY(want_dtype(in, 0, Dtype::kBool));
  if (std::optional<Dims> d = in.dims(0); d && product(*d).known() && product(*d).size != 1)
    return in.fail(fmt::format("a condition of {}", dims_text(*d)));
  const Graph& graph = in.graph();
  BlockId bodies[] = {body_of(in.node(), "then_branch"), body_of(in.node(), "else_branch")};
  for (BlockId b : bodies) {
    if (graph.block(b).outputs.size() != in.outputs() || !graph.block(b).inputs.empty())
      return in.fail("a branch's inputs or outputs are not those of the node");
  }
  std::optional<SymInts> condition = in.ints(0);
  if (condition && condition->size() == 1 && condition->front().value) {
    // The other branch never runs, so it need not fit.
    bool then = *condition->front().value != 0;
    Status other = in.infer_body(bodies[then ? 1 : 0]);
    OREE_TRY(in.infer_body(bodies[then ? 0 : 1]));
    for (size_t i = 0; i < in.outputs(); ++i) {
      Type t = type_of(graph, graph.block(bodies[then ? 0 : 1]).outputs[i]);
      in.set(i, t.dtype, t.dims);
    }
    return {};
  }
  Status fits[] = {in.infer_body(bodies[0]), in.infer_body(bodies[1])};
  if (!fits[0].ok() && !fits[1].ok()) return fits[0].error();
  for (size_t i = 0; i < in.outputs(); ++i) {
    Type a = type_of(graph, graph.block(bodies[0]).outputs[i]), b = type_of(graph, graph.block(bodies[1]).outputs[i]);
    if (!fits[0].ok()) a = b;
    if (!fits[1].ok()) b = a;
    if (a.dtype && b.dtype && a.dtype != b.dtype)
      return in.fail(fmt::format("output {} is {} or {}", i, dtype_name(*a.dtype), dtype_name(*b.dtype)));
    in.set(i, a.dtype ? a.dtype : b.dtype, common(a.dims, b.dims));
  }
  return {};
}

// What goes around a loop: node inputs from `node_input` on, body inputs from `body_input` on, body outputs from
// `body_output` on, `count` of each.
struct Carried {
  BlockId body;
  size_t count, node_input, body_input, body_output;
};

// Widens the types until a body makes what it takes; they are then those of the node's first outputs.
Status infer_carried(Inference& in, const Carried& c) {
  const Graph& graph = in.graph();
  std::vector<Type> types;
  for (size_t i = 0; i < c.count; ++i) types.push_back({in.dtype(c.node_input + i), in.dims(c.node_input + i)});
  for (int round = 0;; ++round) {
    const bool coarse = round == kRoundsMax || in.state().visits_left <= 0;
    for (size_t i = 0; i < c.count; ++i) {
      if (coarse) types[i].dims.reset();
      in.set_value(graph.block(c.body).inputs[c.body_input + i], types[i].dtype, types[i].dims);
    }
    if (in.contradiction()) return *in.contradiction();
    Status fits = in.infer_body(c.body);
    // The first round has seen only what the first turn of the loop does, or none if it never turns.
    if (!fits.ok() && (round > 0 || coarse)) return fits.error();
    bool same = true;
    for (size_t i = 0; i < c.count; ++i) {
      Type made = type_of(graph, graph.block(c.body).outputs[c.body_output + i]);
      if (types[i].dtype && made.dtype && types[i].dtype != made.dtype) {
        return in.fail(
            fmt::format("what goes around is {} first, then {}", dtype_name(*types[i].dtype), dtype_name(*made.dtype)));
      }
      std::optional<Dims> both = common(types[i].dims, made.dims);
      if (!fits.ok() && both) both = Dims(both->size());
      same &= both == types[i].dims;
      types[i].dims = std::move(both);
      if (!types[i].dtype && made.dtype) types[i].dtype = made.dtype;
    }
    if ((same && fits.ok()) || coarse) break;
  }
  for (size_t i = 0; i < c.count; ++i) in.set(i, types[i].dtype, types[i].dims);
  return {};
}

bool always_true(const Graph& graph, ValueId value, ValueId condition) {
  if (value == condition) return true;
  if (const Constant* c = graph.constant(value)) return c->elements() == 1 && c->to_ints()[0] != 0;
  NodeId maker = graph.value(value).producer;
  return maker != kNoNode && graph.node(maker).is("Identity") && graph.node(maker).input(0) == condition;
}

// How often a Loop turns, where its condition cannot end it.
Dim trips(const Inference& in, const Graph& graph, BlockId body) {
  std::optional<SymInts> count = in.ints(0), start = in.ints(1);
  if (!count || count->size() != 1) return Dim();
  bool starts = !in.has(1) || (start && start->size() == 1 && start->front().value.value_or(0) != 0);
  // Without a condition going in, what comes out of the body is not looked at.
  if (!starts || (in.has(1) && !always_true(graph, graph.block(body).outputs[0], graph.block(body).inputs[1])))
    return Dim();
  const SymInt& n = count->front();
  return n.value ? Dim(std::max<int64_t>(*n.value, 0)) : Dim(n.symbol);
}

// M, condition, carried... -> carried..., one row a turn of each further output; body: turn, condition, carried...
Status infer_loop(Inference& in) {
  const Graph& graph = in.graph();
  BlockId body = body_of(in.node(), "body");
  const size_t count = in.inputs() - 2;
  for (size_t i = 2; i < in.inputs(); ++i) {
    if (!in.has(i)) return in.fail(fmt::format("input {} is absent", i));
  }
  const Block& b = graph.block(body);
  if (b.inputs.size() != count + 2 || b.outputs.size() < count + 1 || in.outputs() > b.outputs.size() - 1)
    return in.fail(fmt::format("a body of {} inputs and {} outputs", b.inputs.size(), b.outputs.size()));
  if (in.has(0)) OREE_TRY(want_dtype(in, 0, Dtype::kInt64));
  if (in.has(1)) OREE_TRY(want_dtype(in, 1, Dtype::kBool));
  // Whether a scalar or one number in a vector is the body's own choice.
  auto scalar = [&](ValueId v) { return graph.value(v).dims ? *graph.value(v).dims : Dims(); };
  for (size_t i : {0, 1}) {
    Dims dims = scalar(b.inputs[i]);
    if (product(dims) != Dim(1)) return in.fail(fmt::format("its body takes {} as one number", dims_text(dims)));
  }
  in.set_value(b.inputs[0], Dtype::kInt64, scalar(b.inputs[0]));
  in.set_value(b.inputs[1], Dtype::kBool, scalar(b.inputs[1]));
  OREE_TRY(infer_carried(in, {body, count, 2, 2, 1}));
  Dim turns = trips(in, graph, body);
  for (size_t i = count; i < in.outputs(); ++i) {
    Type row = type_of(graph, graph.block(body).outputs[i + 1]);
    if (row.dims) row.dims->insert(row.dims->begin(), turns);
    in.set(i, row.dtype, std::move(row.dims));
  }
  return {};
}

// The axis that each scanned input or output says, 0 where the node says nothing.
Result<std::vector<int64_t>> scan_axes(const Inference& in, std::string_view name, size_t count) {
  std::vector<int64_t> axes = in.node().integers(name);
  if (in.node().find(name) == nullptr) axes.assign(count, 0);
  if (axes.size() != count) return in.fail(fmt::format("{} has {} numbers, not {}", name, axes.size(), count));
  return axes;
}

// states..., scanned... -> states..., one slice a step of each further output
Status infer_scan(Inference& in) {
  const Graph& graph = in.graph();
  BlockId body = body_of(in.node(), "body");
  const Block& b = graph.block(body);
  int64_t wanted = in.node().integer("num_scan_inputs", 0);
  if (wanted < 1 || wanted > static_cast<int64_t>(in.inputs()))
    return in.fail(fmt::format("num_scan_inputs {}", wanted));
  const auto scanned = static_cast<size_t>(wanted);
  const size_t states = in.inputs() - scanned;
  if (b.inputs.size() != in.inputs() || b.outputs.size() < states || in.outputs() > b.outputs.size())
    return in.fail(fmt::format("a body of {} inputs and {} outputs", b.inputs.size(), b.outputs.size()));
  OREE_TRY_ASSIGN(std::vector<int64_t> axes, scan_axes(in, "scan_input_axes", scanned));
  OREE_TRY_ASSIGN(std::vector<int64_t> out_axes, scan_axes(in, "scan_output_axes", b.outputs.size() - states));
  Dim steps;
  for (size_t i = 0; i < scanned; ++i) {
    std::optional<Dims> x = in.dims(states + i);
    if (!in.has(states + i)) return in.fail(fmt::format("input {} is absent", states + i));
    if (x) {
      OREE_TRY_ASSIGN(size_t axis, axis_of(in, axes[i], x->size()));
      OREE_TRY_ASSIGN(steps, same_dim(in, steps, (*x)[axis], "scanned inputs differ in length"));
      x->erase(x->begin() + static_cast<ptrdiff_t>(axis));
    }
    in.set_value(b.inputs[states + i], in.dtype(states + i), std::move(x));
  }
  OREE_TRY(infer_carried(in, {body, states, 0, 0, 0}));
  for (size_t i = states; i < in.outputs(); ++i) {
    Type slice = type_of(graph, graph.block(body).outputs[i]);
    if (slice.dims) {
      OREE_TRY_ASSIGN(size_t axis, axis_of(in, out_axes[i - states], slice.dims->size() + 1));
      slice.dims->insert(slice.dims->begin() + static_cast<ptrdiff_t>(axis), steps);
    }
    in.set(i, slice.dtype, std::move(slice.dims));
  }
  return {};
}

constexpr AttributeDef kScan[] = {{"num_scan_inputs", kInt, true},
                                  {"scan_input_axes", kInts},
                                  {"scan_input_directions", kInts},
                                  {"scan_output_axes", kInts},
                                  {"scan_output_directions", kInts}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"If", 1, 1, 1, kVariadic, kHasBlocks, {}, infer_if},
    {"Loop", 2, kVariadic, 1, kVariadic, kHasBlocks, {}, infer_loop},
    {"Scan", 1, kVariadic, 1, kVariadic, kHasBlocks, kScan, infer_scan},
};

}  // namespace

std::span<const OpDef> control_ops() { return kOps; }

}  // namespace oree
