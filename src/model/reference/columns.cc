// SPDX-License-Identifier: Apache-2.0
// DeformConv, a convolution whose kernel's elements look where they are told; and Col2Im, which adds up the patches
// that a convolution takes an image apart into.
#include <fmt/format.h>

#include <cmath>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"
#include "model/reference/window.h"

namespace oree {
namespace {

// columns [N, C * block, places] -> image [N, C, image...]
Status run_col2im(KernelCall& call) {
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(Shape image, int_list(call, 1));
  OREE_TRY_ASSIGN(Shape block, int_list(call, 2));
  Result<int64_t> block_size = shape_elements(block);
  if (x.shape().size() != 3 || !block_size.ok() || *block_size < 1 || x.shape()[1] % *block_size != 0 ||
      image.size() != block.size()) {
    return call.invalid(fmt::format("columns of shape {} in blocks of {}", shape_text(x.shape()), shape_text(block)));
  }
  const int64_t planes = x.shape()[0] * (x.shape()[1] / *block_size);
  Shape shape{x.shape()[0], x.shape()[1] / *block_size};
  shape.insert(shape.end(), image.begin(), image.end());
  OREE_TRY(call.fits(x.dtype(), shape));
  OREE_TRY_ASSIGN(std::vector<AxisWindow> windows, windows_of(call, shape, block));
  Result<int64_t> places = shape_elements(spatial_out(windows));
  if (!places.ok() || *places != x.shape()[2])
    return call.invalid(fmt::format("{} columns for {}", x.shape()[2], shape_text(spatial_out(windows))));
  const int64_t size = elements_of(image);
  return with_domain(x.dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;  // integers wrap
    OREE_TRY_ASSIGN(NewElements<Sum> out, new_elements<Sum>(call, x.dtype(), shape));
    Elements<T> in(x);
    for (Taps taps(windows); !taps.done(); taps.next()) {
      for (int64_t plane = 0; plane < planes; ++plane) {
        for (const Tap& t : taps.at())
          out[plane * size + t.in] += static_cast<Sum>(in[(plane * *block_size + t.kernel) * *places + taps.index()]);
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

struct DeformPlan {
  std::vector<AxisWindow> windows;
  int64_t batch = 0, channels = 0, outputs = 0, group = 1, offset_group = 1;
  int64_t kernel = 1;  // elements
  int64_t places = 1;  // of the result
  Shape out;
};

Result<DeformPlan> plan_deform(const KernelCall& call) {
  const Shape &x = call.need(0).shape(), &w = call.need(1).shape(), &offset = call.need(2).shape();
  if (x.size() != w.size() || x.size() < 3)
    return call.invalid(fmt::format("operand {} and weights {}", shape_text(x), shape_text(w)));
  if (x.size() != 4) return call.unsupported(fmt::format("{} spatial axes", x.size() - 2));
  DeformPlan p;
  const Shape kernel(w.begin() + 2, w.end());
  if (call.node.find("kernel_shape") != nullptr && call.node.integers("kernel_shape") != kernel)
    return call.invalid(fmt::format("kernel_shape does not fit the weights {}", shape_text(w)));
  OREE_TRY_ASSIGN(p.windows, windows_of(call, x, kernel));
  p.batch = x[0];
  p.channels = x[1];
  p.outputs = w[0];
  p.group = call.node.integer("group", 1);
  p.offset_group = call.node.integer("offset_group", 1);
  auto divides = [](int64_t by, int64_t n) { return by >= 1 && by <= n && n % by == 0; };
  if (!divides(p.group, p.channels) || !divides(p.group, p.outputs) || !divides(p.offset_group, p.channels) ||
      w[1] != p.channels / p.group) {
    return call.invalid(fmt::format("weights {} for {} channels in {} and {} groups", shape_text(w), p.channels,
                                    p.group, p.offset_group));
  }
  p.kernel = p.windows[0].kernel * p.windows[1].kernel;
  p.places = p.windows[0].out * p.windows[1].out;
  p.out = {p.batch, p.outputs, p.windows[0].out, p.windows[1].out};
  Shape offsets{p.batch, p.offset_group * p.kernel * 2, p.out[2], p.out[3]}, mask = offsets;
  mask[1] /= 2;
  if (offset != offsets || (call.in(4) && call.need(4).shape() != mask) ||
      (call.in(3) && call.need(3).elements() != p.outputs)) {
    return call.invalid(
        fmt::format("offsets must have the shape {}, a mask {}", shape_text(offsets), shape_text(mask)));
  }
  OREE_TRY(call.fits(Dtype::kFloat64, p.out));
  OREE_TRY(call.affordable(static_cast<double>(p.places) * static_cast<double>(p.batch) *
                           static_cast<double>(elements_of(w))));
  return p;
}

// Between the four elements around a place; beyond the border there is 0.
template <typename T>
double bilinear(const T* image, int64_t height, int64_t width, double y, double x) {
  if (!(y > -1 && y < static_cast<double>(height) && x > -1 && x < static_cast<double>(width))) return 0;
  const double top = std::floor(y), left = std::floor(x), down = y - top, along = x - left;
  auto at = [&](double row, double column) {
    auto i = static_cast<int64_t>(row), j = static_cast<int64_t>(column);
    return i < 0 || i >= height || j < 0 || j >= width ? 0.0 : static_cast<double>(image[i * width + j]);
  };
  return (at(top, left) * (1 - along) + at(top, left + 1) * along) * (1 - down) +
         (at(top + 1, left) * (1 - along) + at(top + 1, left + 1) * along) * down;
}

template <typename T>
Status deform(KernelCall& call, const DeformPlan& p) {
  const AxisWindow &h = p.windows[0], &w = p.windows[1];
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(0).dtype(), p.out));
  Elements<T> x(call.need(0)), weights(call.need(1)), offset(call.need(2));
  std::optional<Elements<T>> bias, mask;
  if (call.in(3)) bias.emplace(call.need(3));
  if (call.in(4)) mask.emplace(call.need(4));
  const int64_t in_group = p.channels / p.group, out_group = p.outputs / p.group;
  const int64_t per_offset = p.channels / p.offset_group;
  std::vector<double> patch(static_cast<size_t>(p.channels * p.kernel));  // what the kernel sees at one place
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t place = 0; place < p.places; ++place) {
      const int64_t row = place / w.out, column = place % w.out;
      for (int64_t i = 0; i < p.channels * p.kernel; ++i) {
        const int64_t c = i / p.kernel, k = i % p.kernel;
        const int64_t told = (n * p.offset_group + c / per_offset) * p.kernel + k;
        const double y = static_cast<double>(row * h.stride - h.begin + k / w.kernel * h.dilation) +
                         static_cast<double>(offset[told * 2 * p.places + place]);
        const double across = static_cast<double>(column * w.stride - w.begin + k % w.kernel * w.dilation) +
                              static_cast<double>(offset[(told * 2 + 1) * p.places + place]);
        double value = bilinear<T>(x.data() + (n * p.channels + c) * h.in * w.in, h.in, w.in, y, across);
        if (mask) value *= static_cast<double>((*mask)[told * p.places + place]);
        patch[static_cast<size_t>(i)] = value;
      }
      for (int64_t m = 0; m < p.outputs; ++m) {
        double sum = bias ? static_cast<double>((*bias)[m]) : 0;
        const double* seen = patch.data() + m / out_group * in_group * p.kernel;
        for (int64_t i = 0; i < in_group * p.kernel; ++i)
          sum += seen[i] * static_cast<double>(weights[m * in_group * p.kernel + i]);
        out[(n * p.outputs + m) * p.places + place] = static_cast<T>(sum);
      }
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

Status run_deform_conv(KernelCall& call) {
  const Dtype dtype = call.need(0).dtype();
  for (const Tensor* t : call.inputs) {
    if (t && (t->dtype() != dtype || !dtype_is_float(dtype))) return call.invalid("inputs must be of one float type");
  }
  OREE_TRY_ASSIGN(DeformPlan p, plan_deform(call));
  return with_real(dtype, [&](auto zero) { return deform<decltype(zero)>(call, p); });
}

constexpr KernelEntry kTable[] = {
    {"Col2Im", run_col2im, 3},
    {"DeformConv", run_deform_conv, 3},
};

}  // namespace

const std::span<const KernelEntry> kColumnKernels = kTable;

}  // namespace oree
