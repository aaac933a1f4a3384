// SPDX-License-Identifier: Apache-2.0
// Steps of operators on images: resizing, normalisation, sampling.
#include <algorithm>

#include "model/onnx/onnx_upgrade.h"

namespace oree {
namespace {

Status upsample_7(Upgrade& u) {
  std::vector<float> scales = {1, 1, u.node.real("height_scale", 1), u.node.real("width_scale", 1)};
  u.drop("height_scale");
  u.drop("width_scale");
  u.node.attributes["scales"] = scales;
  if (u.node.text("mode", "nearest") == "bilinear") u.node.attributes["mode"] = std::string("linear");
  return {};
}

void scales_to_third(Upgrade& u) {
  ValueId scales = u.node.input(1);
  u.node.inputs = {u.node.input(0), kNoValue, scales};
  u.node.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
}

// Deprecated from 10 on; its scales are 1 or more, so pixels are repeated.
Status upsample_11(Upgrade& u) {
  u.node.op = "Resize";
  scales_to_third(u);
  if (u.node.text("mode", "nearest") == "nearest") u.node.attributes["nearest_mode"] = std::string("floor");
  return {};
}

// Opset 10 had no nearest_mode: pixels were repeated when growing, and the next one taken when shrinking.
Status resize_11(Upgrade& u) {
  scales_to_third(u);
  if (u.node.text("mode", "nearest") != "nearest") return {};
  const Constant* scales = u.graph.constant(u.node.input(2));
  if (scales == nullptr) return u.unsupported("opset 10 with computed scales says not which pixel is nearest");
  std::vector<double> values = scales->to_doubles();
  bool shrinks = std::ranges::any_of(values, [](double v) { return v < 1; });
  bool grows = std::ranges::any_of(values, [](double v) { return v > 1; });
  if (shrinks && grows) return u.unsupported("opset 10 growing one dimension and shrinking another");
  u.node.attributes["nearest_mode"] = std::string(shrinks ? "ceil" : "floor");
  return {};
}

bool empty_constant(const Upgrade& u, size_t input) {
  const Constant* c = u.graph.constant(u.node.input(input));
  return c != nullptr && c->elements() == 0;
}

// Opset 11 wanted an empty tensor where opset 13 wants nothing, and had one more coordinate transformation.
Status resize_13(Upgrade& u) {
  for (size_t input : {size_t{1}, size_t{2}}) {
    if (empty_constant(u, input)) u.node.inputs[input] = kNoValue;
  }
  if (u.node.input(3) != kNoValue) u.node.inputs[2] = kNoValue;
  if (u.node.text("coordinate_transformation_mode", "half_pixel") != "tf_half_pixel_for_nn") return {};
  // floor((x + 0.5) / scale) is half_pixel's (x + 0.5) / scale - 0.5, rounded with halves going up.
  if (u.node.text("mode", "nearest") != "nearest" || u.node.text("nearest_mode", "round_prefer_floor") != "floor") {
    return u.unsupported("tf_half_pixel_for_nn with anything but nearest and floor");
  }
  u.node.attributes["coordinate_transformation_mode"] = std::string("half_pixel");
  u.node.attributes["nearest_mode"] = std::string("round_prefer_ceil");
  return {};
}

Status roi_align_16(Upgrade& u) {
  u.node.attributes["coordinate_transformation_mode"] = std::string("output_half_pixel");
  return {};
}

Status grid_sample_20(Upgrade& u) {
  std::string mode = u.node.text("mode", "bilinear");
  u.node.attributes["mode"] = mode == "bilinear" ? "linear" : mode == "bicubic" ? "cubic" : mode;
  return {};
}

Status batch_norm_7(Upgrade& u) {
  u.drop("is_test");  // the number of outputs says the same
  u.drop("consumed_inputs");
  return {};
}

Status batch_norm_9(Upgrade& u) {
  if (u.node.integer("spatial", 1) == 0) return u.unsupported("statistics for each place (spatial = 0)");
  u.drop("spatial");
  return {};
}

Status batch_norm_14(Upgrade& u) {
  for (size_t i = 1; i < u.node.outputs.size(); ++i) {
    if (u.wants(i)) return u.unsupported("training: the running statistics are used");
  }
  u.node.outputs.resize(std::min<size_t>(u.node.outputs.size(), 1));
  return {};
}

// Scale and bias were one a group and are one a channel.
Status group_norm_21(Upgrade& u) {
  int64_t groups = u.node.integer("num_groups", 0);
  if (groups <= 0) return u.unsupported("without num_groups");
  std::vector<int64_t> column = {groups, 1}, flat = {-1};
  ValueId per_group;
  ValueId x = u.node.input(0);
  if (x == kNoValue) return u.unsupported("without data");
  if (const auto& dims = u.graph.value(x).dims; dims && dims->size() > 1 && (*dims)[1].known()) {
    if ((*dims)[1].size % groups != 0) return u.unsupported("its channels do not divide into its groups");
    per_group = u.constant("repeat", Constant::vector(std::vector<int64_t>{groups, (*dims)[1].size / groups}));
  } else {
    ValueId channels = u.add("Shape", {x}, {{"start", int64_t{1}}, {"end", int64_t{2}}});
    ValueId count = u.constant("groups", Constant::vector(std::vector<int64_t>{groups}));
    per_group = u.add("Concat", {count, u.add("Div", {channels, count})}, {{"axis", int64_t{0}}});
  }
  for (size_t input : {size_t{1}, size_t{2}}) {
    ValueId as_column = u.add("Reshape", {u.node.input(input), u.constant("column", Constant::vector(column))});
    ValueId spread = u.add("Expand", {as_column, per_group});
    u.set_input(input, u.add("Reshape", {spread, u.constant("flat", Constant::vector(flat))}));
  }
  return {};
}

Status lp_pool_2(Upgrade& u) {
  if (u.node.find("p") != nullptr && u.node.integer("p", -1) == -1) {
    float p = u.node.real("p", 2);
    if (!(p >= 1 && p < 1e6f)) return u.unsupported("its p is out of bounds");
    u.node.attributes["p"] = static_cast<int64_t>(p);
  }
  return {};
}

Status pad_2(Upgrade& u) {
  if (auto found = u.node.attributes.find("paddings"); found != u.node.attributes.end()) {
    u.node.attributes["pads"] = Attribute(found->second);
    u.drop("paddings");
  }
  return {};
}

}  // namespace

std::vector<UpgradeRow> image_upgrades() {
  return {{"Upsample", 7, upsample_7},
          {"Upsample", 11, upsample_11},
          {"Resize", 11, resize_11},
          {"Resize", 13, resize_13},
          {"RoiAlign", 16, roi_align_16},
          {"GridSample", 20, grid_sample_20},
          {"BatchNormalization", 7, batch_norm_7},
          {"BatchNormalization", 9, batch_norm_9},
          {"BatchNormalization", 14, batch_norm_14},
          {"GroupNormalization", 21, group_norm_21},
          {"LpPool", 2, lp_pool_2},
          {"GlobalLpPool", 2, lp_pool_2},
          {"Pad", 2, pad_2}};
}

}  // namespace oree
