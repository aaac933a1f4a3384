// SPDX-License-Identifier: Apache-2.0
// Steps by which attributes became inputs.
#include "model/onnx/onnx_upgrade.h"

namespace oree {
namespace {

Status axes_to_input(Upgrade& u) {
  // No axes and an empty list both meant all of them; an empty input would as well, but costs a constant.
  if (u.node.integers("axes").empty() && u.node.op != "Unsqueeze") {
    u.drop("axes");
  } else {
    u.ints_to_input("axes", 1);
  }
  return {};
}

Status slice_10(Upgrade& u) {
  u.ints_to_input("starts", 1);
  u.ints_to_input("ends", 2);
  u.ints_to_input("axes", 3);
  return {};
}

Status split_13(Upgrade& u) {
  u.ints_to_input("split", 1);
  return {};
}

Status split_18(Upgrade& u) {
  if (u.node.input(1) == kNoValue) u.node.attributes["num_outputs"] = static_cast<int64_t>(u.node.outputs.size());
  return {};
}

Status topk_10(Upgrade& u) {
  u.set_input(1, u.constant("k", Constant::vector(std::vector<int64_t>{u.node.integer("k", 1)})));
  u.drop("k");
  return {};
}

Status clip_11(Upgrade& u) {
  size_t index = 1;
  for (const char* bound : {"min", "max"}) {
    if (u.node.find(bound) != nullptr) {
      u.set_input(index, u.real_like(bound, u.node.real(bound, 0), u.node.input(0)));
      u.drop(bound);
    }
    ++index;
  }
  return {};
}

Status pad_11(Upgrade& u) {
  u.ints_to_input("pads", 1);
  float value = u.node.real("value", 0);
  u.drop("value");
  if (value != 0) u.set_input(2, u.real_like("value", value, u.node.input(0)));
  return {};
}

// Before opset 10 the mask had the type of the data.
Status dropout_10(Upgrade& u) {
  if (!u.wants(1)) {
    u.node.outputs.resize(1);
    return {};
  }
  u.then(1, "CastLike", {u.node.input(0)});
  u.graph.set_type(u.node.outputs[1], Dtype::kBool, std::nullopt);
  return {};
}

Status dropout_12(Upgrade& u) {
  if (u.node.find("ratio") != nullptr) {
    u.set_input(1, u.constant("ratio", Constant::scalar(u.node.real("ratio", 0.5f))));
    u.drop("ratio");
  }
  return {};
}

Status reshape_5(Upgrade& u) {
  u.ints_to_input("shape", 1);
  return {};
}

Status upsample_9(Upgrade& u) {
  std::vector<float> scales = u.node.reals("scales");
  u.set_input(1, u.constant("scales", Constant::of_floats(scales, {static_cast<int64_t>(scales.size())})));
  u.drop("scales");
  return {};
}

Status dft_20(Upgrade& u) {
  u.set_input(2, u.constant("axis", Constant::scalar(u.node.integer("axis", 1))));
  u.drop("axis");
  return {};
}

}  // namespace

std::vector<UpgradeRow> axes_upgrades() {
  std::vector<UpgradeRow> rows = {{"Squeeze", 13, axes_to_input},
                                  {"Unsqueeze", 13, axes_to_input},
                                  {"ReduceSum", 13, axes_to_input},
                                  {"Slice", 10, slice_10},
                                  {"Split", 13, split_13},
                                  {"Split", 18, split_18},
                                  {"TopK", 10, topk_10},
                                  {"Clip", 11, clip_11},
                                  {"Pad", 11, pad_11},
                                  {"Dropout", 10, dropout_10},
                                  {"Dropout", 12, dropout_12},
                                  {"Reshape", 5, reshape_5},
                                  {"Upsample", 9, upsample_9},
                                  {"DFT", 20, dft_20}};
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                         "ReduceMin", "ReduceProd", "ReduceSumSquare"}) {
    rows.push_back({op, 18, axes_to_input});
  }
  return rows;
}

}  // namespace oree
