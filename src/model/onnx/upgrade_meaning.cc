// SPDX-License-Identifier: Apache-2.0
// Steps where the same node meant something else.
#include "model/onnx/onnx_upgrade.h"

namespace oree {
namespace {

// Before opset 13 the tensor was flattened to two dimensions at the axis and the second one normalised.
Status softmax_13(Upgrade& u) {
  int64_t axis = u.node.integer("axis", 1);
  std::optional<size_t> rank = u.rank(0);
  if (rank) {
    int64_t n = static_cast<int64_t>(*rank);
    if (axis < -n || axis > n) return u.unsupported("its axis is not there");
    int64_t from_front = axis < 0 ? axis + n : axis;
    // What is flattened together with the axis has one element, so that nothing changes.
    bool alone = from_front < n;
    for (int64_t i = from_front + 1; i < n; ++i) {
      alone = alone && (*u.graph.value(u.node.input(0)).dims)[static_cast<size_t>(i)].size == 1;
    }
    if (alone) {
      u.node.attributes["axis"] = axis;
      return {};
    }
  }
  ValueId x = u.node.input(0);
  if (x == kNoValue) return u.unsupported("without data");
  ValueId shape = u.add("Shape", {x});
  u.set_input(0, u.add("Flatten", {x}, {{"axis", axis}}));
  u.node.attributes["axis"] = int64_t{1};
  u.then(0, "Reshape", {shape});
  return {};
}

Status scatter_11(Upgrade& u) {
  u.node.op = "ScatterElements";
  return {};
}

// Opset 8 ran the scan for each item of a batch, which was the first dimension of everything. A scan over the batch
// around a scan over the sequence does the same.
Status scan_9(Upgrade& u) {
  if (u.node.input(0) != kNoValue) return u.unsupported("opset 8 with lengths of sequences");
  size_t inputs = u.node.inputs.size();
  int64_t scans = u.node.integer("num_scan_inputs", 0);
  if (inputs < 2 || scans < 1 || scans > static_cast<int64_t>(inputs) - 1) {
    return u.unsupported("num_scan_inputs does not fit its inputs");
  }
  Node outer;
  outer.op = "Scan";
  outer.name = u.node.name;
  outer.inputs.assign(u.node.inputs.begin() + 1, u.node.inputs.end());
  outer.outputs = u.node.outputs;
  outer.attributes["num_scan_inputs"] = static_cast<int64_t>(inputs) - 1;
  std::vector<ValueId> given = outer.inputs, wanted = outer.outputs;
  NodeId id = u.graph.add_node(std::move(outer), u.block);
  u.before.push_back(id);
  u.block = u.graph.add_block(id, "body");
  u.node.inputs.clear();
  for (ValueId v : given) {
    if (v == kNoValue) return u.unsupported("an input is absent");
    Value value = u.graph.value(v);
    if (value.dims && !value.dims->empty()) value.dims->erase(value.dims->begin());
    u.node.inputs.push_back(u.graph.add_input(value.name + "_item", value.dtype, value.dims, u.block));
  }
  for (ValueId& out : u.node.outputs) {
    std::string name = out == kNoValue ? "Scan" : u.graph.value(out).name;
    out = u.graph.add_value(name + "_item");
    u.graph.add_output(out, u.block);
  }
  u.node.name.clear();
  if (auto found = u.node.attributes.find("directions"); found != u.node.attributes.end()) {
    u.node.attributes["scan_input_directions"] = Attribute(found->second);
    u.drop("directions");
  }
  return {};
}

}  // namespace

std::vector<UpgradeRow> meaning_upgrades() {
  return {{"Softmax", 13, softmax_13},
          {"LogSoftmax", 13, softmax_13},
          {"Hardmax", 13, softmax_13},
          {"Scatter", 11, scatter_11},
          {"Scan", 9, scan_9}};
}

}  // namespace oree
