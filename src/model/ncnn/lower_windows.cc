// SPDX-License-Identifier: Apache-2.0
// Convolutions and pools over pictures and sequences. A sequence is a picture of one row.
#include <fmt/format.h>

#include <algorithm>

#include "model/ncnn/ncnn_lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// The window over height and width; sequences have a height of one.
struct Window {
  int64_t channels = 0;
  int64_t in[2] = {1, 1}, out[2] = {1, 1};
  int64_t kernel[2] = {1, 1}, strides[2] = {1, 1}, dilations[2] = {1, 1};
  int64_t begins[2] = {0, 0}, ends[2] = {0, 0};
  Shape in_mat() const { return {channels, in[0], in[1]}; }
  Shape out_mat(int64_t made) const { return {made, out[0], out[1]}; }
};

Status fill(const NcnnNode& n, const Ints& from, size_t axes, int64_t (&into)[2], const char* what) {
  if (from.empty()) return {};
  if (from.size() != axes) return n.invalid(fmt::format("{} {} for {} axes", from.size(), what, axes));
  for (size_t i = 0; i < axes; ++i) into[2 - axes + i] = from[i];
  for (int64_t v : into) {
    if (v < 1 || v > 65535) return n.unsupported(fmt::format("{} of {}", what, v));
  }
  return {};
}

Result<Window> window_of(const NcnnNode& n, const Ints& kernel) {
  OREE_TRY(n.want_one_item(0));
  const Shape &in = n.shape(0), &out = n.out_shape();
  if (in.size() != 3 && in.size() != 4)
    return n.unsupported(fmt::format("a window over {} dimensions", static_cast<int64_t>(in.size()) - 2));
  if (out.size() != in.size()) return n.invalid(fmt::format("its result has {} dimensions", out.size()));
  const size_t axes = in.size() - 2;
  Window w;
  w.channels = in[1];
  for (size_t i = 0; i < axes; ++i) {
    w.in[2 - axes + i] = in[2 + i];
    w.out[2 - axes + i] = out[2 + i];
  }
  OREE_TRY(fill(n, kernel, axes, w.kernel, "window"));
  OREE_TRY(fill(n, n.node().integers("strides"), axes, w.strides, "strides"));
  OREE_TRY(fill(n, n.node().integers("dilations"), axes, w.dilations, "dilations"));
  const Ints pads = n.node().integers("pads");
  if (!pads.empty() && pads.size() != 2 * axes) return n.invalid(fmt::format("{} pads", pads.size()));
  for (size_t i = 0; i < axes && !pads.empty(); ++i) {
    w.begins[2 - axes + i] = pads[i];
    w.ends[2 - axes + i] = pads[axes + i];
  }
  return w;
}

// What must lie around `in` so that windows make `out` of it: of auto_pad, and of ceil_mode at the end alone.
Status settle_pads(const NcnnNode& n, Window& w) {
  const std::string automatic = n.node().text("auto_pad", "NOTSET");
  for (int i = 0; i < 2; ++i) {
    const int64_t needed = (w.out[i] - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1 - w.in[i];
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      const int64_t total = std::max<int64_t>(0, needed);
      w.begins[i] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.ends[i] = total - w.begins[i];
    } else if (needed - w.begins[i] > w.ends[i]) {
      w.ends[i] = needed - w.begins[i];
    }
    if (w.begins[i] < 0 || w.ends[i] < 0 || w.begins[i] > 65535 || w.ends[i] > 65535)
      return n.unsupported(fmt::format("borders of {} and {}", w.begins[i], w.ends[i]));
  }
  return {};
}

NcnnParams convolution_params(const Window& w, int64_t made) {
  NcnnParams p;
  p.set(0, made).set(1, w.kernel[1]).set(11, w.kernel[0]).set(2, w.dilations[1]).set(12, w.dilations[0]);
  p.set(3, w.strides[1]).set(13, w.strides[0]);
  p.set(4, w.begins[1]).set(15, w.ends[1]).set(14, w.begins[0]).set(16, w.ends[0]);
  return p;
}

Result<Ints> kernel_of(const NcnnNode& n) {
  if (!n.stored(1) || !n.floats(1)) return n.unsupported("its weights are not constant floats");
  const Shape weights = n.stored(1)->shape();
  if (weights.size() < 3) return n.invalid("its weights have no window");
  return Ints(weights.begin() + 2, weights.end());
}

// Weights as they are stored, and a bias when there is one.
Status add_weights(const NcnnNode& n, const Constant& values, NcnnParams& p, std::vector<NcnnWeights>& weights) {
  if (n.has(2)) {
    const std::optional<Constant> bias = n.floats(2);
    if (!bias) return n.unsupported("its bias is not constant");
    p.set(5, 1);
    weights = {{values, true}, {*bias}};
  } else {
    weights = {{values, true}};
  }
  p.set(6, values.elements());
  return {};
}

Status convolution(NcnnNode& n) {
  OREE_TRY_ASSIGN(Ints kernel, kernel_of(n));
  OREE_TRY_ASSIGN(Window w, window_of(n, kernel));
  OREE_TRY(settle_pads(n, w));
  Constant values = *n.stored(1);
  if (values.dtype() == Dtype::kFloat64) values = *n.floats(1);
  const int64_t made = values.shape()[0], groups = n.integer("group", 1);
  if (groups < 1 || groups > made || made % groups != 0) return n.invalid(fmt::format("{} groups", groups));
  NcnnParams p = convolution_params(w, made);
  std::vector<NcnnWeights> weights;
  OREE_TRY(add_weights(n, values, p, weights));
  if (groups > 1) p.set(7, groups);
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0, w.in_mat()));
  n.absorb_activation(p);
  n.finish(groups > 1 ? "ConvolutionDepthWise" : "Convolution", {x}, w.out_mat(made), std::move(p), std::move(weights));
  return {};
}

