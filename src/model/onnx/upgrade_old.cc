// SPDX-License-Identifier: Apache-2.0
// Steps from opsets before 7: PyTorch's and Caffe2's first exporters.
#include <array>
#include <string_view>

#include "model/onnx/onnx_element.h"
#include "model/onnx/onnx_upgrade.h"

namespace oree {
namespace {

// Broadcasting was asked for and began at an axis of the first input; now it is numpy's, from the last axis.
Status broadcast_7(Upgrade& u) {
  bool asked = u.node.integer("broadcast", 0) != 0;
  bool placed = u.node.find("axis") != nullptr;
  int64_t axis = u.node.integer("axis", -1);
  u.drop("broadcast");
  u.drop("axis");
  if (!asked || !placed) return {};
  std::optional<size_t> a = u.rank(0), b = u.rank(1);
  if (!a || !b) return u.unsupported("broadcast along an axis of a tensor of unknown rank");
  int64_t rank_a = static_cast<int64_t>(*a), rank_b = static_cast<int64_t>(*b);
  if (axis < 0) axis += rank_a;
  int64_t behind = axis < 0 ? -1 : rank_a - axis - rank_b;
  if (behind < 0) return u.unsupported("broadcast along an axis that is not there");
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < behind; ++i) axes.push_back(rank_b + i);
  if (axes.empty()) return {};
  u.set_input(1, u.add("Unsqueeze", {u.node.input(1), u.constant("axes", Constant::vector(axes))}));
  return {};
}

// The slope was one, or one a channel (axis 1).
Status prelu_7(Upgrade& u) {
  std::optional<size_t> x = u.rank(0), slope = u.rank(1);
  if (slope && *slope != 1) return {};
  const Constant* c = u.graph.constant(u.node.input(1));
  if (c != nullptr && c->elements() == 1) return {};
  if (!x || !slope) return u.unsupported("a slope for each channel of a tensor of unknown rank");
  std::vector<int64_t> axes;
  for (size_t i = 2; i < *x; ++i) axes.push_back(static_cast<int64_t>(i) - 1);
  if (axes.empty()) return {};
  u.set_input(1, u.add("Unsqueeze", {u.node.input(1), u.constant("axes", Constant::vector(axes))}));
  return {};
}

Status gemm_7(Upgrade& u) {
  u.drop("broadcast");
  return {};
}

Status cast_6(Upgrade& u) {
  // The names of TensorProto.DataType, in the order of its codes.
  constexpr std::array<std::string_view, 17> kNames = {
      "UNDEFINED", "FLOAT",   "UINT8",  "INT8",   "UINT16", "INT16",     "INT32",      "INT64",   "STRING",
      "BOOL",      "FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16"};
  std::string to = u.node.text("to", "");
  for (size_t code = 1; code < kNames.size(); ++code) {
    if (kNames[code] != to) continue;
    u.node.attributes["to"] = static_cast<int64_t>(code);
    return {};
  }
  return u.unsupported("to '" + to.substr(0, 32) + "'");
}

Status selu_6(Upgrade& u) {
  u.node.attributes.try_emplace("alpha", 1.6732f);
  u.node.attributes.try_emplace("gamma", 1.0507f);
  return {};
}

Status concat_4(Upgrade& u) {
  u.node.attributes.try_emplace("axis", int64_t{1});
  return {};
}

Status tile_6(Upgrade& u) { return u.unsupported("opset 5 and before"); }

Status dropout_7(Upgrade& u) {
  u.drop("is_test");  // a graph is for inference
  return {};
}

Status recurrent_7(Upgrade& u) {
  u.drop("output_sequence");
  return {};
}

}  // namespace

std::vector<UpgradeRow> old_upgrades() {
  std::vector<UpgradeRow> rows = {{"PRelu", 7, prelu_7},     {"Gemm", 7, gemm_7},     {"Cast", 6, cast_6},
                                  {"Selu", 6, selu_6},       {"Concat", 4, concat_4}, {"Tile", 6, tile_6},
                                  {"Dropout", 7, dropout_7}, {"RNN", 7, recurrent_7}, {"GRU", 7, recurrent_7},
                                  {"LSTM", 7, recurrent_7}};
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"}) {
    rows.push_back({op, 7, broadcast_7});
  }
  return rows;
}

}  // namespace oree
