// SPDX-License-Identifier: Apache-2.0
// Convolutions and pools. Images are [batch, channels, spatial...], kernels [out, in / group, spatial...].
#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

// Along one spatial axis.
struct Window {
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t extent() const { return (kernel - 1) * dilation + 1; }
};

Result<std::vector<int64_t>> per_axis(const Inference& in, std::string_view name, size_t count, int64_t otherwise,
                                      int64_t min) {
  std::vector<int64_t> v = in.node().integers(name);
  if (in.node().find(name) == nullptr) v.assign(count, otherwise);
  if (v.size() != count) return in.fail(fmt::format("{} has {} numbers, not {}", name, v.size(), count));
  for (int64_t n : v) {
    // Bounded like a dimension: sums and products of two then never overflow.
    if (n < min || n > kTensorElementsMax) return in.fail(fmt::format("{} of {}", name, n));
  }
  return v;
}

// `kernel` may have unknown dimensions: those of the weights.
Result<std::vector<Window>> windows(const Inference& in, const Dims& kernel) {
  const size_t n = kernel.size();
  OREE_TRY_ASSIGN(std::vector<int64_t> strides, per_axis(in, "strides", n, 1, 1));
  OREE_TRY_ASSIGN(std::vector<int64_t> dilations, per_axis(in, "dilations", n, 1, 1));
  OREE_TRY_ASSIGN(std::vector<int64_t> pads, per_axis(in, "pads", 2 * n, 0, -kTensorElementsMax));
  std::vector<Window> out;
  for (size_t i = 0; i < n; ++i) {
    int64_t size = kernel[i].size;
    if (size == 0 || (size > 0 && size > kTensorElementsMax / dilations[i]))
      return in.fail(fmt::format("a kernel of {} with dilation {}", size, dilations[i]));
    out.push_back({size, strides[i], dilations[i], pads[i], pads[n + i]});
  }
  return out;
}

Result<std::string> auto_pad_of(const Inference& in) {
  std::string pad = in.node().text("auto_pad", "NOTSET");
  if (pad != "NOTSET" && pad != "VALID" && pad != "SAME_UPPER" && pad != "SAME_LOWER")
    return in.fail(fmt::format("auto_pad '{}'", pad.substr(0, 32)));
  return pad;
}

Result<Dim> windowed(const Inference& in, const Dim& size, const Window& w, const std::string& auto_pad, bool ceil) {
  bool same = auto_pad.starts_with("SAME");
  if (!size.known()) {
    bool keeps = w.stride == 1 && (same || (auto_pad == "NOTSET" && w.kernel > 0 && w.begin + w.end == w.extent() - 1));
    return keeps ? size : Dim();
  }
  if (same) return Dim((size.size + w.stride - 1) / w.stride);
  if (w.kernel < 0) return Dim();
  int64_t begin = auto_pad == "VALID" ? 0 : w.begin, end = auto_pad == "VALID" ? 0 : w.end;
  int64_t room = size.size + begin + end - w.extent();
  if (room < 0) {
    return in.fail(
        fmt::format("a window of {} does not fit into {} with pads {} and {}", w.extent(), size.size, begin, end));
  }
  int64_t n = room / w.stride + 1;
  // A last window that would begin in the end's padding is not computed.
  if (ceil && room % w.stride != 0 && n * w.stride < size.size + begin) ++n;
  return Dim(n);
}

Result<Dims> spatial(const Inference& in, const Dims& x, const Dims& kernel, bool ceil) {
  OREE_TRY_ASSIGN(std::vector<Window> window, windows(in, kernel));
  OREE_TRY_ASSIGN(std::string auto_pad, auto_pad_of(in));
  Dims out;
  for (size_t i = 0; i < kernel.size(); ++i) {
    OREE_TRY_ASSIGN(Dim d, windowed(in, x[i + 2], window[i], auto_pad, ceil));
    out.push_back(std::move(d));
  }
  return out;
}

// The kernel's spatial dimensions: of the weights, and of kernel_shape where that is given.
Result<Dims> kernel_dims(const Inference& in, const Dims& weights) {
  Dims out(weights.begin() + 2, weights.end());
  if (in.node().find("kernel_shape") == nullptr) return out;
  OREE_TRY_ASSIGN(std::vector<int64_t> given, per_axis(in, "kernel_shape", out.size(), 1, 1));
  for (size_t i = 0; i < out.size(); ++i) {
    OREE_TRY_ASSIGN(out[i], same_dim(in, out[i], Dim(given[i]), "kernel_shape and weights differ"));
  }
  return out;
}

Result<int64_t> groups(const Inference& in) {
  int64_t n = in.node().integer("group", 1);
  if (n < 1 || n > kTensorElementsMax) return in.fail(fmt::format("group {}", n));
  return n;
}

