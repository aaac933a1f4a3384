// SPDX-License-Identifier: Apache-2.0
// What kernels do with shapes: axes, strides, broadcasting, and walking through several tensors at once.
#pragma once

#include <span>
#include <vector>

#include "model/reference/kernel.h"

namespace oree {

using Strides = std::vector<int64_t>;  // in elements, one a dimension

// -rank <= axis < rank to 0 <= axis < rank; else kInvalid.
Result<size_t> normal_axis(const KernelCall& call, int64_t axis, size_t rank);
// Each of them, in their order; kInvalid when one comes twice.
Result<std::vector<size_t>> normal_axes(const KernelCall& call, std::span<const int64_t> axes, size_t rank);

int64_t elements_of(const Shape& shape);  // of a shape that a tensor has
Strides strides_of(const Shape& shape);   // row-major

// As numpy broadcasts; kInvalid when they do not fit.
Result<Shape> broadcast_shape(const KernelCall& call, const Shape& a, const Shape& b);
// Strides of a tensor of `shape` as seen under `out`, to which it broadcasts (asserted): 0 where it repeats.
Strides broadcast_strides(const Shape& shape, const Shape& out);

// A tensor as outer x length x inner, where length is that of one axis.
struct AxisView {
  int64_t outer = 1;
  int64_t length = 1;
  int64_t inner = 1;
};
AxisView view_at(const Shape& shape, size_t axis);

// Goes through a shape in row-major order, and through any number of operands beside it, each by its own strides:
//   for (Walk w(shape, {a_strides, b_strides}); !w.done(); w.next()) out[w.index()] = f(a[w.at(0)], b[w.at(1)]);
class Walk {
 public:
  Walk(Shape shape, std::vector<Strides> operands);
  bool done() const { return index_ == elements_; }
  int64_t index() const { return index_; }  // counts from 0
  int64_t at(size_t operand) const { return offsets_[operand]; }
  const Shape& place() const { return place_; }  // coordinates
  void next();

 private:
  Shape shape_;
  std::vector<Strides> operands_;
  Shape place_;
  std::vector<int64_t> offsets_;
  int64_t index_ = 0;
  int64_t elements_;
};

}  // namespace oree
