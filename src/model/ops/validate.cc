// SPDX-License-Identifier: Apache-2.0
#include "model/ops/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "model/ops/check_node.h"

namespace oree {
namespace {

constexpr BlockId kNowhere = -1;
constexpr BlockId kEverywhere = -2;  // a constant

std::pair<int64_t, int64_t> integer_range(Dtype dtype) {
  const int bits = dtype_bits(dtype);
  const int64_t high = INT64_MAX >> (64 - bits);
  if (dtype_is_signed(dtype)) return {-high - 1, high};
  return {0, bits == 64 ? INT64_MAX : high * 2 + 1};
}

class Validator {
 public:
  explicit Validator(const Graph& graph) : graph_(graph), home_(graph.value_count(), kNowhere) {}

  Status run() {
    OREE_TRY(find_homes());
    for (size_t i = 0; i < graph_.value_count(); ++i) OREE_TRY(check_value(static_cast<ValueId>(i)));
    for (size_t i = 0; i < graph_.block_count(); ++i) {
      if (alive(static_cast<BlockId>(i))) OREE_TRY(check_block(static_cast<BlockId>(i)));
    }
    return check_states();
  }

 private:
  static Error invalid(std::string text) { return Error(Code::kInvalid, std::move(text)); }
  std::string name_of(NodeId id) const {
    const Node& n = graph_.node(id);
    std::string name = n.name;
    if (name.empty() && n.output(0) != kNoValue) name = graph_.value(n.outputs[0]).name;
    return fmt::format("{} '{}'", n.op, name);
  }
  std::string name_of(ValueId id, const char* what) const {
    return fmt::format("{} '{}'", what, graph_.value(id).name);
  }

  bool alive(BlockId id) const {
    const NodeId owner = graph_.block(id).owner;
    return id == kMainBlock || (owner != kNoNode && !graph_.node(owner).removed);
  }
  BlockId around(BlockId id) const {
    const NodeId owner = graph_.block(id).owner;
    return owner == kNoNode ? kNowhere : graph_.node(owner).block;
  }

  // The block in which each value is made.
  Status find_homes() {
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const Value& v = graph_.value(static_cast<ValueId>(i));
      if (v.constant) home_[i] = kEverywhere;
      if (v.producer == kNoNode) continue;
      if (v.constant) return invalid(fmt::format("constant '{}' is made by {}", v.name, name_of(v.producer)));
      home_[i] = graph_.node(v.producer).block;
    }
    for (size_t i = 0; i < graph_.block_count(); ++i) {
      if (!alive(static_cast<BlockId>(i))) continue;
      for (ValueId v : graph_.block(static_cast<BlockId>(i)).inputs) OREE_TRY(settle(v, static_cast<BlockId>(i)));
    }
    for (const State& s : graph_.states()) OREE_TRY(settle(s.input, kMainBlock));
    return {};
  }

  Status settle(ValueId id, BlockId block) {
    BlockId& home = home_[static_cast<size_t>(id)];
    if (home != kNowhere) return invalid(name_of(id, "input") + " is also made by something else");
    home = block;
    return {};
  }

  // Is the value made in `block` or one around it, and not by a node that this block is a part of?
  bool visible(ValueId id, BlockId block) const {
    const BlockId home = home_[static_cast<size_t>(id)];
    if (home == kEverywhere) return true;
    const NodeId producer = graph_.value(id).producer;
    for (BlockId b = block; b != kNowhere; b = around(b)) {
      if (b == home) return true;
      if (producer != kNoNode && graph_.block(b).owner == producer) return false;
    }
    return false;
  }

  Status check_value(ValueId id) const {
    const Value& v = graph_.value(id);
    if (v.name.empty() || graph_.find(v.name) != id) return invalid(name_of(id, "value") + ": the name is not its own");
    if (v.constant && (v.dtype != v.constant->dtype() || v.dims != to_dims(v.constant->shape())))
      return invalid(name_of(id, "constant") + ": its type is not that of its value");
    return v.quantization ? check_quantization(id) : Status();
  }

  Status check_quantization(ValueId id) const {
    const Value& v = graph_.value(id);
    const Quantization& q = *v.quantization;
    auto wrong = [&](const std::string& why) { return invalid(name_of(id, "quantized") + ": " + why); };
    if (q.scales.empty() || q.zero_points.size() != q.scales.size())
      return wrong(fmt::format("{} scales and {} zero points", q.scales.size(), q.zero_points.size()));
    if (!q.per_axis() && q.scales.size() != 1) return wrong(fmt::format("{} scales without an axis", q.scales.size()));
    if (q.per_axis() && v.dims) {
      if (static_cast<size_t>(q.axis) >= v.dims->size())
        return wrong(fmt::format("axis {} of rank {}", q.axis, v.dims->size()));
      const Dim& d = (*v.dims)[static_cast<size_t>(q.axis)];
      if (d.known() && d.size != static_cast<int64_t>(q.scales.size()))
        return wrong(fmt::format("{} scales for a dimension of {}", q.scales.size(), d.size));
    }
    for (float scale : q.scales) {
      if (!std::isfinite(scale) || scale < 0) return wrong(fmt::format("a scale of {}", scale));
    }
    if (!v.dtype) return {};
    if (dtype_is_float(*v.dtype) || *v.dtype == Dtype::kBool)
      return wrong(fmt::format("it is {}", dtype_name(*v.dtype)));
    const auto [low, high] = integer_range(*v.dtype);
    for (int64_t zero : q.zero_points) {
      if (zero < low || zero > high) return wrong(fmt::format("a zero point of {} in {}", zero, dtype_name(*v.dtype)));
    }
    return {};
  }

  Status check_block(BlockId id) const {
    int depth = 0;
    for (BlockId b = id; b != kNowhere; b = around(b)) ++depth;
    if (depth > kModelNestingMax) return invalid(fmt::format("bodies lie {} deep", depth));
    const Block& block = graph_.block(id);
    for (NodeId n : block.nodes) {
      const Node& node = graph_.node(n);
      if (node.removed) continue;
      if (node.op.empty()) return invalid(name_of(n) + ": a node without an operator");
      if (const OpDef* def = find_op(node)) OREE_TRY(check_node(graph_, node, *def));
      for (ValueId v : node.inputs) {
        if (v != kNoValue && !visible(v, id))
          return invalid(fmt::format("{} uses '{}', which nothing makes there", name_of(n), graph_.value(v).name));
      }
    }
    for (ValueId v : block.outputs) {
      if (!visible(v, id)) return invalid(name_of(v, "output") + " is made by nothing there");
    }
    if (!graph_.acyclic_order(id)) return invalid("the graph has a cycle");
    return {};
  }

  Status check_states() const {
    for (const State& s : graph_.states()) {
      const Value& in = graph_.value(s.input);
      if (!visible(s.output, kMainBlock)) return invalid(name_of(s.output, "state output") + " is made by nothing");
      std::optional<Shape> shape = in.dims ? known_shape(*in.dims) : std::nullopt;
      if ((in.dtype && in.dtype != s.initial.dtype()) || (shape && *shape != s.initial.shape()))
        return invalid(fmt::format("state '{}' begins as another type than it has", s.name));
    }
    return {};
  }

  const Graph& graph_;
  std::vector<BlockId> home_;
};

}  // namespace

Status validate(const Graph& graph) { return Validator(graph).run(); }

}  // namespace oree
