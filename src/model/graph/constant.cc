// SPDX-License-Identifier: Apache-2.0
#include "model/graph/constant.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace oree {

Constant::Constant() : Constant(Tensor(Dtype::kFloat32, {0})) {}

Constant::Constant(Tensor tensor) {
  auto owned = std::make_shared<const Tensor>(std::move(tensor));
  dtype_ = owned->dtype();
  shape_ = owned->shape();
  elements_ = owned->elements();
  bytes_ = owned->bytes();
  owner_ = std::move(owned);
}

Result<Constant> Constant::view(Dtype dtype, Shape shape, ByteView bytes, std::shared_ptr<const void> owner) {
  OREE_TRY_ASSIGN(int64_t elements, shape_elements(shape));
  if (bytes.size() != dtype_bytes(dtype, elements)) {
    return Error(Code::kInvalid, fmt::format("a {} tensor of shape {} has {} bytes, not {}", dtype_name(dtype),
                                             shape_text(shape), dtype_bytes(dtype, elements), bytes.size()));
  }
  Constant c;
  c.dtype_ = dtype;
  c.shape_ = std::move(shape);
  c.elements_ = elements;
  c.bytes_ = bytes;
  c.owner_ = std::move(owner);
  return c;
}

Constant Constant::of_floats(std::span<const float> values, Shape shape) {
  Tensor t(Dtype::kFloat32, std::move(shape));
  OREE_ASSERT(static_cast<size_t>(t.elements()) == values.size());
  std::copy(values.begin(), values.end(), t.as<float>().begin());
  return Constant(std::move(t));
}

Constant Constant::of_ints(std::span<const int64_t> values, Shape shape) {
  Tensor t(Dtype::kInt64, std::move(shape));
  OREE_ASSERT(static_cast<size_t>(t.elements()) == values.size());
  std::copy(values.begin(), values.end(), t.as<int64_t>().begin());
  return Constant(std::move(t));
}

Constant Constant::vector(std::span<const int64_t> values) {
  return of_ints(values, {static_cast<int64_t>(values.size())});
}
Constant Constant::scalar(float value) { return of_floats({&value, 1}, {}); }
Constant Constant::scalar(int64_t value) { return of_ints({&value, 1}, {}); }

Tensor Constant::to_tensor() const {
  return Tensor::from_bytes(dtype_, shape_, Bytes(bytes_.begin(), bytes_.end())).value();
}

std::vector<int64_t> Constant::to_ints() const {
  std::vector<int64_t> out(static_cast<size_t>(elements_));
  if (dtype_ == Dtype::kInt64) {  // doubles would lose the low bits of large ones
    if (elements_ > 0) std::memcpy(out.data(), bytes_.data(), bytes_.size());
    return out;
  }
  std::vector<double> values = to_doubles();
  std::transform(values.begin(), values.end(), out.begin(), [](double v) {
    return v >= 0x1p63 ? INT64_MAX : v < -0x1p63 || v != v ? INT64_MIN : static_cast<int64_t>(v);
  });
  return out;
}

Constant Constant::reshaped(Shape shape) const {
  Constant c = *this;
  OREE_ASSERT(shape_elements(shape).value() == elements_);
  c.shape_ = std::move(shape);
  return c;
}

bool Constant::operator==(const Constant& other) const {
  return dtype_ == other.dtype_ && shape_ == other.shape_ && std::ranges::equal(bytes_, other.bytes_);
}

}  // namespace oree
