// SPDX-License-Identifier: Apache-2.0
// Reals to integers and back, as ONNX's operators do it. (Values with Quantization are another thing: quantized.h.)
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/ops/element_types.h"
#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

// Which scale belongs to which element: one for all, one a slice along an axis, or one a block along it.
struct Scales {
  AxisView x{1, 1, 1};
  int64_t per_line = 1;  // scales along the axis
  int64_t block = 1;     // elements along the axis that share one
  bool single = true;
  bool shared = true;  // by all lines; else each line along the axis has its own

  int64_t at(int64_t element) const {
    if (single) return 0;
    int64_t k = element / x.inner % x.length / block;
    if (shared) return k;
    return (element / x.inner / x.length * per_line + k) * x.inner + element % x.inner;
  }
};

Result<Scales> scales_of(const KernelCall& call) {
  const Shape &x = call.need(0).shape(), &scale = call.need(1).shape();
  if (!dtype_is_float(call.need(1).dtype())) return call.invalid("scales must be of a float type");
  if (call.in(2) && call.in(2)->shape() != scale && (call.in(2)->elements() != 1 || call.need(1).elements() != 1)) {
    return call.invalid("scales and zero points must be equally many");
  }
  int64_t block = call.node.integer("block_size", 0);
  if (block < 0) return call.invalid(fmt::format("a block size of {}", block));
  Scales out;
  if (scale.empty() || (block == 0 && call.need(1).elements() == 1)) return out;
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", 1), x.size()));
  out.single = false;
  out.x = view_at(x, axis);
  Shape expected{x[axis]};
  if (block > 0) {
    expected = x;
    expected[axis] = (x[axis] - 1) / block + 1;
    out.block = block;
    out.shared = false;
    out.per_line = expected[axis];
  }
  if (scale != expected) {
    return call.invalid(fmt::format("scales must have the shape {}, not {}", shape_text(expected), shape_text(scale)));
  }
  return out;
}

struct Range {
  float least;
  float greatest;
};

std::optional<Range> quantized_range(Dtype dtype) {
  switch (dtype) {
    case Dtype::kInt4: return Range{-8, 7};
    case Dtype::kUint4: return Range{0, 15};
    case Dtype::kInt8: return Range{-128, 127};
    case Dtype::kUint8: return Range{0, 255};
    case Dtype::kInt16: return Range{-32768, 32767};
    case Dtype::kUint16: return Range{0, 65535};
    default: return std::nullopt;
  }
}

// An element type that an attribute names; `otherwise` when it is absent or 0.
Result<Dtype> named_dtype(const KernelCall& call, std::string_view attribute, Dtype otherwise) {
  int64_t number = call.node.integer(attribute, 0);
  if (number == 0) return otherwise;
  if (std::optional<Dtype> dtype = dtype_from_onnx(number)) return *dtype;
  return call.unsupported(fmt::format("element type {} is none of ours", number));
}

Status run_quantize(KernelCall& call) {
  const Tensor &x = call.need(0), *zero = call.in(2);
  if (!dtype_is_float(x.dtype()) && x.dtype() != Dtype::kInt32) return call.invalid("the input must be real or int32");
  OREE_TRY_ASSIGN(Scales scales, scales_of(call));
  OREE_TRY_ASSIGN(Dtype dtype, named_dtype(call, "output_dtype", zero ? zero->dtype() : Dtype::kUint8));
  if (zero && zero->dtype() != dtype) return call.invalid("the zero point must have the output's type");
  std::optional<Range> range = quantized_range(dtype);
  if (!range) return call.unsupported(fmt::format("quantizing to {}", dtype_name(dtype)));
  OREE_TRY_ASSIGN(NewElements<float> out, new_elements<float>(call, dtype, x.shape()));
  Elements<float> in(x), scale(call.need(1));
  std::optional<Elements<float>> zeros;
  if (zero) zeros.emplace(*zero);
  for (int64_t i = 0; i < in.size(); ++i) {
    int64_t s = scales.at(i);
    float whole = std::nearbyint(in[i] / scale[s]) + (zeros ? (*zeros)[s] : 0.0f);  // half to even
    out[i] = std::clamp(whole, range->least, range->greatest);
  }
  call.set(0, std::move(out).take());
  return {};
}

Status run_dequantize(KernelCall& call) {
  const Tensor &x = call.need(0), *zero = call.in(2);
  if (!quantized_range(x.dtype()) && x.dtype() != Dtype::kInt32) {
    return call.unsupported(fmt::format("reals from {}", dtype_name(x.dtype())));
  }
  if (zero && zero->dtype() != x.dtype()) return call.invalid("the zero point must have the input's type");
  OREE_TRY_ASSIGN(Scales scales, scales_of(call));
  OREE_TRY_ASSIGN(Dtype dtype, named_dtype(call, "output_dtype", call.need(1).dtype()));
  if (!dtype_is_float(dtype)) return call.invalid("the output must be of a float type");
  Elements<int64_t> in(x);
  std::optional<Elements<int64_t>> zeros;
  if (zero) zeros.emplace(*zero);
  return with_real(dtype, [&](auto kind) -> Status {
    using T = decltype(kind);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, dtype, x.shape()));
    Elements<T> scale(call.need(1));
    for (int64_t i = 0; i < in.size(); ++i) {
      int64_t s = scales.at(i);
      out[i] = static_cast<T>(in[i] - (zeros ? (*zeros)[s] : 0)) * scale[s];
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

// uint8 by the tensor's own range, which always has 0 in it.
Status run_dynamic_quantize(KernelCall& call) {
  const Tensor& x = call.need(0);
  if (x.dtype() != Dtype::kFloat32) return call.invalid("the input must be float32");
  Elements<float> in(x);
  float least = 0, greatest = 0;
  for (float v : in.span()) {
    least = std::fmin(least, v);
    greatest = std::fmax(greatest, v);
  }
  float scale = greatest == least ? 1.0f : (greatest - least) / 255.0f;
  float zero = std::nearbyint(std::clamp(-least / scale, 0.0f, 255.0f));
  OREE_TRY_ASSIGN(NewElements<float> out, new_elements<float>(call, Dtype::kUint8, x.shape()));
  for (int64_t i = 0; i < in.size(); ++i) out[i] = std::clamp(std::nearbyint(in[i] / scale) + zero, 0.0f, 255.0f);
  NewElements<float> scale_out(Dtype::kFloat32, {}), zero_out(Dtype::kUint8, {});
  scale_out[0] = scale;
  zero_out[0] = zero;
  call.set(0, std::move(out).take());
  call.set(1, std::move(scale_out).take());
  call.set(2, std::move(zero_out).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"DequantizeLinear", run_dequantize, 2},
    {"DynamicQuantizeLinear", run_dynamic_quantize},
    {"QuantizeLinear", run_quantize, 2},
};

}  // namespace

const std::span<const KernelEntry> kQuantizeKernels = kTable;

}  // namespace oree
