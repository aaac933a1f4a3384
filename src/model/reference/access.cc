// SPDX-License-Identifier: Apache-2.0
#include "model/reference/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/limits.h"

namespace oree {
namespace {

template <typename To, typename From>
To convert(From v) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(v)) return 0;
    constexpr auto kLow = static_cast<From>(std::numeric_limits<To>::min());
    const From past = std::ldexp(From{1}, std::numeric_limits<To>::digits);  // the first that does not fit
    if (v <= kLow) return std::numeric_limits<To>::min();
    if (v >= past) return std::numeric_limits<To>::max();
  }
  return static_cast<To>(v);
}

// Rounds to float such that rounding that to a shorter type rounds only once: towards zero, with a last bit that says
// whether anything was cut off.
float round_to_odd(double v) {
  auto f = static_cast<float>(v);
  if (std::isnan(v) || std::isinf(v) || static_cast<double>(f) == v) return f;
  if (std::abs(static_cast<double>(f)) > std::abs(v)) f = std::nextafter(f, 0.0f);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(f) | 1u);
}

template <typename T>
float to_float(T v) {
  if constexpr (std::is_same_v<T, float>) return v;
  return round_to_odd(static_cast<double>(v));
}

int nibble_at(const uint8_t* data, size_t i, bool is_signed) {
  int nibble = (data[i / 2] >> (i % 2 * 4)) & 15;
  return is_signed && nibble > 7 ? nibble - 16 : nibble;
}

void set_nibble(uint8_t* data, size_t i, unsigned value) {
  unsigned shift = static_cast<unsigned>(i % 2) * 4;
  data[i / 2] = static_cast<uint8_t>((data[i / 2] & ~(15u << shift)) | ((value & 15u) << shift));
}

template <typename T>
unsigned to_nibble(T v, bool is_signed) {
  if constexpr (std::is_floating_point_v<T>) {
    int whole = convert<int>(v);
    return static_cast<unsigned>(is_signed ? std::clamp(whole, -8, 7) : std::clamp(whole, 0, 15));
  }
  return static_cast<unsigned>(v) & 15u;
}

template <typename From, typename To>
void widen_all(const Tensor& from, std::span<To> to) {
  std::span<const From> in = from.as<From>();
  for (size_t i = 0; i < to.size(); ++i) to[i] = convert<To>(in[i]);
}

template <typename To, typename From>
void narrow_all(std::span<const From> from, Tensor& to) {
  std::span<To> out = to.as<To>();
  for (size_t i = 0; i < from.size(); ++i) out[i] = convert<To>(from[i]);
}

}  // namespace

Domain domain_of(Dtype dtype) {
  if (dtype == Dtype::kFloat64) return Domain::kDouble;
  if (dtype_is_float(dtype)) return Domain::kFloat;
  return dtype_is_signed(dtype) ? Domain::kInt : Domain::kUint;
}

template <typename T>
void widen(const Tensor& from, std::span<T> to) {
  OREE_ASSERT(static_cast<size_t>(from.elements()) == to.size());
  switch (from.dtype()) {
    case Dtype::kFloat32: return widen_all<float>(from, to);
    case Dtype::kFloat64: return widen_all<double>(from, to);
    case Dtype::kInt8: return widen_all<int8_t>(from, to);
    case Dtype::kBool:
    case Dtype::kUint8: return widen_all<uint8_t>(from, to);
    case Dtype::kInt16: return widen_all<int16_t>(from, to);
    case Dtype::kUint16: return widen_all<uint16_t>(from, to);
    case Dtype::kInt32: return widen_all<int32_t>(from, to);
    case Dtype::kUint32: return widen_all<uint32_t>(from, to);
    case Dtype::kInt64: return widen_all<int64_t>(from, to);
    case Dtype::kUint64: return widen_all<uint64_t>(from, to);
    case Dtype::kFloat16:
    case Dtype::kBfloat16: {
      std::span<const uint16_t> in = from.as<uint16_t>();
      bool half = from.dtype() == Dtype::kFloat16;
      for (size_t i = 0; i < to.size(); ++i) to[i] = convert<T>(half ? half_to_float(in[i]) : bfloat_to_float(in[i]));
      return;
    }
    case Dtype::kInt4:
    case Dtype::kUint4:
      for (size_t i = 0; i < to.size(); ++i)
        to[i] = static_cast<T>(nibble_at(from.data(), i, from.dtype() == Dtype::kInt4));
      return;
  }
}