Status infer_conv_as(Inference& in, size_t weights, std::optional<Dtype> dtype) {
  std::optional<Dims> x = in.dims(0), w = in.dims(weights);
  OREE_TRY(want_rank_min(in, 0, 3));
  if (x) OREE_TRY(want_rank(in, weights, x->size()));
  if (!x || !w) {
    in.set(0, dtype, {});
    return {};
  }
  OREE_TRY_ASSIGN(int64_t group, groups(in));
  const Dim &channels = (*x)[1], &per_group = (*w)[1], &filters = (*w)[0];
  if (channels.known() && per_group.known() && channels.size != per_group.size * group)
    return in.fail(fmt::format("{} channels for weights {} in {} groups", channels.size, dims_text(*w), group));
  if (filters.known() && filters.size % group != 0)
    return in.fail(fmt::format("{} filters in {} groups", filters.size, group));
  OREE_TRY_ASSIGN(Dims kernel, kernel_dims(in, *w));
  OREE_TRY_ASSIGN(Dims out, spatial(in, *x, kernel, false));
  out.insert(out.begin(), {(*x)[0], filters});
  in.set(0, dtype, std::move(out));
  return {};
}

Status want_bias(const Inference& in, size_t input, const Dim& channels) {
  OREE_TRY(want_rank(in, input, 1));
  if (std::optional<Dims> b = in.dims(input)) OREE_TRY(same_dim(in, (*b)[0], channels, "bias and channels differ"));
  return {};
}

Status infer_conv(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 1, 2}));
  if (in.dims(1) && !in.dims(1)->empty()) OREE_TRY(want_bias(in, 2, (*in.dims(1))[0]));
  return infer_conv_as(in, 1, in.dtype(0));
}

Status infer_conv_integer(Inference& in) { return infer_conv_as(in, 1, Dtype::kInt32); }
Status infer_qlinear_conv(Inference& in) { return infer_conv_as(in, 3, in.dtype(7)); }

Status infer_deform_conv(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 1, 2, 3, 4}));
  return infer_conv_as(in, 1, in.dtype(0));
}

Result<Dims> transposed_spatial(const Inference& in, const Dims& x, const Dims& kernel) {
  OREE_TRY_ASSIGN(std::vector<Window> window, windows(in, kernel));
  OREE_TRY_ASSIGN(std::string auto_pad, auto_pad_of(in));
  const size_t n = kernel.size();
  OREE_TRY_ASSIGN(std::vector<int64_t> extra, per_axis(in, "output_padding", n, 0, 0));
  std::vector<int64_t> shape = in.node().integers("output_shape");
  // Some exporters write all dimensions, not only the spatial ones.
  if (shape.size() == n + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() && shape.size() != n) return in.fail(fmt::format("output_shape has {} numbers", shape.size()));
  Dims out;
  for (size_t i = 0; i < n; ++i) {
    const Window& w = window[i];
    const Dim& size = x[i + 2];
    if (!shape.empty()) {
      if (shape[i] < 0) return in.fail(fmt::format("an output_shape of {}", shape[i]));
      out.emplace_back(shape[i]);
    } else if (!size.known() || w.kernel < 0) {
      out.emplace_back();
    } else if (auto_pad.starts_with("SAME")) {
      out.emplace_back(size.size * w.stride);
    } else {
      int64_t pads = auto_pad == "VALID" ? 0 : w.begin + w.end;
      int64_t d = w.stride * (size.size - 1) + extra[i] + w.extent() - pads;
      if (d < 0 || size.size == 0) return in.fail(fmt::format("an output dimension of {}", d));
      out.emplace_back(d);
    }
  }
  return out;
}

