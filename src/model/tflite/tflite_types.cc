// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/tflite_types.h"

#include <iterator>

namespace oree {
namespace {

constexpr ElementType kTypes[] = {
    {"float32", 32, Dtype::kFloat32},   {"float16", 16, Dtype::kFloat16}, {"int32", 32, Dtype::kInt32},
    {"uint8", 8, Dtype::kUint8},        {"int64", 64, Dtype::kInt64},     {"string", 0, std::nullopt},
    {"bool", 8, Dtype::kBool},          {"int16", 16, Dtype::kInt16},     {"complex64", 64, std::nullopt},
    {"int8", 8, Dtype::kInt8},          {"float64", 64, Dtype::kFloat64}, {"complex128", 128, std::nullopt},
    {"uint64", 64, Dtype::kUint64},     {"resource", 0, std::nullopt},    {"variant", 0, std::nullopt},
    {"uint32", 32, Dtype::kUint32},     {"uint16", 16, Dtype::kUint16},   {"int4", 4, Dtype::kInt4},
    {"bfloat16", 16, Dtype::kBfloat16}, {"int2", 2, std::nullopt},        {"uint4", 4, Dtype::kUint4},
    {"float8_e4m3fn", 8, std::nullopt}, {"float8_e5m2", 8, std::nullopt},
};

}  // namespace

ElementType tflite_type(int code) {
  if (code < 0 || code >= static_cast<int>(std::size(kTypes))) return ElementType{};
  return kTypes[code];
}

int tflite_type_code(Dtype dtype) {
  for (int code = 0; code < static_cast<int>(std::size(kTypes)); ++code) {
    if (kTypes[code].dtype == dtype) return code;
  }
  OREE_ASSERT(false);  // every Dtype is in the table
}

}  // namespace oree
