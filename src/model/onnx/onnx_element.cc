// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_element.h"

#include <iterator>

namespace oree {
namespace {

// In the order of the codes.
constexpr ElementType kElements[] = {
    {"undefined", 0, std::nullopt},    {"float32", 32, Dtype::kFloat32}, {"uint8", 8, Dtype::kUint8},
    {"int8", 8, Dtype::kInt8},         {"uint16", 16, Dtype::kUint16},   {"int16", 16, Dtype::kInt16},
    {"int32", 32, Dtype::kInt32},      {"int64", 64, Dtype::kInt64},     {"string", 0, std::nullopt},
    {"bool", 8, Dtype::kBool},         {"float16", 16, Dtype::kFloat16}, {"float64", 64, Dtype::kFloat64},
    {"uint32", 32, Dtype::kUint32},    {"uint64", 64, Dtype::kUint64},   {"complex64", 64, std::nullopt},
    {"complex128", 128, std::nullopt}, {"bfloat16", 16, std::nullopt},   {"float8", 8, std::nullopt},
    {"float8", 8, std::nullopt},       {"float8", 8, std::nullopt},      {"float8", 8, std::nullopt},
    {"uint4", 4, std::nullopt},        {"int4", 4, std::nullopt},        {"float4", 4, std::nullopt}};

}  // namespace

ElementType onnx_element(int64_t code) {
  if (code < 0 || code >= static_cast<int64_t>(std::size(kElements))) return ElementType{};
  return kElements[code];
}

}  // namespace oree