template <typename T>
void narrow(std::span<const T> from, Tensor& to) {
  OREE_ASSERT(static_cast<size_t>(to.elements()) == from.size());
  switch (to.dtype()) {
    case Dtype::kFloat32: return narrow_all<float>(from, to);
    case Dtype::kFloat64: return narrow_all<double>(from, to);
    case Dtype::kInt8: return narrow_all<int8_t>(from, to);
    case Dtype::kUint8: return narrow_all<uint8_t>(from, to);
    case Dtype::kInt16: return narrow_all<int16_t>(from, to);
    case Dtype::kUint16: return narrow_all<uint16_t>(from, to);
    case Dtype::kInt32: return narrow_all<int32_t>(from, to);
    case Dtype::kUint32: return narrow_all<uint32_t>(from, to);
    case Dtype::kInt64: return narrow_all<int64_t>(from, to);
    case Dtype::kUint64: return narrow_all<uint64_t>(from, to);
    case Dtype::kBool:
      for (size_t i = 0; i < from.size(); ++i) to.data()[i] = from[i] != T{} ? 1 : 0;
      return;
    case Dtype::kFloat16:
    case Dtype::kBfloat16: {
      std::span<uint16_t> out = to.as<uint16_t>();
      auto shorten = to.dtype() == Dtype::kFloat16 ? float_to_half : float_to_bfloat;
      for (size_t i = 0; i < from.size(); ++i) out[i] = shorten(to_float(from[i]));
      return;
    }
    case Dtype::kInt4:
    case Dtype::kUint4:
      for (size_t i = 0; i < from.size(); ++i) set_nibble(to.data(), i, to_nibble(from[i], to.dtype() == Dtype::kInt4));
      return;
  }
}

template void widen<float>(const Tensor&, std::span<float>);
template void widen<double>(const Tensor&, std::span<double>);
template void widen<int64_t>(const Tensor&, std::span<int64_t>);
template void widen<uint64_t>(const Tensor&, std::span<uint64_t>);
template void narrow<float>(std::span<const float>, Tensor&);
template void narrow<double>(std::span<const double>, Tensor&);
template void narrow<int64_t>(std::span<const int64_t>, Tensor&);
template void narrow<uint64_t>(std::span<const uint64_t>, Tensor&);

Result<Tensor> new_tensor(const KernelCall& call, Dtype dtype, Shape shape) {
  OREE_TRY(call.fits(dtype, shape));
  return Tensor(dtype, std::move(shape));
}

Mover::Mover(const Tensor& from, Tensor& to)
    : from_(from.data()), to_(to.data()), size_(static_cast<size_t>(dtype_bits(from.dtype())) / 8) {
  OREE_ASSERT(from.dtype() == to.dtype());
}

void Mover::copy(int64_t to_index, int64_t from_index, int64_t count) {
  if (count <= 0) return;
  auto to = static_cast<size_t>(to_index), from = static_cast<size_t>(from_index), n = static_cast<size_t>(count);
  if (size_ > 0) {
    std::memcpy(to_ + to * size_, from_ + from * size_, n * size_);
    return;
  }
  for (size_t i = 0; i < n; ++i) set_nibble(to_, to + i, static_cast<unsigned>(nibble_at(from_, from + i, false)));
}

Result<std::vector<int64_t>> int_list(const KernelCall& call, size_t input) {
  const Tensor* tensor = call.in(input);
  if (!tensor) return call.invalid(fmt::format("input {} is missing", input));
  if (dtype_is_float(tensor->dtype()) || tensor->dtype() == Dtype::kBool) {
    return call.invalid(fmt::format("input {} must hold integers, not {}", input, dtype_name(tensor->dtype())));
  }
  if (static_cast<size_t>(tensor->elements()) > kModelPartsMax) {
    return call.invalid(fmt::format("input {} has {} numbers, more than any list has", input, tensor->elements()));
  }
  std::vector<int64_t> out(static_cast<size_t>(tensor->elements()));
  widen<int64_t>(*tensor, out);
  return out;
}

Result<int64_t> one_int(const KernelCall& call, size_t input) {
  OREE_TRY_ASSIGN(std::vector<int64_t> list, int_list(call, input));
  if (list.size() != 1) return call.invalid(fmt::format("input {} must be one number, not {}", input, list.size()));
  return list[0];
}

}  // namespace oree
