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
  kBool,
  kBfloat16,
  kInt4,  // two elements a byte, the first in the low half, as ONNX and TFLite pack them
  kUint4
};

const char* dtype_name(Dtype dtype);  // numpy's name: "float32", "uint8", …; "bfloat16", "int4" as ml_dtypes has them
Result<Dtype> dtype_from_name(std::string_view name);
int dtype_bits(Dtype dtype);                        // bits an element
size_t dtype_size(Dtype dtype);                     // bytes an element; asserts that it is no 4-bit type
size_t dtype_bytes(Dtype dtype, int64_t elements);  // of that many elements, the last byte filled up
bool dtype_is_float(Dtype dtype);                   // float16, bfloat16, float32, float64
bool dtype_is_signed(Dtype dtype);                  // int4 … int64; false for floats

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
  // Every element as a double, whatever the dtype (float16 and 4-bit integers included).
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
float bfloat_to_float(uint16_t bfloat);
uint16_t float_to_bfloat(float value);  // round to nearest even

}  // namespace oree
