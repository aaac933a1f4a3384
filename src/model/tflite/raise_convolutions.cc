// SPDX-License-Identifier: Apache-2.0
// Convolutions, pools and matrix products. TFLite's images are NHWC, its weights OHWI (DEPTHWISE_CONV_2D: 1HWO).
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

struct Window {
  Ints kernel, strides, dilations;
};

Status check(const Raise& r, const Window& w) {
  for (const Ints* list : {&w.kernel, &w.strides, &w.dilations}) {
    for (int64_t v : *list) {
      if (v < 1 || v > INT32_MAX) return r.invalid(fmt::format("a kernel, stride or dilation of {}", v));
    }
  }
  return {};
}

// SAME of TensorFlow: as little as needed, the odd one behind. Explicit where the size is known.
Status add_padding(const Raise& r, ValueId x, const Window& w, int64_t padding, Attributes& out) {
  if (padding == kTfliteValid) return {};
  if (padding != kTfliteSame) return r.invalid(fmt::format("padding {}", padding));
  size_t n = w.kernel.size();
  std::optional<Dims> dims = r.dims(x);
  Ints pads(2 * n, 0);
  for (size_t i = 0; i < n; ++i) {
    if (!dims || dims->size() != n + 2 || !(*dims)[i + 1].known()) {
      out.emplace("auto_pad", std::string("SAME_UPPER"));
      return {};
    }
    int64_t size = (*dims)[i + 1].size, reach = (w.kernel[i] - 1) * w.dilations[i] + 1;
    int64_t steps = (size + w.strides[i] - 1) / w.strides[i];
    int64_t total = std::max<int64_t>((steps - 1) * w.strides[i] + reach - size, 0);
    pads[i] = total / 2;
    pads[n + i] = total - total / 2;
  }
  if (std::ranges::any_of(pads, [](int64_t p) { return p != 0; })) out.emplace("pads", std::move(pads));
  return {};
}

Attributes window_attributes(const Window& w) {
  Attributes out{{"kernel_shape", w.kernel}};
  auto plain = [](const Ints& v) { return std::ranges::all_of(v, [](int64_t n) { return n == 1; }); };
  if (!plain(w.strides)) out.emplace("strides", w.strides);
  if (!plain(w.dilations)) out.emplace("dilations", w.dilations);
  return out;
}

// Hybrid operators: float activations are quantized as they come. How, is kept for the way back.
void keep_hybrid(const Raise& r, size_t weights, Attributes& out) {
  bool hybrid = r.value(r.in(weights)).quantization && !r.value(r.in(0)).quantization;
  if (hybrid && r.flag("asymmetric_quantize_inputs")) out.emplace("tflite.asymmetric_quantize_inputs", int64_t{1});
}

// And in what a kernel of 16 bits sums up.
void keep_sums(const Raise& r, Attributes& out) {
  if (int64_t type = r.option("quantized_bias_type"); type != 0) out.emplace("tflite.quantized_bias_type", type);
}

Result<Shape> weights_shape(const Raise& r, size_t input, size_t rank) {
  std::optional<Shape> shape = r.shape(r.in(input));
  if (!shape) return r.unsupported("the shape of its weights is not known");
  if (shape->size() != rank) return r.invalid(fmt::format("weights of rank {}, not {}", shape->size(), rank));
  if (std::ranges::find(*shape, 0) != shape->end()) return r.invalid("empty weights");
  return *shape;
}

// What all convolutions of two dimensions have.
struct Conv2d {
  Shape weights;
  int64_t channels = 0;  // of the input
  Attributes attributes;
};

Result<Conv2d> conv_of(const Raise& r) {
  OREE_TRY(r.want(2));
  Conv2d c;
  OREE_TRY_ASSIGN(c.weights, weights_shape(r, 1, 4));
  Window w{{c.weights[1], c.weights[2]},
           {r.option("stride_h"), r.option("stride_w")},
           {r.option("dilation_h_factor"), r.option("dilation_w_factor")}};
  OREE_TRY(check(r, w));
  c.attributes = window_attributes(w);
  OREE_TRY(add_padding(r, r.in(0), w, r.option("padding"), c.attributes));
  std::optional<Dims> dims = r.dims(r.in(0));
  if (!dims || dims->size() != 4 || !(*dims)[3].known()) return r.unsupported("its input's channels are not known");
  c.channels = (*dims)[3].size;
  if (c.channels < 1 || c.weights[3] < 1) {
    return r.invalid(fmt::format("weights {} for {} channels", shape_text(c.weights), c.channels));
  }
  return c;
}

Status conv_2d(Raise& r) {
  OREE_TRY_ASSIGN(Conv2d c, conv_of(r));
  if (c.channels % c.weights[3] != 0 || c.weights[0] % (c.channels / c.weights[3]) != 0) {
    return r.invalid(fmt::format("weights for {} channels, but the input has {}", c.weights[3], c.channels));
  }
  if (c.channels != c.weights[3]) c.attributes.emplace("group", c.channels / c.weights[3]);
  std::vector<ValueId> inputs{r.channels_first(r.in(0)), r.channels_first(r.in(1))};
  if (r.has(2)) inputs.push_back(r.in(2));
  keep_sums(r, c.attributes);
  r.finish_channels_first("Conv", std::move(inputs), std::move(c.attributes));
  return {};
}

