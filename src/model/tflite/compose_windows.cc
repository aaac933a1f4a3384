// SPDX-License-Identifier: Apache-2.0
// Convolutions and pools of other dimensions, groups and dilations as those that TFLite has.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"
#include "model/tflite/permute.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// Attributes of one spatial dimension as of two, the first of which is 1 long.
Attributes of_two(const Lower& r) {
  Attributes out = r.node().attributes;
  for (auto& [name, value] : out) {
    auto* list = std::get_if<Ints>(&value);
    if (list == nullptr) continue;
    if (name == "pads" && list->size() == 2) *list = {0, (*list)[0], 0, (*list)[1]};
    if (name == "output_padding" && list->size() == 1) *list = {0, (*list)[0]};
    bool ones = name == "kernel_shape" || name == "strides" || name == "dilations" || name == "output_shape";
    if (ones && list->size() == 1) *list = {1, (*list)[0]};
  }
  return out;
}

// Images of one dimension are images one high.
Result<bool> one_dimension(Lower& r, bool weights) {
  ValueId axis = r.ints_constant({2});
  std::vector<ValueId> inputs{r.add_like(r.in(0), "Unsqueeze", {r.in(0), axis})};
  if (weights) {
    inputs.push_back(r.unsqueezed_constant(r.in(1), 2));
    if (r.has(2)) inputs.push_back(r.in(2));
  }
  ValueId y = r.add_like(r.out(), r.node().op, std::move(inputs), of_two(r));
  r.finish("Squeeze", {y, axis});
  return true;
}

// Each group of channels with its own weights, joined again. `rows`: the axis of the weights that the groups share out.
Result<bool> split_groups(Lower& r, int64_t groups) {
  if (r.quantized()) return r.unsupported(fmt::format("{} groups of quantized channels", groups));
  Attributes attributes = r.node().attributes;
  attributes.erase("group");
  auto n = static_cast<size_t>(groups);
  auto parts = [&](ValueId v, int64_t axis) {
    return r.add_many("Split", {v}, n, {{"num_outputs", groups}, {"axis", axis}}, v);
  };
  std::vector<ValueId> xs = parts(r.in(0), 1), ws = parts(r.in(1), 0), bs, results;
  if (r.has(2)) bs = parts(r.in(2), 0);
  for (size_t g = 0; g < n; ++g) {
    std::vector<ValueId> inputs{xs[g], ws[g]};
    if (r.has(2)) inputs.push_back(bs[g]);
    results.push_back(r.add(r.node().op, std::move(inputs), attributes));
  }
  r.finish("Concat", std::move(results), {{"axis", int64_t{1}}});
  return true;
}

Result<bool> conv(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (rank == 3) return one_dimension(r, true);
  int64_t groups = r.integer("group", 1);
  if (rank == 5 && groups > 1) return split_groups(r, groups);
  return false;
}

