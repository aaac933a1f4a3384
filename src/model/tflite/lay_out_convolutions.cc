// SPDX-License-Identifier: Apache-2.0
// Convolutions in TFLite's layout: images NHWC, weights OHWI (DEPTHWISE_CONV_2D: 1HWO, CONV_3D: DHWIO).
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower_window.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Result<Shape> weights_of(const Lower& r) {
  std::optional<Shape> shape = r.shape(r.in(1));
  if (!shape) return r.unsupported("the shape of its weights is not known");
  return *shape;
}

// TFLite's bias is optional to some engines only: always one.
ValueId bias_of(Lower& r, int64_t channels) { return r.has(2) ? r.in(2) : r.zero_bias(channels); }

ValueId typed_output(Lower& r, std::string_view op, std::vector<ValueId> inputs, Attributes options) {
  return r.emit(op, std::move(inputs), std::move(options), *r.dtype(r.out()), channels_last(*r.dims(r.out())), r.out());
}

Status check_types(const Lower& r) {
  OREE_TRY(r.want_type(r.in(0), "fcCs"));
  bool plain_integers = !r.is_float(r.in(0)) && !r.value(r.in(0)).quantization;
  if (plain_integers) return r.unsupported("integers without a scale");
  if (!r.dims(r.out())) return r.unsupported("the rank of its output is not known");
  return {};
}

void finish_channels_first(Lower& r, ValueId y) {
  r.finish("Transpose", {y}, {{"perm", channels_first_order(r.dims(y)->size())}});
}

Result<bool> conv(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(check_types(r));
  OREE_TRY_ASSIGN(Shape weights, weights_of(r));
  size_t n = weights.size() - 2;
  if (n != 2 && n != 3) return r.unsupported(fmt::format("{} spatial dimensions", n));
  OREE_TRY_ASSIGN(LowerWindow w, lower_window(r, Ints(weights.begin() + 2, weights.end())));
  int64_t groups = r.integer("group", 1), channels = weights[1] * groups;
  bool depthwise = groups > 1 && weights[1] == 1;
  if (n == 3 && (groups != 1 || r.quantized())) return r.unsupported("groups or quantized values in three dimensions");
  if (groups < 1 || weights[0] % groups != 0) return r.invalid(fmt::format("{} groups", groups));
  int64_t padding = 0;
  ValueId x = padded_channels_last(r, w, kNoValue, padding), bias = bias_of(r, weights[0]), y = kNoValue;
  int64_t activation = r.absorb_activation();
  Attributes options = window_options(w, padding);
  options.emplace("fused_activation_function", activation);
  if (n == 3) {
    options["stride_d"] = w.strides[0];
    options["stride_h"] = w.strides[1];
    options["stride_w"] = w.strides[2];
    options["dilation_d_factor"] = w.dilations[0];
    options["dilation_h_factor"] = w.dilations[1];
    options["dilation_w_factor"] = w.dilations[2];
    y = typed_output(r, "CONV_3D", {x, r.permute(r.in(1), {2, 3, 4, 1, 0}), bias}, std::move(options));
  } else {
    options["dilation_h_factor"] = w.dilations[0];
    options["dilation_w_factor"] = w.dilations[1];
    if (depthwise) {
      options["depth_multiplier"] = weights[0] / channels;
      y = typed_output(r, "DEPTHWISE_CONV_2D", {x, r.permute(r.in(1), {1, 2, 3, 0}), bias}, std::move(options));
    } else {
      options["quantized_bias_type"] = r.integer("tflite.quantized_bias_type", 0);
      y = typed_output(r, "CONV_2D", {x, r.permute(r.in(1), {0, 2, 3, 1}), bias}, std::move(options));
    }
  }
  finish_channels_first(r, y);
  return true;
}

// What the operator itself makes: with the pads of SAME, SAME; else VALID of all that there is, then cut. Engines
// refuse sizes that a convolution would not bring back to the input's.
struct Transposed {
  int64_t padding = kTfliteValid;
  Ints size;    // of the operator's own output
  Ints begins;  // of what is wanted of it
  bool cut = false;
};

