// SPDX-License-Identifier: Apache-2.0
// Placement: which nodes of a float graph shall compute in integers, and which values must be quantized for that, and
// which of them share a scale. Follows from the graph, the dialect and the nodes that stay in float; needs no data.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "optimize/quantize/dialect.h"

namespace oree {

struct LayerPlace {
  NodeId node = kNoNode;
  Role role = Role::kFloat;
  NodeId activation = kNoNode;  // Relu or Clip fused behind it: the layer's result is that one's
  ValueId result = kNoValue;
  bool leaves = false;  // the last layer on its way: its result is given out as reals, as Dialect::leaving says
};

struct GraphPlacement {
  std::vector<LayerPlace> layers;  // those in integers, in order
  std::vector<int> layer_of;       // by NodeId: index into layers; -1: in float (or a fused activation)
  // By ValueId: the group whose scale it has; -1: it stays float. Values of one group share it.
  std::vector<int> group_of;
  std::vector<std::vector<ValueId>> groups;
  // Why a node that the dialect knows stays in float: for reports. By NodeId.
  std::vector<std::string> float_because;

  bool integer(NodeId node) const { return layer_of[static_cast<size_t>(node)] >= 0; }
  bool quantized(ValueId value) const { return value >= 0 && group_of[static_cast<size_t>(value)] >= 0; }
};

// `keep_float`: nodes that shall not compute in integers. The graph is valid, its types are inferred.
GraphPlacement place(const Graph& graph, const Dialect& dialect, const std::set<NodeId>& keep_float);

// By value: one of these nodes takes it, or what is made of it.
std::vector<bool> values_leading_to(const Graph& graph, const std::function<bool(NodeId)>& wanted);

// An expectation over bins, written as a convolution, not a layer that was learnt.
bool has_few_weights(const Graph& graph, const Node& node);

// The inputs of a node that carry activations or constants to be quantized like them, by its role: indices into inputs.
std::vector<size_t> operands_of(const Graph& graph, const Node& node, Role role);
// Its role where the dialect has one that the node's shape and constants allow; else kFloat, and `why` says why not.
Role role_of(const Graph& graph, const Node& node, const Dialect& dialect, std::string& why);

}  // namespace oree