Status infer_conv_transpose(Inference& in) {
  OREE_TRY(want_same_dtype(in, {0, 1, 2}));
  std::optional<Dims> x = in.dims(0), w = in.dims(1);
  OREE_TRY(want_rank_min(in, 0, 3));
  if (x) OREE_TRY(want_rank(in, 1, x->size()));
  if (!x || !w) {
    in.set(0, in.dtype(0), {});
    return {};
  }
  OREE_TRY_ASSIGN(int64_t group, groups(in));
  OREE_TRY(same_dim(in, (*x)[1], (*w)[0], "channels of input and weights differ"));
  if ((*w)[0].known() && (*w)[0].size % group != 0)
    return in.fail(fmt::format("{} channels in {} groups", (*w)[0].size, group));
  OREE_TRY_ASSIGN(Dims kernel, kernel_dims(in, *w));
  OREE_TRY_ASSIGN(Dims out, transposed_spatial(in, *x, kernel));
  Dim filters = (*w)[1].known() ? Dim((*w)[1].size * group) : Dim();
  OREE_TRY(want_bias(in, 2, filters));
  out.insert(out.begin(), {(*x)[0], filters});
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

Status infer_pool(Inference& in) {
  std::optional<Dims> x = in.dims(0), out;
  OREE_TRY(want_rank_min(in, 0, 3));
  if (x) {
    OREE_TRY_ASSIGN(std::vector<int64_t> kernel, per_axis(in, "kernel_shape", x->size() - 2, 1, 1));
    OREE_TRY_ASSIGN(out, spatial(in, *x, to_dims(kernel), in.node().integer("ceil_mode", 0) != 0));
    out->insert(out->begin(), {(*x)[0], (*x)[1]});
  }
  in.set(0, in.dtype(0), out);
  in.set(1, Dtype::kInt64, out);
  return {};
}

Status infer_global_pool(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  OREE_TRY(want_rank_min(in, 0, 2));
  for (size_t i = 2; x && i < x->size(); ++i) (*x)[i] = 1;
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

Status infer_max_unpool(Inference& in) {
  OREE_TRY(want_dtype(in, 1, Dtype::kInt64));
  std::optional<Dims> x = in.dims(0), out;
  OREE_TRY(want_rank_min(in, 0, 3));
  if (in.has(2)) {
    OREE_TRY_ASSIGN(out, dims_from(in, 2));
  } else if (x) {
    OREE_TRY_ASSIGN(std::vector<int64_t> kernel, per_axis(in, "kernel_shape", x->size() - 2, 1, 1));
    OREE_TRY_ASSIGN(std::vector<Window> window, windows(in, to_dims(kernel)));
    out = Dims{(*x)[0], (*x)[1]};
    for (size_t i = 0; i < window.size(); ++i) {
      const Window& w = window[i];
      int64_t d = ((*x)[i + 2].size - 1) * w.stride + w.kernel - w.begin - w.end;
      if ((*x)[i + 2].known() && d < 0) return in.fail(fmt::format("an output dimension of {}", d));
      out->push_back((*x)[i + 2].known() ? Dim(d) : Dim());
    }
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

// Each output element sums over one kernel slice.
int64_t conv_macs(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.output(0)), volume(g, n.input(1), 1));
}
int64_t qlinear_conv_macs(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.output(0)), volume(g, n.input(3), 1));
}
// Each input element goes through one kernel slice.
int64_t conv_transpose_macs(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.input(0)), volume(g, n.input(1), 1));
}

constexpr AttributeDef kConv[] = {{"auto_pad", kText},     {"dilations", kInts}, {"group", kInt},
                                  {"kernel_shape", kInts}, {"pads", kInts},      {"strides", kInts}};
constexpr AttributeDef kConvTranspose[] = {{"auto_pad", kText},     {"dilations", kInts},      {"group", kInt},
                                           {"kernel_shape", kInts}, {"output_padding", kInts}, {"output_shape", kInts},
                                           {"pads", kInts},         {"strides", kInts}};
constexpr AttributeDef kDeformConv[] = {{"dilations", kInts},   {"group", kInt}, {"kernel_shape", kInts},
                                        {"offset_group", kInt}, {"pads", kInts}, {"strides", kInts}};
constexpr AttributeDef kMaxPool[] = {
    {"auto_pad", kText}, {"ceil_mode", kInt},     {"dilations", kInts}, {"kernel_shape", kInts, true},
    {"pads", kInts},     {"storage_order", kInt}, {"strides", kInts}};
constexpr AttributeDef kAveragePool[] = {
    {"auto_pad", kText},           {"ceil_mode", kInt}, {"count_include_pad", kInt}, {"dilations", kInts},
    {"kernel_shape", kInts, true}, {"pads", kInts},     {"strides", kInts}};
constexpr AttributeDef kLpPool[] = {
    {"auto_pad", kText}, {"ceil_mode", kInt}, {"dilations", kInts}, {"kernel_shape", kInts, true},
    {"p", kInt},         {"pads", kInts},     {"strides", kInts}};
constexpr AttributeDef kMaxUnpool[] = {{"kernel_shape", kInts, true}, {"pads", kInts}, {"strides", kInts}};
constexpr AttributeDef kP[] = {{"p", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer, macs
    {"AveragePool", 1, 1, 1, 1, kNoTraits, kAveragePool, infer_pool},
    {"Conv", 2, 3, 1, 1, kNoTraits, kConv, infer_conv, conv_macs},
    {"ConvInteger", 2, 4, 1, 1, kNoTraits, kConv, infer_conv_integer, conv_macs},
    {"ConvTranspose", 2, 3, 1, 1, kNoTraits, kConvTranspose, infer_conv_transpose, conv_transpose_macs},
    {"DeformConv", 3, 5, 1, 1, kNoTraits, kDeformConv, infer_deform_conv, conv_macs},
    {"GlobalAveragePool", 1, 1, 1, 1, kNoTraits, {}, infer_global_pool},
    {"GlobalLpPool", 1, 1, 1, 1, kNoTraits, kP, infer_global_pool},
    {"GlobalMaxPool", 1, 1, 1, 1, kNoTraits, {}, infer_global_pool},
    {"LpPool", 1, 1, 1, 1, kNoTraits, kLpPool, infer_pool},
    {"MaxPool", 1, 1, 1, 2, kNoTraits, kMaxPool, infer_pool},
    {"MaxUnpool", 2, 3, 1, 1, kNoTraits, kMaxUnpool, infer_max_unpool},
    {"QLinearConv", 8, 9, 1, 1, kNoTraits, kConv, infer_qlinear_conv, qlinear_conv_macs},
};

}  // namespace

std::span<const OpDef> window_ops() { return kOps; }

}  // namespace oree
