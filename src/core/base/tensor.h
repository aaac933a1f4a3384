// SPDX-License-Identifier: Apache-2.0
// Tensor: a named-type, dense, row-major array that owns its bytes. What npz files hold and what engines take and give.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

enum class Dtype {
  kFloat32,
  kFloat16,
  kFloat64,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kBool
};

const char* dtype_name(Dtype dtype);  // numpy's name: "float32", "uint8", …
Result<Dtype> dtype_from_name(std::string_view name);
size_t dtype_size(Dtype dtype);  // bytes an element

using Shape = std::vector<int64_t>;  // outermost first; -1 is an unknown dimension (never in a Tensor)

std::string shape_text(const Shape& shape);  // "1x300x300x3", unknown as "?"; "scalar" for rank 0
// Elements of a shape; kInvalid when a dimension is negative or the product passes kTensorElementsMax.
Result<int64_t> shape_elements(const Shape& shape);

class Tensor {
 public:
  Tensor() = default;
  // Zero-filled; asserts that the shape is known and within limits (check with shape_elements first).
  Tensor(Dtype dtype, Shape shape);
  // kInvalid unless data has exactly the size that dtype and shape ask for.
  static Result<Tensor> from_bytes(Dtype dtype, Shape shape, Bytes data);

  Dtype dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return elements_; }
  size_t byte_size() const { return data_.size(); }
  uint8_t* data() { return data_.data(); }
  const uint8_t* data() const { return data_.data(); }
  ByteView bytes() const { return data_; }

  // T must be the C++ type of dtype(); asserts on its size.
  template <typename T>
  std::span<T> as() {
    OREE_ASSERT(sizeof(T) == dtype_size(dtype_));
    return {reinterpret_cast<T*>(data_.data()), static_cast<size_t>(elements_)};
  }
  template <typename T>
  std::span<const T> as() const {
    OREE_ASSERT(sizeof(T) == dtype_size(dtype_));
    return {reinterpret_cast<const T*>(data_.data()), static_cast<size_t>(elements_)};
  }
  // Every element as a double, whatever the dtype (float16 included).
  std::vector<double> to_doubles() const;
  // Reinterprets the same bytes under another shape of as many elements; asserts on the count.
  void reshape(Shape shape);

  bool operator==(const Tensor&) const = default;

 private:
  Dtype dtype_ = Dtype::kFloat32;
  Shape shape_;
  int64_t elements_ = 0;
  Bytes data_;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
using NamedTensors = std::vector<NamedTensor>;

float half_to_float(uint16_t half);   // IEEE 754 binary16, exact
uint16_t float_to_half(float value);  // round to nearest even

}  // namespace oree