Result<Transposed> transposed_size(const Lower& r, const LowerWindow& w) {
  Transposed t;
  const Dims out = *r.dims(r.out());
  bool same = true;
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    const Dim to = out[i + 2], from = (*r.dims(r.in(0)))[i + 2];
    if (!to.known() || !from.known()) return r.unsupported("the size of its image is not known");
    int64_t full = (from.size - 1) * w.strides[i] + w.kernel[i];
    // auto_pad and output_shape leave the pads open: what is too much is cut half before and half behind.
    Ints more = r.list("output_padding");
    int64_t total = std::max<int64_t>(full + (i < more.size() ? more[i] : 0) - to.size, 0);
    std::string mode = r.text("auto_pad", "NOTSET");
    bool given = mode == "NOTSET" && r.list("output_shape").empty();
    int64_t begin = given ? w.begins[i] : mode == "SAME_UPPER" ? total / 2 : total - total / 2;
    int64_t steps = (to.size + w.strides[i] - 1) / w.strides[i];
    int64_t wanted = std::max<int64_t>((steps - 1) * w.strides[i] + w.kernel[i] - to.size, 0) / 2;
    same = same && begin == wanted && steps == from.size;
    t.begins.push_back(begin);
    t.size.push_back(std::max(full, begin + to.size));
    t.cut = t.cut || begin > 0 || t.size.back() > to.size;
  }
  if (t.cut && same) {
    t = {kTfliteSame, {}, {}, false};
    for (size_t i = 0; i < w.kernel.size(); ++i) t.size.push_back(out[i + 2].size);
  }
  return t;
}

// The output's shape as an operand: the batch may be free.
ValueId output_shape(Lower& r, const Transposed& t, int64_t channels) {
  Ints shape{(*r.dims(r.out()))[0].size};
  shape.insert(shape.end(), t.size.begin(), t.size.end());
  shape.push_back(channels);
  if (shape[0] >= 0) return r.int32s(shape);
  ValueId batch = r.add("Shape", {r.in(0)}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
  ValueId rest = r.ints_constant(std::span(shape).subspan(1));
  return r.as_int32(r.add("Concat", {batch, rest}, {{"axis", int64_t{0}}}));
}

Result<bool> conv_transpose(Lower& r) {
  OREE_TRY(r.want(2));
  OREE_TRY(check_types(r));
  OREE_TRY_ASSIGN(Shape weights, weights_of(r));  // I, O, H, W
  if (weights.size() != 4) return r.unsupported(fmt::format("{} spatial dimensions", weights.size() - 2));
  if (r.integer("group", 1) != 1) return r.unsupported("groups");
  OREE_TRY_ASSIGN(LowerWindow w, lower_window(r, Ints(weights.begin() + 2, weights.end())));
  if (w.dilations != Ints{1, 1}) return r.unsupported("dilations of variable weights");
  if (!r.dims(r.in(0)) || r.dims(r.in(0))->size() != 4) return r.unsupported("the rank of its input is not known");
  OREE_TRY_ASSIGN(Transposed t, transposed_size(r, w));
  std::vector<ValueId> inputs{output_shape(r, t, weights[1]), r.permute(r.in(1), {1, 2, 3, 0}),
                              r.permute(r.in(0), {0, 2, 3, 1}), bias_of(r, weights[1])};
  Dims dims{(*r.dims(r.out()))[0], t.size[0], t.size[1], weights[1]};
  ValueId y = r.emit("TRANSPOSE_CONV", std::move(inputs),
                     {{"padding", t.padding},
                      {"stride_h", w.strides[0]},
                      {"stride_w", w.strides[1]},
                      {"quantized_bias_type", r.integer("tflite.quantized_bias_type", 0)}},
                     *r.dtype(r.out()), dims, r.out());
  if (t.cut) {
    const Dims out = *r.dims(r.out());
    Ints ends{t.begins[0] + out[2].size, t.begins[1] + out[3].size};
    y = r.add_like(r.out(), "Slice", {y, r.ints_constant(t.begins), r.ints_constant(ends), r.ints_constant({1, 2})});
  }
  finish_channels_first(r, y);
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"Conv", conv},
    {"ConvTranspose", conv_transpose},
};

}  // namespace

std::span<const LowerEntry> lay_out_convolutions() { return kEntries; }

}  // namespace oree