// ONNX has inputs before outputs, ncnn the other way round; both within each group.
Tensor outputs_first(const Tensor& from, int64_t groups) {
  const Shape& shape = from.shape();
  const int64_t in = shape[0] / groups, out = shape[1], window = from.elements() / std::max<int64_t>(1, shape[0] * out);
  Tensor to(Dtype::kFloat32, shape);
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i) {
        const auto source = from.as<float>().subspan(static_cast<size_t>(((g * in + i) * out + o) * window),
                                                     static_cast<size_t>(window));
        std::ranges::copy(source, to.as<float>().begin() + ((g * out + o) * in + i) * window);
      }
    }
  }
  return to;
}

// What is cut from around the whole result.
Status settle_cut(const NcnnNode& n, Window& w, const Ints& extra) {
  const std::string automatic = n.node().text("auto_pad", "NOTSET");
  const bool told = !n.node().integers("output_shape").empty();
  for (int i = 0; i < 2; ++i) {
    const int64_t whole =
        (w.in[i] - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1 + extra[static_cast<size_t>(i)];
    const int64_t cut = whole - w.out[i];
    if (automatic != "NOTSET" || told) {
      w.begins[i] = automatic == "SAME_UPPER" ? cut / 2 : cut - cut / 2;
      w.ends[i] = cut - w.begins[i];
    }
    if (w.begins[i] < 0 || w.ends[i] < 0 || w.begins[i] + w.ends[i] != cut)
      return n.unsupported(fmt::format("borders of {} and {} cut from {}", w.begins[i], w.ends[i], whole));
  }
  return {};
}

Status transposed_convolution(NcnnNode& n) {
  OREE_TRY_ASSIGN(Ints kernel, kernel_of(n));
  OREE_TRY_ASSIGN(Window w, window_of(n, kernel));
  Ints extra = n.node().integers("output_padding");
  extra.insert(extra.begin(), 2 - std::min<size_t>(2, extra.size()), 0);
  OREE_TRY(settle_cut(n, w, extra));
  const Tensor values = n.floats(1)->to_tensor();
  const int64_t groups = n.integer("group", 1);
  if (groups < 1 || values.shape()[0] % groups != 0) return n.invalid(fmt::format("{} groups", groups));
  const int64_t made = values.shape()[1] * groups;
  NcnnParams p = convolution_params(w, made);
  p.set(18, extra[1]).set(19, extra[0]);
  std::vector<NcnnWeights> weights;
  OREE_TRY(add_weights(n, Constant(outputs_first(values, groups)), p, weights));
  if (groups > 1) p.set(7, groups);
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0, w.in_mat()));
  n.absorb_activation(p);
  n.finish(groups > 1 ? "DeconvolutionDepthWise" : "Deconvolution", {x}, w.out_mat(made), std::move(p),
           std::move(weights));
  return {};
}

Status pool(NcnnNode& n, bool average) {
  const Ints kernel = n.node().integers("kernel_shape");
  OREE_TRY_ASSIGN(Window w, window_of(n, kernel));
  if (n.node().output(1) != kNoValue) return n.unsupported("the places of the largest are wanted");
  if (w.dilations[0] != 1 || w.dilations[1] != 1) return n.unsupported("a pool with dilations");
  const Window before = w;
  OREE_TRY(settle_pads(n, w));
  const bool counted = average && n.integer("count_include_pad", 0) != 0;
  // What ceil_mode adds at the end is not counted, though other borders are.
  if (counted && n.integer("ceil_mode", 0) != 0 && (w.ends[0] != before.ends[0] || w.ends[1] != before.ends[1]))
    return n.unsupported("count_include_pad with ceil_mode");
  NcnnParams p;
  p.set(0, average ? 1 : 0).set(1, w.kernel[1]).set(11, w.kernel[0]).set(2, w.strides[1]).set(12, w.strides[0]);
  p.set(3, w.begins[1]).set(14, w.ends[1]).set(13, w.begins[0]).set(15, w.ends[0]).set(5, 1);
  if (average) p.set(6, counted ? 1 : 0);
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0, w.in_mat()));
  n.finish("Pooling", {x}, w.out_mat(w.channels), std::move(p));
  return {};
}
Status max_pool(NcnnNode& n) { return pool(n, false); }
Status average_pool(NcnnNode& n) { return pool(n, true); }

Status global_pool(NcnnNode& n, int kind) {
  OREE_TRY(n.want_one_item(0));
  const Shape& in = n.shape(0);
  int64_t places = 1;
  for (size_t i = 2; i < in.size(); ++i) places *= in[i];
  const Shape picture = in.size() == 4 ? Shape{in[1], in[2], in[3]} : Shape{in[1], 1, places};
  OREE_TRY_ASSIGN(NcnnBlob x, n.operand(0, picture));
  n.finish("Pooling", {x}, Shape{in[1]}, NcnnParams().set(0, kind).set(4, 1));
  return {};
}
Status global_average_pool(NcnnNode& n) { return global_pool(n, 1); }
Status global_max_pool(NcnnNode& n) { return global_pool(n, 0); }

constexpr NcnnEntry kEntries[] = {
    {"AveragePool", average_pool},
    {"Conv", convolution},
    {"ConvTranspose", transposed_convolution},
    {"GlobalAveragePool", global_average_pool},
    {"GlobalMaxPool", global_max_pool},
    {"MaxPool", max_pool},
};

}  // namespace

std::span<const NcnnEntry> ncnn_windows() { return kEntries; }

}  // namespace oree