// Weights with zeros between them: what a dilation is.
Result<ValueId> dilated(Lower& r, const Ints& dilations) {
  std::optional<Constant> c = r.constant_of(r.in(1));
  if (!c || c->dtype() != Dtype::kFloat32) return r.unsupported("dilations of variable weights");
  Shape shape = c->shape(), wide = shape;
  for (size_t i = 0; i < dilations.size(); ++i) wide[i + 2] = (shape[i + 2] - 1) * dilations[i] + 1;
  Tensor from = c->to_tensor(), to(Dtype::kFloat32, wide);
  Ints index(shape.size(), 0);
  for (int64_t i = 0; i < from.elements(); ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < shape.size(); ++d) at = at * wide[d] + index[d] * (d < 2 ? 1 : dilations[d - 2]);
    to.as<float>()[static_cast<size_t>(at)] = from.as<float>()[static_cast<size_t>(i)];
    for (size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
  return r.constant(Constant(std::move(to)), r.value(r.in(1)).name);
}

Result<bool> conv_transpose(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (rank == 3) return one_dimension(r, true);
  int64_t groups = r.integer("group", 1);
  if (groups > 1) return split_groups(r, groups);
  Ints dilations = r.list("dilations");
  if (std::ranges::all_of(dilations, [](int64_t d) { return d == 1; })) return false;
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(ValueId weights, dilated(r, dilations));
  Attributes attributes = r.node().attributes;
  attributes.erase("dilations");
  attributes.erase("kernel_shape");
  std::vector<ValueId> inputs{r.in(0), weights};
  if (r.has(2)) inputs.push_back(r.in(2));
  r.finish("ConvTranspose", std::move(inputs), std::move(attributes));
  return true;
}

// --- pools
// A pool over depth, height and width is one over height and width and then one over depth: of maxima exactly, of means
// as well where all windows are whole.
Result<bool> three_dimensions(Lower& r) {
  OREE_TRY_ASSIGN(Shape in, r.known(r.in(0)));
  OREE_TRY_ASSIGN(Shape out, r.known(r.out()));
  Ints kernel = r.list("kernel_shape"), strides = r.list("strides"), pads = r.list("pads"),
       dilations = r.list("dilations");
  if (strides.empty()) strides = {1, 1, 1};
  if (pads.empty()) pads.assign(6, 0);
  bool mean = r.node().op == "AveragePool";
  bool padded = std::ranges::any_of(pads, [](int64_t p) { return p != 0; });
  bool plain = r.text("auto_pad", "NOTSET") == "NOTSET" && r.integer("ceil_mode", 0) == 0;
  if (!plain || kernel.size() != 3 || pads.size() != 6 || strides.size() != 3)
    return r.unsupported("auto_pad or ceil_mode in three dimensions");
  if (mean && padded && r.integer("count_include_pad", 0) == 0)
    return r.unsupported("pads that a mean in three dimensions must not count");
  if (std::ranges::any_of(dilations, [](int64_t d) { return d != 1; }))
    return r.unsupported("dilations in three dimensions");
  int64_t n = in[0], c = in[1], d = in[2], h = in[3], w = in[4];
  Attributes flat{{"kernel_shape", Ints{kernel[1], kernel[2]}},
                  {"strides", Ints{strides[1], strides[2]}},
                  {"pads", Ints{pads[1], pads[2], pads[4], pads[5]}}};
  Attributes deep{
      {"kernel_shape", Ints{kernel[0], 1}}, {"strides", Ints{strides[0], 1}}, {"pads", Ints{pads[0], 0, pads[3], 0}}};
  if (mean) flat.emplace("count_include_pad", int64_t{1});
  if (mean) deep.emplace("count_include_pad", int64_t{1});
  ValueId planes = r.reshape(r.in(0), {n, c * d, h, w});
  ValueId pooled = r.add_like(r.in(0), r.node().op, {planes}, flat);
  ValueId columns = r.reshape(pooled, {n, c, d, out[3] * out[4]});
  ValueId y = r.add_like(r.in(0), r.node().op, {columns}, deep);
  r.finish("Reshape", {y, r.ints_constant(out)});
  return true;
}

// A window with gaps: the largest of the slices that its elements are.
Result<bool> dilated_max_pool(Lower& r, const Ints& dilations) {
  OREE_TRY_ASSIGN(Shape out, r.known(r.out()));
  OREE_TRY_ASSIGN(Shape in, r.known(r.in(0)));
  Ints kernel = r.list("kernel_shape"), strides = r.list("strides"), pads = r.list("pads");
  if (strides.empty()) strides = {1, 1};
  if (pads.empty()) pads.assign(4, 0);
  if (r.text("auto_pad", "NOTSET") != "NOTSET" || kernel.size() != 2 || r.quantized())
    return r.unsupported("dilations");
  Ints behind(2);
  for (size_t i = 0; i < 2; ++i) {
    int64_t reach = (out[i + 2] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1;
    behind[i] = std::max<int64_t>(reach - in[i + 2] - pads[i], 0);
  }
  ValueId least = r.number_like(r.in(0), -3.4028234663852886e38);
  ValueId x = r.add("Pad", {r.in(0), r.ints_constant({0, 0, pads[0], pads[1], 0, 0, behind[0], behind[1]}), least});
  std::vector<ValueId> slices;
  ValueId axes = r.ints_constant({2, 3}), steps = r.ints_constant(strides);
  for (int64_t i = 0; i < kernel[0]; ++i) {
    for (int64_t j = 0; j < kernel[1]; ++j) {
      int64_t y0 = i * dilations[0], x0 = j * dilations[1];
      slices.push_back(r.add(
          "Slice",
          {x, r.ints_constant({y0, x0}),
           r.ints_constant({y0 + (out[2] - 1) * strides[0] + 1, x0 + (out[3] - 1) * strides[1] + 1}), axes, steps}));
    }
  }
  r.finish("Max", std::move(slices));
  return true;
}

Result<bool> pool(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  if (r.out(1) != kNoValue && !r.graph().unused(r.out(1))) return r.unsupported("its places");
  if (rank == 3) return one_dimension(r, false);
  if (rank == 5) return three_dimensions(r);
  Ints dilations = r.list("dilations");
  bool gaps = std::ranges::any_of(dilations, [](int64_t d) { return d != 1; });
  if (!gaps) return false;
  return r.node().op == "MaxPool" ? dilated_max_pool(r, dilations) : r.unsupported("dilations of a mean");
}

Result<bool> global_pool(Lower& r, const char* op) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  Ints axes;
  for (size_t d = 2; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  r.finish(op, {r.in(0), r.ints_constant(axes)}, {{"keepdims", int64_t{1}}});
  return true;
}
Result<bool> global_average(Lower& r) { return global_pool(r, "ReduceMean"); }
Result<bool> global_max(Lower& r) { return global_pool(r, "ReduceMax"); }
Result<bool> global_lp(Lower& r) {
  int64_t p = r.integer("p", 2);
  return p == 1   ? global_pool(r, "ReduceL1")
         : p == 2 ? global_pool(r, "ReduceL2")
                  : r.unsupported(fmt::format("a norm of {}", p));
}

// The root of a sum of squares: of a mean, times how many there are.
Result<bool> lp_pool(Lower& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  int64_t p = r.integer("p", 2), count = 1;
  if (p != 1 && p != 2) return r.unsupported(fmt::format("a norm of {}", p));
  for (int64_t k : r.list("kernel_shape")) count *= k;
  Attributes attributes = r.node().attributes;
  attributes.erase("p");
  attributes["count_include_pad"] = int64_t{1};
  ValueId each = p == 1 ? r.add("Abs", {r.in(0)}) : r.add("Mul", {r.in(0), r.in(0)});
  ValueId mean = r.add("AveragePool", {each}, std::move(attributes));
  ValueId sum = r.add("Mul", {mean, r.number_like(mean, static_cast<double>(count))});
  r.finish(p == 1 ? "Identity" : "Sqrt", {sum});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"AveragePool", pool},
    {"Conv", conv},
    {"ConvTranspose", conv_transpose},
    {"GlobalAveragePool", global_average},
    {"GlobalLpPool", global_lp},
    {"GlobalMaxPool", global_max},
    {"LpPool", lp_pool},
    {"MaxPool", pool},
};

}  // namespace

std::span<const LowerEntry> compose_windows() { return kEntries; }

}  // namespace oree
