// SPDX-License-Identifier: Apache-2.0
// Constant: an immutable tensor whose bytes are shared, not copied: they may lie in a mapped model file. Copying one
// costs no more than a pointer, so a graph with its weights can be copied freely.
#pragma once

#include <memory>
#include <span>

#include "core/base/tensor.h"

namespace oree {

class Constant {
 public:
  Constant();  // a float32 of shape {0}
  explicit Constant(Tensor tensor);
  // The bytes stay where they are; `owner` keeps them there. kInvalid unless their number is what dtype and shape ask
  // for.
  static Result<Constant> view(Dtype dtype, Shape shape, ByteView bytes, std::shared_ptr<const void> owner);

  static Constant of_floats(std::span<const float> values, Shape shape);  // asserts on the count
  static Constant of_ints(std::span<const int64_t> values, Shape shape);  // int64
  static Constant vector(std::span<const int64_t> values);                // int64, rank 1
  static Constant scalar(float value);                                    // rank 0
  static Constant scalar(int64_t value);                                  // rank 0, int64

  Dtype dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return elements_; }
  ByteView bytes() const { return bytes_; }  // perhaps unaligned: read through to_tensor() or memcpy

  Tensor to_tensor() const;  // a copy
  std::vector<double> to_doubles() const { return to_tensor().to_doubles(); }
  std::vector<int64_t> to_ints() const;  // every element, floats truncated
  // The same bytes under another shape of as many elements; asserts on the count.
  Constant reshaped(Shape shape) const;

  // Equal type, shape and bits (a NaN equals itself).
  bool operator==(const Constant& other) const;

 private:
  Dtype dtype_ = Dtype::kFloat32;
  Shape shape_;
  int64_t elements_ = 0;
  ByteView bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace oree
