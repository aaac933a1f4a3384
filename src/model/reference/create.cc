// SPDX-License-Identifier: Apache-2.0
// Operators that make tensors from few numbers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "model/ops/element_types.h"
#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

Status run_constant_of_shape(KernelCall& call) {
  OREE_TRY_ASSIGN(Shape shape, int_list(call, 0));
  Tensor value(Dtype::kFloat32, {1});
  if (const Attribute* given = call.node.find("value")) {
    if (!std::holds_alternative<Constant>(*given) || std::get<Constant>(*given).elements() != 1) {
      return call.invalid("value must be a tensor of one element");
    }
    value = std::get<Constant>(*given).to_tensor();
  }
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, value.dtype(), std::move(shape)));
  Mover mover(value, out);
  for (int64_t i = 0; i < out.elements(); ++i) mover.copy(i, 0);
  call.set(0, std::move(out));
  return {};
}

// How many numbers from start on stay before the limit.
template <typename T>
double range_length(T start, T limit, T delta) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fmax(0.0,
                     std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta)));
  } else {
    if (delta > 0 ? limit <= start : limit >= start) return 0;
    auto u = [](T v) { return static_cast<uint64_t>(v); };
    uint64_t distance = delta > 0 ? u(limit) - u(start) : u(start) - u(limit);
    uint64_t step = delta > 0 ? u(delta) : uint64_t{0} - u(delta);
    return static_cast<double>((distance - 1) / step) + 1;
  }
}

Status run_range(KernelCall& call) {
  Dtype dtype = call.need(0).dtype();
  for (size_t i = 0; i < 3; ++i) {
    const Tensor& t = call.need(i);
    if (t.elements() != 1 || t.dtype() != dtype) return call.invalid("start, limit and delta must be one number each");
  }
  if (dtype == Dtype::kBool) return call.invalid("there is no range of bool");
  return with_domain(dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    T start = Elements<T>(call.need(0))[0], limit = Elements<T>(call.need(1))[0], delta = Elements<T>(call.need(2))[0];
    if (delta == T{}) return call.invalid("a delta of 0");
    double length = range_length(start, limit, delta);
    if (!(length <= 0x1p40)) return call.invalid(fmt::format("a range of {} numbers", length));
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, dtype, {static_cast<int64_t>(length)}));
    for (int64_t i = 0; i < out.size(); ++i) out[i] = wrap_add(start, wrap_mul(static_cast<T>(i), delta));
    call.set(0, std::move(out).take());
    return {};
  });
}

Status run_eye_like(KernelCall& call) {
  const Tensor& x = call.need(0);
  if (x.shape().size() != 2) return call.invalid("the input must be a matrix");
  Dtype dtype = x.dtype();
  if (call.node.find("dtype")) {
    std::optional<Dtype> given = dtype_from_onnx(call.node.integer("dtype", 0));
    if (!given) return call.unsupported("an element type that is none of ours");
    dtype = *given;
  }
  OREE_TRY_ASSIGN(NewElements<uint64_t> out, new_elements<uint64_t>(call, dtype, x.shape()));
  int64_t k = std::clamp<int64_t>(call.node.integer("k", 0), -kTensorElementsMax, kTensorElementsMax);
  for (int64_t row = 0; row < x.shape()[0]; ++row) {
    if (row + k >= 0 && row + k < x.shape()[1]) out[row * x.shape()[1] + row + k] = 1;
  }
  call.set(0, std::move(out).take());
  return {};
}

// Indices, depth, [off, on]. An index below 0 counts from the end; one outside makes all of it off.
Status run_one_hot(KernelCall& call) {
  const Tensor &indices = call.need(0), &depth_input = call.need(1), &values = call.need(2);
  if (depth_input.elements() != 1) return call.invalid("the depth must be one number");
  if (values.shape() != Shape{2}) return call.invalid("the values must be off and on");
  double given = depth_input.to_doubles()[0];
  if (!(given >= 0 && given <= static_cast<double>(kTensorElementsMax))) return call.invalid("the depth is no length");
  auto depth = static_cast<int64_t>(given);
  Shape shape = indices.shape();
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", -1), shape.size() + 1));
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(axis), depth);
  OREE_TRY_ASSIGN(Tensor out, new_tensor(call, values.dtype(), shape));
  AxisView v = view_at(shape, axis);
  Elements<int64_t> hot(indices);
  Mover mover(values, out);
  for (int64_t i = 0; i < out.elements(); ++i) {
    int64_t k = i / v.inner % depth, index = hot[i / v.inner / depth * v.inner + i % v.inner];
    mover.copy(i, (index < 0 ? index + depth : index) == k ? 1 : 0);
  }
  call.set(0, std::move(out));
  return {};
}

constexpr KernelEntry kTable[] = {
    {"ConstantOfShape", run_constant_of_shape},
    {"EyeLike", run_eye_like},
    {"OneHot", run_one_hot, 3},
    {"Range", run_range, 3},
};

}  // namespace

const std::span<const KernelEntry> kCreateKernels = kTable;

}  // namespace oree
