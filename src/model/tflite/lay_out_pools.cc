// SPDX-License-Identifier: Apache-2.0
// Pools over images in TFLite's layout.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/tflite/lower_window.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Result<LowerWindow> pool_window(const Lower& r) {
  OREE_TRY(r.want(1));
  Ints kernel = r.list("kernel_shape");
  if (kernel.size() != 2) return r.unsupported(fmt::format("{} spatial dimensions", kernel.size()));
  OREE_TRY_ASSIGN(LowerWindow w, lower_window(r, kernel));
  if (w.dilations != Ints{1, 1}) return r.unsupported("dilations");
  if (!r.dims(r.out()) || r.dims(r.out())->size() != 4) return r.unsupported("the rank of its output is not known");
  return w;
}

ValueId emit_pool(Lower& r, std::string_view op, ValueId x, const LowerWindow& w, int64_t padding, int64_t activation) {
  Attributes options = window_options(w, padding);
  options.emplace("filter_height", w.kernel[0]);
  options.emplace("filter_width", w.kernel[1]);
  options.emplace("fused_activation_function", activation);
  return r.emit(op, {x}, std::move(options), *r.dtype(r.out()), channels_last(*r.dims(r.out())), r.out());
}

// The least number of a type: what padding must be for a maximum.
ValueId lowest(Lower& r) {
  double least = 0;
  switch (*r.dtype(r.in(0))) {
    case Dtype::kInt8: least = INT8_MIN; break;
    case Dtype::kInt16: least = INT16_MIN; break;
    case Dtype::kUint8: least = 0; break;
    default: least = static_cast<double>(std::numeric_limits<float>::lowest());
  }
  ValueId number = r.number_like(r.in(0), least);
  r.graph().set_quantization(number, r.value(r.in(0)).quantization);
  return number;
}

Result<bool> max_pool(Lower& r) {
  OREE_TRY(r.want_type(r.in(0), "fcCs"));
  OREE_TRY_ASSIGN(LowerWindow w, pool_window(r));
  if (r.out(1) != kNoValue && !r.graph().unused(r.out(1))) return r.unsupported("its places");
  int64_t padding = 0;
  ValueId fill = w.same || !w.any_pads() ? kNoValue : lowest(r);
  ValueId x = padded_channels_last(r, w, fill, padding);
  int64_t activation = r.absorb_activation();
  ValueId y = emit_pool(r, "MAX_POOL_2D", x, w, padding, activation);
  r.finish("Transpose", {y}, {{"perm", Ints{0, 3, 1, 2}}});
  return true;
}

// How many elements of the image, or of image and padding, each window along one axis has; of kernel_size in all.
std::vector<double> counts(const LowerWindow& w, size_t axis, int64_t size, int64_t steps, bool with_pads,
                           int64_t pad_end) {
  std::vector<double> out(static_cast<size_t>(steps));
  int64_t low = with_pads ? -w.begins[axis] : 0, high = with_pads ? size + pad_end : size;
  for (int64_t i = 0; i < steps; ++i) {
    int64_t begin = i * w.strides[axis] - w.begins[axis];
    out[static_cast<size_t>(i)] =
        static_cast<double>(std::max<int64_t>(std::min(begin + w.kernel[axis], high) - std::max(begin, low), 1));
  }
  return out;
}

// A mean of what is padded with zeros counts the zeros: where it should not, it is corrected by a constant factor.
Result<bool> average_pool(Lower& r) {
  OREE_TRY(r.want_type(r.in(0), "fcCs"));
  OREE_TRY_ASSIGN(LowerWindow w, pool_window(r));
  bool with_pads = r.integer("count_include_pad", 0) != 0;
  if (with_pads && w.any_pads()) w.same = false;
  int64_t padding = 0;
  bool padded = !w.same && w.any_pads();
  std::optional<Constant> factor;
  if (padded) {
    const Dims in = *r.dims(r.in(0)), out = *r.dims(r.out());
    if (!in[2].known() || !in[3].known() || !out[2].known() || !out[3].known()) {
      return r.unsupported("pads of an image of unknown size");
    }
    Ints given = r.list("pads");
    auto end = [&](size_t i) { return given.size() == 4 ? given[i + 2] : w.ends[i]; };
    std::vector<double> rows = counts(w, 0, in[2].size, out[2].size, with_pads, end(0));
    std::vector<double> columns = counts(w, 1, in[3].size, out[3].size, with_pads, end(1));
    double whole = static_cast<double>(w.kernel[0] * w.kernel[1]);
    std::vector<float> values;
    for (double a : rows) {
      for (double b : columns) values.push_back(static_cast<float>(whole / (a * b)));
    }
    if (std::ranges::any_of(values, [](float v) { return v != 1; })) {
      if (r.quantized()) return r.unsupported("pads that a quantized mean must not count");
      factor = Constant::of_floats(values, {1, out[2].size, out[3].size, 1});
    }
  }
  ValueId x = padded_channels_last(r, w, kNoValue, padding);
  int64_t activation = factor ? kTfliteNoActivation : r.absorb_activation();
  ValueId y = emit_pool(r, "AVERAGE_POOL_2D", x, w, padding, activation);
  if (factor) y = r.add("Mul", {y, r.constant(*factor)});
  r.finish("Transpose", {y}, {{"perm", Ints{0, 3, 1, 2}}});
  return true;
}

constexpr LowerEntry kEntries[] = {
    {"MaxPool", max_pool},
    {"AveragePool", average_pool},
};

}  // namespace

std::span<const LowerEntry> lay_out_pools() { return kEntries; }

}  // namespace oree
