// SPDX-License-Identifier: Apache-2.0
// What a graph costs: multiply-accumulates, parameters, and the memory that its values need at once. Reads inferred
// types (infer_types) of a valid graph; changes nothing.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

struct NodeCost {
  NodeId node = kNoNode;
  int64_t macs = 0;        // -1: not known
  int64_t live_bytes = 0;  // of all values that must be there while it runs, its inputs, outputs and bodies included
};

struct Cost {
  std::vector<NodeCost> nodes;  // of the main block, in the order in which they run
  // Convolutions, matrix products, recurrent layers, attention. A node whose size is not known, or that lies in a body
  // (how often that runs is not in the graph), is not in the sum: then it is a lower bound.
  int64_t macs = 0;
  std::map<std::string, int64_t> macs_by_op;
  std::map<std::string, int64_t> macs_unknown;    // op -> how many nodes are not in the sum
  int64_t parameters = 0;                         // elements of constants: floats, 8 bits or fewer, quantized ones
  std::map<std::string, int64_t> constant_bytes;  // dtype -> bytes; what several constants share counts once
  // The largest live_bytes. Constants and what follows from them alone are not in it, states always are; inputs are
  // from the start to their last use, outputs from their making to the end. A view (Reshape and its like) is its input.
  // Nothing is computed in place.
  int64_t live_bytes_peak = 0;
  NodeId peak_node = kNoNode;  // kNoNode: a graph without nodes
  int64_t values_unknown = 0;  // of unknown size, so not in the peak
};

// "" for ONNX's own domain: "Conv", "com.acme.Fancy".
std::string op_name(const Node& node);

// What one node costs: as its operator's table says, or as the reader of a format that has its own operators does.
using MacsOf = int64_t (*)(const Graph&, const Node&);  // -1: not known
int64_t macs_of(const Graph& graph, const Node& node);

Cost analyze(const Graph& graph, MacsOf macs = macs_of);
// In another order of the main block's nodes, each after what it uses.
Cost analyze(const Graph& graph, std::span<const NodeId> order, MacsOf macs = macs_of);

// By ValueId: constants, and what nodes make of constants alone. Engines compute that once, when they load the model.
std::vector<bool> fixed_values(const Graph& graph);
// Does this constant count as a parameter?
bool holds_parameters(const Value& constant);

// The value whose memory this one is: itself unless a Reshape or the like made it.
ValueId storage_of(const Graph& graph, ValueId value);
// Bytes of a value of known type; -1 otherwise.
int64_t bytes_of(const Graph& graph, ValueId value);

}  // namespace oree
