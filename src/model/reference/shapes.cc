// SPDX-License-Identifier: Apache-2.0
#include "model/reference/shapes.h"

#include <fmt/format.h>

#include <algorithm>

namespace oree {

Result<size_t> normal_axis(const KernelCall& call, int64_t axis, size_t rank) {
  auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r)
    return call.invalid(fmt::format("there is no axis {} in a tensor of rank {}", axis, rank));
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

Result<std::vector<size_t>> normal_axes(const KernelCall& call, std::span<const int64_t> axes, size_t rank) {
  std::vector<size_t> out;
  for (int64_t axis : axes) {
    OREE_TRY_ASSIGN(size_t normal, normal_axis(call, axis, rank));
    if (std::ranges::find(out, normal) != out.end()) return call.invalid(fmt::format("axis {} comes twice", axis));
    out.push_back(normal);
  }
  return out;
}

int64_t elements_of(const Shape& shape) {
  Result<int64_t> n = shape_elements(shape);
  OREE_ASSERT(n.ok());
  return *n;
}

Strides strides_of(const Shape& shape) {
  Strides out(shape.size());
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    out[d] = stride;
    stride *= std::max<int64_t>(shape[d], 1);
  }
  return out;
}

Result<Shape> broadcast_shape(const KernelCall& call, const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t d = 0; d < out.size(); ++d) {  // from the last dimension on
    int64_t x = d < a.size() ? a[a.size() - 1 - d] : 1;
    int64_t y = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (x != y && x != 1 && y != 1) {
      return call.invalid(fmt::format("shapes {} and {} do not broadcast", shape_text(a), shape_text(b)));
    }
    out[out.size() - 1 - d] = x == 1 ? y : x;
  }
  return out;
}

Strides broadcast_strides(const Shape& shape, const Shape& out) {
  OREE_ASSERT(shape.size() <= out.size());
  Strides own = strides_of(shape), seen(out.size(), 0);
  size_t lead = out.size() - shape.size();
  for (size_t d = 0; d < shape.size(); ++d) {
    OREE_ASSERT(shape[d] == out[lead + d] || shape[d] == 1);
    if (shape[d] != 1) seen[lead + d] = own[d];
  }
  return seen;
}

AxisView view_at(const Shape& shape, size_t axis) {
  AxisView v;
  v.length = shape[axis];
  for (size_t d = 0; d < axis; ++d) v.outer *= shape[d];
  for (size_t d = axis + 1; d < shape.size(); ++d) v.inner *= shape[d];
  return v;
}

Walk::Walk(Shape shape, std::vector<Strides> operands)
    : shape_(std::move(shape)),
      operands_(std::move(operands)),
      place_(shape_.size(), 0),
      offsets_(operands_.size(), 0),
      elements_(elements_of(shape_)) {
  for (const Strides& s : operands_) OREE_ASSERT(s.size() == shape_.size());
}

void Walk::next() {
  ++index_;
  for (size_t d = shape_.size(); d-- > 0;) {
    if (++place_[d] < shape_[d]) {
      for (size_t k = 0; k < operands_.size(); ++k) offsets_[k] += operands_[k][d];
      return;
    }
    for (size_t k = 0; k < operands_.size(); ++k) offsets_[k] -= operands_[k][d] * (shape_[d] - 1);
    place_[d] = 0;
  }
}

}  // namespace oree
