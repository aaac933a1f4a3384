// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/raise.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "model/tflite/activation_bound.h"

namespace oree {
namespace {

const std::map<std::string_view, RaiseHandler>& handlers() {
  static const auto table = [] {
    std::map<std::string_view, RaiseHandler> out;
    for (std::span<const RaiseEntry> family :
         {raise_convolutions(), raise_elementwise(), raise_movements(), raise_slices(), raise_reductions(),
          raise_images(), raise_indices(), raise_recurrent(), raise_control()}) {
      for (const RaiseEntry& entry : family) OREE_ASSERT(out.emplace(entry.op, entry.handler).second);
    }
    return out;
  }();
  return table;
}

// One node; it stays as it is where ONNX has nothing for it.
Status raise_node(Graph& graph, NodeId id, RaiseHandler handler, PermutedConstants& permuted) {
  Raise raise(graph, id, permuted);
  Status done = handler(raise);
  if (done.ok()) done = raise.status();
  if (!done.ok() && done.error().code() != Code::kUnsupported) return done;
  done.ok() ? raise.commit() : raise.roll_back();
  return {};
}

}  // namespace

Status raise_tflite(Graph& graph) {
  join_dilated_convolutions(graph);
  PermutedConstants permuted;
  std::set<NodeId> tried;
  // Blocks that a WHILE makes come behind the others and are met in their turn; nodes that it makes, in the next round.
  for (BlockId block = 0; block < static_cast<BlockId>(graph.block_count()); ++block) {
    NodeId owner = graph.block(block).owner;
    if (owner != kNoNode && graph.node(owner).removed) continue;
    for (size_t before = SIZE_MAX; before != tried.size();) {
      before = tried.size();
      for (NodeId id : graph.order(block)) {
        const Node& node = graph.node(id);
        if (node.removed || node.domain != kTfliteDomain || !tried.insert(id).second) continue;
        auto found = handlers().find(node.op);
        if (found != handlers().end()) OREE_TRY(raise_node(graph, id, found->second, permuted));
      }
    }
  }
  graph.sweep();
  return {};
}

bool raises_from_tflite(std::string_view builtin) { return handlers().contains(builtin); }

Raise::Raise(Graph& graph, NodeId id, PermutedConstants& permuted) : NodeRewrite(graph, id, permuted) {
  const TfliteBuiltin* builtin = find_tflite_builtin(node_.op);
  OREE_ASSERT(builtin != nullptr);
  if (std::ranges::find(builtin->options, "fused_activation_function", &TfliteOption::name) != builtin->options.end()) {
    activation_ = option("fused_activation_function");
  }
}

ValueId Raise::bound(ValueId like, double real) {
  const Value& v = graph_.value(like);
  if (!v.quantization || !v.dtype) return number_like(like, real);
  double q = activation_bound(*v.quantization, *v.dtype, real);
  std::optional<Quantization> quantization = v.quantization;
  ValueId out = number_like(like, q);
  graph_.set_quantization(out, std::move(quantization));
  return out;
}

ValueId Raise::activation(ValueId value, ValueId target) {
  auto make = [&](std::string_view op, std::vector<ValueId> inputs) {
    if (target == kNoValue) return add_like(value, op, std::move(inputs));
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {target};
    put(std::move(node));
    return target;
  };
  if (activation_ == kTfliteTanh && graph_.value(value).quantization) fail(unsupported("a quantized fused TANH"));
  switch (activation_) {
    case kTfliteRelu: return make("Relu", {value});
    case kTfliteReluN1To1: return make("Clip", {value, bound(value, -1), bound(value, 1)});
    case kTfliteRelu6: return make("Clip", {value, bound(value, 0), bound(value, 6)});
    case kTfliteTanh: return make("Tanh", {value});
    default: {
      fail(unsupported(fmt::format("fused activation {}", activation_)));
      return value;
    }
  }
}

void Raise::finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, size_t output) {
  if (output > 0 || activation_ == kTfliteNoActivation) {
    NodeRewrite::finish(op, std::move(inputs), std::move(attributes), output);
  } else {
    activation(add_like(out(), op, std::move(inputs), std::move(attributes)), out());
  }
}

void Raise::finish_channels_first(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  ValueId y = add_like(out(), op, std::move(inputs), std::move(attributes));
  if (activation_ != kTfliteNoActivation) y = activation(y, kNoValue);
  activation_ = kTfliteNoActivation;
  auto r = rank(y) ? rank(y) : rank(out());
  if (!r || *r < 3) {
    fail(unsupported("the rank of its output is not known"));
    return;
  }
  finish("Transpose", {y}, {{"perm", channels_last_order(*r)}});
}

ValueId Raise::channels_first(ValueId value) {
  auto r = rank(value);
  if (!r || *r < 3) {
    fail(r ? invalid(fmt::format("'{}' has rank {}", graph_.value(value).name, *r))
           : unsupported(fmt::format("the rank of '{}' is not known", graph_.value(value).name)));
    return value;
  }
  return permute(value, channels_first_order(*r));
}

}  // namespace oree
