// SPDX-License-Identifier: Apache-2.0
// How kernels read and write elements without knowing fifteen types: widened to one of four domains on the way in,
// rounded or wrapped on the way out. float32, float16 and bfloat16 compute in float (so float16 rounds once an
// operator), float64 in double, signed integers in int64, unsigned integers and bool in uint64.
#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "core/base/tensor.h"
#include "model/reference/kernel.h"

namespace oree {

enum class Domain { kFloat, kDouble, kInt, kUint };
Domain domain_of(Dtype dtype);

// All elements as T, which is float, double, int64_t or uint64_t; any dtype. Widening to the dtype's own domain is
// exact; else as narrow() converts.
template <typename T>
void widen(const Tensor& from, std::span<T> to);

// Integer to integer wraps as two's complement; real to integer truncates towards zero and saturates, NaN becomes 0;
// to real rounds to the nearest, ties to even; to bool: is it not 0?
template <typename T>
void narrow(std::span<const T> from, Tensor& to);

template <typename T>
constexpr Dtype native_dtype() {
  if constexpr (std::is_same_v<T, float>) return Dtype::kFloat32;
  if constexpr (std::is_same_v<T, double>) return Dtype::kFloat64;
  if constexpr (std::is_same_v<T, uint64_t>) return Dtype::kUint64;
  return Dtype::kInt64;
}

// The elements of a tensor as T. It looks into the tensor where that holds T already: it must not outlive it.
template <typename T>
class Elements {
 public:
  explicit Elements(const Tensor& tensor) {
    if (tensor.dtype() == native_dtype<T>()) {
      view_ = tensor.as<T>();
    } else {
      own_.resize(static_cast<size_t>(tensor.elements()));
      widen<T>(tensor, own_);
      view_ = own_;
    }
  }
  Elements(Elements&&) noexcept = default;
  Elements& operator=(Elements&&) noexcept = default;

  T operator[](int64_t index) const { return view_[static_cast<size_t>(index)]; }
  int64_t size() const { return static_cast<int64_t>(view_.size()); }
  const T* data() const { return view_.data(); }
  std::span<const T> span() const { return view_; }

 private:
  std::vector<T> own_;
  std::span<const T> view_;
};

// A tensor in the making, zero-filled, its elements seen as T. Made by new_elements(), which checks its size.
template <typename T>
class NewElements {
 public:
  NewElements(Dtype dtype, Shape shape) : tensor_(dtype, std::move(shape)) {
    if (dtype != native_dtype<T>()) wide_.resize(static_cast<size_t>(tensor_.elements()));
    elements_ = dtype == native_dtype<T>() ? tensor_.as<T>() : std::span<T>(wide_);
  }
  NewElements(NewElements&&) noexcept = default;
  NewElements& operator=(NewElements&&) noexcept = default;

  T& operator[](int64_t index) { return elements_[static_cast<size_t>(index)]; }
  int64_t size() const { return static_cast<int64_t>(elements_.size()); }
  std::span<T> span() { return elements_; }
  const Shape& shape() const { return tensor_.shape(); }
  Tensor take() && {
    if (!wide_.empty()) narrow<T>(wide_, tensor_);
    return std::move(tensor_);
  }

 private:
  Tensor tensor_;
  std::vector<T> wide_;  // used where the tensor's elements are no T
  std::span<T> elements_;
};

template <typename T>
Result<NewElements<T>> new_elements(const KernelCall& call, Dtype dtype, Shape shape) {
  OREE_TRY(call.fits(dtype, shape));
  return NewElements<T>(dtype, std::move(shape));
}
Result<Tensor> new_tensor(const KernelCall& call, Dtype dtype, Shape shape);

// f(T{}) for the T of the dtype's domain.
template <typename F>
auto with_domain(Dtype dtype, F&& f) {
  switch (domain_of(dtype)) {
    case Domain::kFloat: return f(float{});
    case Domain::kDouble: return f(double{});
    case Domain::kInt: return f(int64_t{});
    case Domain::kUint: break;
  }
  return f(uint64_t{});
}
// The same for operators of reals: double for float64, else float (integers are taken as floats; refuse them before).
template <typename F>
auto with_real(Dtype dtype, F&& f) {
  return dtype == Dtype::kFloat64 ? f(double{}) : f(float{});
}

// Copies elements between two tensors of one dtype, 4-bit ones too. Both must outlive it.
class Mover {
 public:
  Mover(const Tensor& from, Tensor& to);  // asserts that the dtypes are equal
  void copy(int64_t to_index, int64_t from_index, int64_t count = 1);

 private:
  const uint8_t* from_;
  uint8_t* to_;
  size_t size_;  // bytes; 0: a 4-bit type
};

// An input that is a list of integers (axes, sizes): any integer dtype, any shape. kInvalid when it holds something
// else or is longer than any list of a model is.
Result<std::vector<int64_t>> int_list(const KernelCall& call, size_t input);
// One integer, of rank 0 or a list of one.
Result<int64_t> one_int(const KernelCall& call, size_t input);

extern template void widen<float>(const Tensor&, std::span<float>);
extern template void widen<double>(const Tensor&, std::span<double>);
extern template void widen<int64_t>(const Tensor&, std::span<int64_t>);
extern template void widen<uint64_t>(const Tensor&, std::span<uint64_t>);
extern template void narrow<float>(std::span<const float>, Tensor&);
extern template void narrow<double>(std::span<const double>, Tensor&);
extern template void narrow<int64_t>(std::span<const int64_t>, Tensor&);
extern template void narrow<uint64_t>(std::span<const uint64_t>, Tensor&);

}  // namespace oree