Status depthwise_conv_2d(Raise& r) {
  OREE_TRY_ASSIGN(Conv2d c, conv_of(r));
  if (c.weights[0] != 1 || c.weights[3] % c.channels != 0) {
    return r.invalid(fmt::format("weights {} for {} channels", shape_text(c.weights), c.channels));
  }
  c.attributes.emplace("group", c.channels);
  std::vector<ValueId> inputs{r.channels_first(r.in(0)), r.permute(r.in(1), Ints{3, 0, 1, 2})};
  if (r.has(2)) inputs.push_back(r.in(2));
  r.finish_channels_first("Conv", std::move(inputs), std::move(c.attributes));
  return {};
}

// Pads and output_padding of a transposed convolution, from the size that it is to make.
Status add_transposed_padding(const Raise& r, const Window& w, const Ints& in, const Ints& out, int64_t padding,
                              Attributes& attributes) {
  size_t n = w.kernel.size();
  Ints pads(2 * n, 0), more(n, 0);
  for (size_t i = 0; i < n; ++i) {
    int64_t full = (in[i] - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1;
    int64_t steps = (out[i] + w.strides[i] - 1) / w.strides[i];
    int64_t total = (steps - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1 - out[i];
    total = padding == kTfliteSame ? std::max<int64_t>(total, 0) : 0;
    pads[i] = total / 2;
    int64_t behind = full - out[i] - pads[i];
    pads[n + i] = std::max<int64_t>(behind, 0);
    more[i] = std::max<int64_t>(-behind, 0);
    if (more[i] >= w.strides[i]) return r.unsupported(fmt::format("an output of {} from {}", out[i], in[i]));
  }
  auto any = [](const Ints& v) { return std::ranges::any_of(v, [](int64_t x) { return x != 0; }); };
  if (any(pads)) attributes.emplace("pads", std::move(pads));
  if (any(more)) attributes.emplace("output_padding", std::move(more));
  return {};
}

// Where the batch is free the output's shape is computed; the file says besides how large its images are.
Result<Ints> output_size(const Raise& r) {
  if (r.constant_of(r.in(0))) return r.ints(0);
  std::optional<Dims> dims = r.dims(r.out());
  if (!dims || dims->size() < 3) return r.unsupported("an output shape that is computed");
  Ints size;
  for (size_t i = 0; i < dims->size(); ++i) {
    if (i > 0 && !(*dims)[i].known()) return r.unsupported("an output shape that is computed");
    size.push_back((*dims)[i].known() ? (*dims)[i].size : -1);
  }
  return size;
}

Status transposed(Raise& r, const Window& w, std::span<const int64_t> weights_order) {
  OREE_TRY(check(r, w));
  OREE_TRY_ASSIGN(Ints size, output_size(r));
  size_t rank = w.kernel.size() + 2;
  std::optional<Dims> dims = r.dims(r.in(2));
  if (size.size() != rank) return r.invalid("its output shape has another rank");
  if (!dims || dims->size() != rank) return r.unsupported("the rank of its input is not known");
  Ints in;
  for (size_t i = 1; i + 1 < rank; ++i) {
    if (!(*dims)[i].known()) return r.unsupported("the size of its input is not known");
    in.push_back((*dims)[i].size);
  }
  Attributes attributes = window_attributes(w);
  OREE_TRY(add_transposed_padding(r, w, in, Ints(size.begin() + 1, size.end() - 1), r.option("padding"), attributes));
  if (r.node().op == "TRANSPOSE_CONV") keep_sums(r, attributes);
  std::vector<ValueId> inputs{r.channels_first(r.in(2)), r.permute(r.in(1), weights_order)};
  if (r.has(3)) inputs.push_back(r.in(3));
  r.finish_channels_first("ConvTranspose", std::move(inputs), std::move(attributes));
  return {};
}

Status transpose_conv(Raise& r) {
  OREE_TRY(r.want(3));
  OREE_TRY_ASSIGN(Shape weights, weights_shape(r, 1, 4));
  Window w{{weights[1], weights[2]}, {r.option("stride_h"), r.option("stride_w")}, {1, 1}};
  return transposed(r, w, Ints{3, 0, 1, 2});
}

Result<Window> window_3d(const Raise& r) {
  OREE_TRY_ASSIGN(Shape weights, weights_shape(r, 1, 5));
  Window w{{weights[0], weights[1], weights[2]},
           {r.option("stride_d"), r.option("stride_h"), r.option("stride_w")},
           {r.option("dilation_d_factor"), r.option("dilation_h_factor"), r.option("dilation_w_factor")}};
  OREE_TRY(check(r, w));
  return w;
}

// Weights DHWIO.
Status conv_3d(Raise& r) {
  OREE_TRY(r.want(2));
  OREE_TRY_ASSIGN(Window w, window_3d(r));
  Attributes attributes = window_attributes(w);
  OREE_TRY(add_padding(r, r.in(0), w, r.option("padding"), attributes));
  std::vector<ValueId> inputs{r.channels_first(r.in(0)), r.permute(r.in(1), Ints{4, 3, 0, 1, 2})};
  if (r.has(2)) inputs.push_back(r.in(2));
  r.finish_channels_first("Conv", std::move(inputs), std::move(attributes));
  return {};
}

// Weights DHWOI.
Status conv_3d_transpose(Raise& r) {
  OREE_TRY(r.want(3));
  OREE_TRY_ASSIGN(Window w, window_3d(r));
  return transposed(r, w, Ints{4, 3, 0, 1, 2});
}

Result<Window> pool_window(const Raise& r) {
  Window w{{r.option("filter_height"), r.option("filter_width")}, {r.option("stride_h"), r.option("stride_w")}, {1, 1}};
  OREE_TRY(check(r, w));
  return w;
}

Status pool(Raise& r, const char* op) {
  OREE_TRY(r.want(1));
  OREE_TRY_ASSIGN(Window w, pool_window(r));
  Attributes attributes = window_attributes(w);
  OREE_TRY(add_padding(r, r.in(0), w, r.option("padding"), attributes));
  r.finish_channels_first(op, {r.channels_first(r.in(0))}, std::move(attributes));
  return {};
}
Status average_pool(Raise& r) { return pool(r, "AveragePool"); }
Status max_pool(Raise& r) { return pool(r, "MaxPool"); }

// The root of the mean of squares.
Status l2_pool(Raise& r) {
  OREE_TRY(r.want(1));
  OREE_TRY(r.want_plain());
  OREE_TRY_ASSIGN(Window w, pool_window(r));
  Attributes attributes = window_attributes(w);
  OREE_TRY(add_padding(r, r.in(0), w, r.option("padding"), attributes));
  ValueId x = r.channels_first(r.in(0));
  r.finish_channels_first("Sqrt", {r.add("AveragePool", {r.add("Mul", {x, x})}, std::move(attributes))});
  return {};
}

// Weights OI. Without keep_num_dims the input is taken as rows of as many elements as the weights have.
Status fully_connected(Raise& r) {
  OREE_TRY(r.want(2));
  if (r.option("weights_format") != 0) return r.unsupported("shuffled weights");
  OREE_TRY_ASSIGN(Shape weights, weights_shape(r, 1, 2));
  OREE_TRY_ASSIGN(size_t rank, r.known_rank(r.in(0)));
  Attributes attributes{{"transB", int64_t{1}}};
  keep_hybrid(r, 1, attributes);
  keep_sums(r, attributes);
  bool keep = r.flag("keep_num_dims") && rank != 2;
  ValueId x = r.in(0);
  std::optional<Dims> dims = r.dims(x);
  bool matrix = rank == 2 && ((*dims)[1] == Dim(weights[1]) || !(*dims)[1].known());
  if (!matrix) x = r.reshape(x, Ints{-1, weights[1]});
  std::vector<ValueId> inputs{x, r.in(1)};
  if (r.has(2)) inputs.push_back(r.in(2));
  if (!keep) {
    r.finish("Gemm", std::move(inputs), std::move(attributes));
    return {};
  }
  ValueId y = r.add_like(r.out(), "Gemm", std::move(inputs), std::move(attributes));
  Ints shape;
  size_t free = 0;
  for (size_t i = 0; i + 1 < rank; ++i) {
    shape.push_back((*dims)[i].known() ? (*dims)[i].size : -1);
    free += !(*dims)[i].known();
  }
  shape.push_back(weights[0]);
  if (free > 1) return r.unsupported("more than one dimension of its input is free");
  r.finish("Reshape", {y, r.ints_constant(shape)});
  return {};
}

Status batch_matmul(Raise& r) {
  OREE_TRY(r.want(2));
  Attributes attributes;
  keep_hybrid(r, 1, attributes);
  ValueId x = r.flag("adj_x") ? r.transposed_last_two(r.in(0)) : r.in(0);
  ValueId y = r.flag("adj_y") ? r.transposed_last_two(r.in(1)) : r.in(1);
  r.finish("MatMul", {x, y}, std::move(attributes));
  return {};
}

constexpr RaiseEntry kEntries[] = {
    {"CONV_2D", conv_2d},
    {"DEPTHWISE_CONV_2D", depthwise_conv_2d},
    {"TRANSPOSE_CONV", transpose_conv},
    {"CONV_3D", conv_3d},
    {"CONV_3D_TRANSPOSE", conv_3d_transpose},
    {"AVERAGE_POOL_2D", average_pool},
    {"MAX_POOL_2D", max_pool},
    {"L2_POOL_2D", l2_pool},
    {"FULLY_CONNECTED", fully_connected},
    {"BATCH_MATMUL", batch_matmul},
};

}  // namespace

std::span<const RaiseEntry> raise_convolutions() { return kEntries; }

}  // namespace oree
