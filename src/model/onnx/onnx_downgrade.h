// SPDX-License-Identifier: Apache-2.0
// Brings the operators of a graph from their newest form to that of an opset: the way back of onnx_upgrade.h, step by
// step. What the opset has not is built from what it has. Internal to model/onnx.
#pragma once

#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace oree {

// Types must have been inferred as far as possible. kUnsupported, naming op, node and reason.
Status onnx_downgrade(Graph& graph, int opset);

// One node of ONNX's own domain on its way down.
class Downgrade {
 public:
  Downgrade(Graph& in, NodeId which, int to) : graph(in), id(which), opset(to) {}

  const Node& node() const { return graph.node(id); }
  ValueId in(size_t index) const { return node().input(index); }
  bool absent(size_t index) const { return in(index) == kNoValue; }
  const Constant* constant(size_t input) const { return graph.constant(in(input)); }
  std::optional<Dims> dims(size_t input) const;
  std::optional<size_t> rank(size_t input) const;
  std::optional<Dtype> dtype(size_t input) const;

  // The constant input becomes an attribute; nothing when it is absent. kUnsupported when it is computed.
  Status input_to_ints(size_t index, const char* attribute);
  Status input_to_real(size_t index, const char* attribute);
  void keep_inputs(size_t count);  // only the first ones; the others become absent

  // A new node before this one, whose output has the type of `like` (dims too unless `moved`).
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, ValueId like,
              bool moved = false);
  ValueId real(float value, ValueId like);  // a scalar of that type; float32 when it is not known
  ValueId reals(float value, int64_t count, ValueId like);
  ValueId ints(const std::vector<int64_t>& values);
  // This node goes, and its first output is from now on what `op` makes.
  void finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  // The node goes on, and its output `index` is what `op` makes of what it gave.
  void then(size_t index, std::string_view op, Attributes attributes = {}, std::vector<ValueId> more = {});

  Error unsupported(const std::string& text) const;

  Graph& graph;
  NodeId id;
  int opset;
};

using DowngradeStep = Status (*)(Downgrade&);

// How to do without what this version changed: nodes take the step when the opset is lower.
struct DowngradeRow {
  std::string_view op;
  int version;
  DowngradeStep step;
};

std::vector<DowngradeRow> axes_downgrades();     // inputs that were attributes
std::vector<DowngradeRow> image_downgrades();    // resizing, padding, pooling, normalisation
std::vector<DowngradeRow> meaning_downgrades();  // same inputs, another meaning
std::vector<DowngradeRow> whole_downgrades();    // operators that did not exist

}  // namespace oree
