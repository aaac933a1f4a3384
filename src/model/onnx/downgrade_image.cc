// SPDX-License-Identifier: Apache-2.0
// Steps back of operators on images: resizing, normalisation, sampling, recurrent networks' layout.
#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "model/onnx/onnx_downgrade.h"

namespace oree {
namespace {

Status resize_19(Downgrade& d) {
  if (d.node().text("coordinate_transformation_mode", "half_pixel") == "half_pixel_symmetric") {
    return d.unsupported("half_pixel_symmetric needs opset 19");
  }
  return {};
}

ValueId empty_floats(Downgrade& d, const char* name) {
  return d.graph.add_constant(d.node().op + "_" + name, Constant::of_floats({}, {0}));
}

// Sizes or scales of some axes become those of all.
Status resize_18(Downgrade& d) {
  const std::vector<int64_t> axes = d.node().integers("axes");
  if (axes.empty()) return {};
  std::optional<Dims> dims = d.dims(0);
  const Constant *sizes = d.constant(3), *scales = d.constant(2);
  const Constant* given = d.absent(3) ? scales : sizes;
  bool fits = dims && given != nullptr && given->elements() == static_cast<int64_t>(axes.size()) && d.absent(1);
  if (!fits) return d.unsupported("computed sizes of some axes need opset 18");
  auto rank = static_cast<int64_t>(dims->size());
  std::vector<float> all_scales(dims->size(), 1.0F);
  std::vector<int64_t> all_sizes = to_shape(*dims);
  std::vector<double> wanted = given->to_doubles();
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return d.unsupported("axes that its operand has not");
    all_sizes[static_cast<size_t>(axis)] = static_cast<int64_t>(wanted[i]);
    all_scales[static_cast<size_t>(axis)] = static_cast<float>(wanted[i]);
  }
  d.graph.remove_attribute(d.id, "axes");
  if (d.absent(3)) {
    ValueId all = d.graph.add_constant(d.node().op + "_scales", Constant::of_floats(all_scales, {rank}));
    d.graph.set_input(d.id, 2, all);
    return {};
  }
  if (std::ranges::count(all_sizes, -1) == 0) {
    d.graph.set_input(d.id, 3, d.ints(all_sizes));
    return {};
  }
  if (all_sizes[0] != -1 || std::ranges::count(all_sizes, -1) != 1) {
    return d.unsupported("sizes of some axes, where others are not known, need opset 18");
  }
  // The batch alone is free: it is as the operand has it.
  ValueId sizes_now = d.add("Shape", {d.in(0)}, {}, kNoValue);
  d.graph.set_type(sizes_now, Dtype::kInt64, Dims{Dim(rank)});
  ValueId batch = d.add("Slice", {sizes_now, d.ints({0}), d.ints({1}), d.ints({0})}, {}, kNoValue);
  d.graph.set_type(batch, Dtype::kInt64, Dims{Dim(1)});
  ValueId rest = d.ints({all_sizes.begin() + 1, all_sizes.end()});
  ValueId joined = d.add("Concat", {batch, rest}, {{"axis", int64_t{0}}}, kNoValue);
  d.graph.set_type(joined, Dtype::kInt64, Dims{Dim(rank)});
  d.graph.set_input(d.id, 3, joined);
  return {};
}

// Opset 11 wants an empty tensor where opset 13 wants nothing.
Status resize_13(Downgrade& d) {
  if (d.absent(1)) d.graph.set_input(d.id, 1, empty_floats(d, "roi"));
  if (d.absent(2)) d.graph.set_input(d.id, 2, empty_floats(d, "scales"));
  return {};
}

// The scales that make these sizes, or nothing.
std::optional<std::vector<float>> scales_of(Downgrade& d) {
  const Constant* sizes = d.constant(3);
  std::optional<Dims> dims = d.dims(0);
  if (sizes == nullptr || !dims || static_cast<size_t>(sizes->elements()) != dims->size()) return std::nullopt;
  std::vector<int64_t> wanted = sizes->to_ints();
  std::vector<float> scales;
  for (size_t i = 0; i < wanted.size(); ++i) {
    int64_t have = (*dims)[i].size;
    if (have <= 0 || wanted[i] < 0 || wanted[i] > kTensorElementsMax) return std::nullopt;
    float scale = static_cast<float>(wanted[i]) / static_cast<float>(have);
    if (static_cast<int64_t>(std::floor(static_cast<float>(have) * scale)) != wanted[i]) return std::nullopt;
    scales.push_back(scale);
  }
  return scales;
}

Status resize_11(Downgrade& d) {
  const Node& n = d.node();
  if (n.text("coordinate_transformation_mode", "half_pixel") != "asymmetric") {
    return d.unsupported("anything but asymmetric coordinates needs opset 11");
  }
  std::string mode = n.text("mode", "nearest");
  if (!d.absent(3)) {
    std::optional<std::vector<float>> scales = scales_of(d);
    if (!scales) return d.unsupported("sizes need opset 11");
    auto count = static_cast<int64_t>(scales->size());
    d.graph.set_input(d.id, 2, d.graph.add_constant(n.op + "_scales", Constant::of_floats(*scales, {count})));
  }
  if (mode == "nearest") {
    const Constant* c = d.constant(2);
    if (c == nullptr) return d.unsupported("nearest with computed scales needs opset 11");
    std::vector<double> scales = c->to_doubles();
    std::string rounding = n.text("nearest_mode", "round_prefer_floor");
    bool grows = std::ranges::all_of(scales, [](double s) { return s >= 1; });
    bool shrinks = std::ranges::all_of(scales, [](double s) { return s <= 1; });
    if (!(rounding == "floor" && grows) && !(rounding == "ceil" && shrinks)) {
      return d.unsupported("nearest_mode needs opset 11");
    }
  } else if (mode != "linear") {
    return d.unsupported("mode '" + mode + "' needs opset 11");
  }
  d.graph.set_input(d.id, 1, d.in(2));
  d.keep_inputs(2);
  for (const char* a :
       {"coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value"}) {
    d.graph.remove_attribute(d.id, a);
  }
  return {};
}

Status resize_10(Downgrade& d) {
  const Constant* scales = d.constant(1);
  if (scales == nullptr || std::ranges::any_of(scales->to_doubles(), [](double s) { return s < 1; })) {
    return d.unsupported("scales below 1, or computed ones, need opset 10");
  }
  d.graph.set_op(d.id, "Upsample");
  return {};
}

Status upsample_9(Downgrade& d) {
  std::vector<double> scales = d.constant(1)->to_doubles();
  d.graph.set_attribute(d.id, "scales", std::vector<float>(scales.begin(), scales.end()));
  d.keep_inputs(1);
  return {};
}

// The size of a pooled dimension when windows may end behind the padding, by rounding up alone.
struct PoolSizes {
  int64_t floor = 0, ceil = 0;
  bool ignores_last = false;  // the last window would begin in the padding: newer opsets leave it out
};

std::optional<PoolSizes> pool_sizes(const Node& n, const Dim& dim, size_t i, size_t spatial) {
  auto at = [&](const char* name, size_t index, int64_t otherwise) {
    std::vector<int64_t> list = n.integers(name);
    // Bounded, so that nothing below overflows.
    return index < list.size() ? std::clamp(list[index], -kTensorElementsMax, kTensorElementsMax) : otherwise;
  };
  int64_t kernel = (at("kernel_shape", i, 1) - 1) * at("dilations", i, 1) + 1, stride = at("strides", i, 1);
  int64_t front = at("pads", i, 0), all = dim.size + front + at("pads", i + spatial, 0) - kernel;
  if (!dim.known() || stride <= 0 || all < 0) return std::nullopt;
  PoolSizes out{all / stride + 1, (all + stride - 1) / stride + 1, false};
  out.ignores_last = (out.ceil - 1) * stride >= dim.size + front;
  return out;
}

// Windows that would begin in the padding behind the image were counted once; without them rounding up is not needed.
Status pool_22(Downgrade& d) {
  const Node& n = d.node();
  std::optional<Dims> dims = d.dims(0);
  if (n.integer("ceil_mode", 0) == 0 || !dims || dims->size() < 3) return {};
  bool ignored = false, needed = false;
  for (size_t i = 0; i + 2 < dims->size(); ++i) {
    std::optional<PoolSizes> sizes = pool_sizes(n, (*dims)[i + 2], i, dims->size() - 2);
    if (!sizes) return {};
    ignored = ignored || sizes->ignores_last;
    needed = needed || (sizes->ceil != sizes->floor && !sizes->ignores_last);
  }
  if (!ignored) return {};
  if (needed) return d.unsupported("ceil_mode with a window in the padding needs opset 22");
  d.graph.remove_attribute(d.id, "ceil_mode");
  return {};
}

Status roi_align_16(Downgrade& d) {
  if (d.node().text("coordinate_transformation_mode", "half_pixel") != "output_half_pixel") {
    return d.unsupported("coordinate_transformation_mode 'half_pixel' needs opset 16");
  }
  return {};
}

Status grid_sample_20(Downgrade& d) {
  if (std::optional<size_t> rank = d.rank(0); rank && *rank != 4) return d.unsupported("volumes need opset 20");
  std::string mode = d.node().text("mode", "linear");
  d.graph.set_attribute(d.id, "mode", mode == "linear" ? "bilinear" : mode == "cubic" ? "bicubic" : mode);
  return {};
}

Status batch_norm_14(Downgrade& d) {
  if (d.node().integer("training_mode", 0) != 0) return d.unsupported("training needs opset 14");
  return {};
}

// [batch, sequence, …] on the outside was [sequence, batch, …].
Status recurrent_14(Downgrade& d) {
  if (d.node().integer("layout", 0) == 0) return {};
  d.graph.remove_attribute(d.id, "layout");
  Attributes swap = {{"perm", std::vector<int64_t>{1, 0, 2}}};
  for (size_t input : {size_t{0}, size_t{5}, size_t{6}}) {
    if (input < d.node().inputs.size() && !d.absent(input)) {
      d.graph.set_input(d.id, input, d.add("Transpose", {d.in(input)}, swap, d.in(input), true));
    }
  }
  d.then(0, "Transpose", {{"perm", std::vector<int64_t>{2, 0, 1, 3}}});
  d.then(1, "Transpose", swap);
  d.then(2, "Transpose", swap);
  return {};
}

// Statistics of each group by InstanceNormalization, whose channels are the groups.
Status group_norm_21(Downgrade& d) {
  ValueId x = d.in(0);
  std::optional<size_t> rank = d.rank(0);
  int64_t groups = d.node().integer("num_groups", 0);
  if (!rank || *rank < 2 || groups <= 0 || groups > (1 << 20)) return d.unsupported("of unknown rank needs opset 21");
  const Dims dims = d.graph.value(x).dims.value_or(Dims());
  if (std::ranges::any_of(dims, [](const Dim& dim) { return dim.known() && dim.size == 0; }))
    return d.unsupported("of no elements needs opset 21");
  float epsilon = d.node().real("epsilon", 1e-5f);
  ValueId shape = d.add("Shape", {x}, {}, kNoValue);
  d.graph.set_type(shape, Dtype::kInt64, Dims{Dim(static_cast<int64_t>(*rank))});
  ValueId grouped = d.add("Reshape", {x, d.ints({0, groups, -1})}, {}, x, true);
  ValueId ones = d.reals(1, groups, x), zeros = d.reals(0, groups, x);
  ValueId normal = d.add("InstanceNormalization", {grouped, ones, zeros}, {{"epsilon", epsilon}}, grouped);
  ValueId back = d.add("Reshape", {normal, shape}, {}, x);
  std::vector<int64_t> behind;
  for (size_t i = 2; i < *rank; ++i) behind.push_back(static_cast<int64_t>(i) - 1);
  ValueId scale = d.in(1), bias = d.in(2);
  if (!behind.empty()) {
    scale = d.add("Unsqueeze", {scale, d.ints(behind)}, {}, scale, true);
    bias = d.add("Unsqueeze", {bias, d.ints(behind)}, {}, bias, true);
  }
  d.finish("Add", {d.add("Mul", {back, scale}, {}, x), bias});
  return {};
}

}  // namespace

std::vector<DowngradeRow> image_downgrades() {
  return {{"Resize", 19, resize_19},
          {"Resize", 18, resize_18},
          {"Resize", 13, resize_13},
          {"Resize", 11, resize_11},
          {"Resize", 10, resize_10},
          {"Upsample", 9, upsample_9},
          {"RoiAlign", 16, roi_align_16},
          {"MaxPool", 22, pool_22},
          {"AveragePool", 22, pool_22},
          {"GridSample", 20, grid_sample_20},
          {"BatchNormalization", 14, batch_norm_14},
          {"RNN", 14, recurrent_14},
          {"GRU", 14, recurrent_14},
          {"LSTM", 14, recurrent_14},
          {"GroupNormalization", 21, group_norm_21}};
}

}  // namespace oree
