// SPDX-License-Identifier: Apache-2.0
#include "core/base/tensor.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/limits.h"

namespace oree {
namespace {

struct DtypeInfo {
  const char* name;
  int bits;
};
// In the order of the enum.
constexpr DtypeInfo kDtypes[] = {{"float32", 32}, {"float16", 16}, {"float64", 64},  {"int8", 8},    {"uint8", 8},
                                 {"int16", 16},   {"uint16", 16},  {"int32", 32},    {"uint32", 32}, {"int64", 64},
                                 {"uint64", 64},  {"bool", 8},     {"bfloat16", 16}, {"int4", 4},    {"uint4", 4}};

template <typename T>
void widen(const uint8_t* data, std::vector<double>& out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T v;
    std::memcpy(&v, data + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(v);
  }
}

}  // namespace

const char* dtype_name(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].name; }
int dtype_bits(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].bits; }
size_t dtype_size(Dtype dtype) {
  OREE_ASSERT(dtype_bits(dtype) >= 8);
  return static_cast<size_t>(dtype_bits(dtype)) / 8;
}
size_t dtype_bytes(Dtype dtype, int64_t elements) {
  return (static_cast<size_t>(elements) * static_cast<size_t>(dtype_bits(dtype)) + 7) / 8;
}
bool dtype_is_float(Dtype dtype) {
  return dtype == Dtype::kFloat32 || dtype == Dtype::kFloat16 || dtype == Dtype::kFloat64 || dtype == Dtype::kBfloat16;
}
bool dtype_is_signed(Dtype dtype) {
  return dtype == Dtype::kInt4 || dtype == Dtype::kInt8 || dtype == Dtype::kInt16 || dtype == Dtype::kInt32 ||
         dtype == Dtype::kInt64;
}

Result<Dtype> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < std::size(kDtypes); ++i) {
    if (name == kDtypes[i].name) return static_cast<Dtype>(i);
  }
  return Error(Code::kInvalid, fmt::format("unknown element type '{}'", name.substr(0, 32)));
}

std::string shape_text(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string out;
  for (int64_t d : shape) {
    if (!out.empty()) out += 'x';
    out += d < 0 ? "?" : std::to_string(d);
  }
  return out;
}

Result<int64_t> shape_elements(const Shape& shape) {
  if (shape.size() > static_cast<size_t>(kTensorRankMax)) {
    return Error(Code::kInvalid, fmt::format("rank {} is above the limit of {}", shape.size(), kTensorRankMax));
  }
  int64_t n = 1;
  bool empty = false;
  for (int64_t d : shape) {
    if (d < 0)
      return Error(Code::kInvalid, fmt::format("shape {} has an unknown or negative dimension", shape_text(shape)));
    // Dimensions beside a zero are bounded too: engines multiply them in another order.
    if (d == 0) {
      empty = true;
    } else if (d > kTensorElementsMax / n) {
      return Error(Code::kInvalid,
                   fmt::format("shape {} has more than {} elements", shape_text(shape), kTensorElementsMax));
    } else {
      n *= d;
    }
  }
  return empty ? 0 : n;
}

Tensor::Tensor(Dtype dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)) {
  Result<int64_t> n = shape_elements(shape_);
  OREE_ASSERT(n.ok());
  elements_ = *n;
  data_.resize(dtype_bytes(dtype, elements_));
}

Result<Tensor> Tensor::from_bytes(Dtype dtype, Shape shape, Bytes data) {
  OREE_TRY_ASSIGN(int64_t n, shape_elements(shape));
  size_t expected = dtype_bytes(dtype, n);
  if (data.size() != expected) {
    return Error(Code::kInvalid, fmt::format("a {} tensor of shape {} has {} bytes, not {}", dtype_name(dtype),
                                             shape_text(shape), expected, data.size()));
  }
  Tensor t;
  t.dtype_ = dtype;
  t.shape_ = std::move(shape);
  t.elements_ = n;
  t.data_ = std::move(data);
  return t;
}

std::vector<double> Tensor::to_doubles() const {
  std::vector<double> out(static_cast<size_t>(elements_));
  const uint8_t* p = data_.data();
  switch (dtype_) {
    case Dtype::kFloat32: widen<float>(p, out); break;
    case Dtype::kFloat64: widen<double>(p, out); break;
    case Dtype::kInt8: widen<int8_t>(p, out); break;
    case Dtype::kBool:
    case Dtype::kUint8: widen<uint8_t>(p, out); break;
    case Dtype::kInt16: widen<int16_t>(p, out); break;
    case Dtype::kUint16: widen<uint16_t>(p, out); break;
    case Dtype::kInt32: widen<int32_t>(p, out); break;
    case Dtype::kUint32: widen<uint32_t>(p, out); break;
    case Dtype::kInt64: widen<int64_t>(p, out); break;
    case Dtype::kUint64: widen<uint64_t>(p, out); break;
    case Dtype::kFloat16: {
      std::span<const uint16_t> half = as<uint16_t>();
      for (size_t i = 0; i < out.size(); ++i) out[i] = half_to_float(half[i]);
      break;
    }
    case Dtype::kBfloat16: {
      std::span<const uint16_t> bfloat = as<uint16_t>();
      for (size_t i = 0; i < out.size(); ++i) out[i] = bfloat_to_float(bfloat[i]);
      break;
    }
    case Dtype::kInt4:
    case Dtype::kUint4:
      for (size_t i = 0; i < out.size(); ++i) {
        int nibble = (p[i / 2] >> (i % 2 * 4)) & 15;
        out[i] = dtype_ == Dtype::kInt4 && nibble > 7 ? nibble - 16 : nibble;
      }
      break;
  }
  return out;
}

void Tensor::reshape(Shape shape) {
  Result<int64_t> n = shape_elements(shape);
  OREE_ASSERT(n.ok() && *n == elements_);
  shape_ = std::move(shape);
}

float half_to_float(uint16_t half) {
  uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  uint32_t exponent = (half >> 10) & 31;
  uint32_t mantissa = half & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) {
    float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // subnormals, and zero
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t float_to_half(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = (bits >> 16) & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));  // quiet NaN
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and up round to infinity
  if (magnitude < 0x38800000) {  // below 2^-14: a count of 2^-24, rounded to even by the FPU's own rule
    float count = std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f);
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(count));
  }
  uint32_t rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

float bfloat_to_float(uint16_t bfloat) { return std::bit_cast<float>(static_cast<uint32_t>(bfloat) << 16); }

uint16_t float_to_bfloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);  // a NaN stays a NaN
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace oree
