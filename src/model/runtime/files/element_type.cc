// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/files/element_type.h"

namespace oree {
namespace {

constexpr ElementType kFloat32{"float32", 32, Dtype::kFloat32};
constexpr ElementType kFloat16{"float16", 16, Dtype::kFloat16};
constexpr ElementType kFloat64{"float64", 64, Dtype::kFloat64};
constexpr ElementType kBfloat16{"bfloat16", 16, std::nullopt};
constexpr ElementType kInt4{"int4", 4, std::nullopt};
constexpr ElementType kUint4{"uint4", 4, std::nullopt};
constexpr ElementType kInt8{"int8", 8, Dtype::kInt8};
constexpr ElementType kUint8{"uint8", 8, Dtype::kUint8};
constexpr ElementType kInt16{"int16", 16, Dtype::kInt16};
constexpr ElementType kUint16{"uint16", 16, Dtype::kUint16};
constexpr ElementType kInt32{"int32", 32, Dtype::kInt32};
constexpr ElementType kUint32{"uint32", 32, Dtype::kUint32};
constexpr ElementType kInt64{"int64", 64, Dtype::kInt64};
constexpr ElementType kUint64{"uint64", 64, Dtype::kUint64};
constexpr ElementType kBool{"bool", 8, Dtype::kBool};
constexpr ElementType kString{"string", 0, std::nullopt};
constexpr ElementType kFloat8{"float8", 8, std::nullopt};
constexpr ElementType kFloat4{"float4", 4, std::nullopt};

struct OpenvinoName {
  std::string_view name;
  ElementType type;
};
constexpr OpenvinoName kOpenvino[] = {
    {"f32", kFloat32},   {"FP32", kFloat32},  {"f16", kFloat16},   {"FP16", kFloat16}, {"f64", kFloat64},
    {"FP64", kFloat64},  {"bf16", kBfloat16}, {"BF16", kBfloat16}, {"i4", kInt4},      {"I4", kInt4},
    {"u4", kUint4},      {"U4", kUint4},      {"i8", kInt8},       {"I8", kInt8},      {"u8", kUint8},
    {"U8", kUint8},      {"i16", kInt16},     {"I16", kInt16},     {"u16", kUint16},   {"U16", kUint16},
    {"i32", kInt32},     {"I32", kInt32},     {"u32", kUint32},    {"U32", kUint32},   {"i64", kInt64},
    {"I64", kInt64},     {"u64", kUint64},    {"U64", kUint64},    {"boolean", kBool}, {"BOOL", kBool},
    {"string", kString}, {"nf4", kFloat4},    {"f8e4m3", kFloat8}, {"f8e5m2", kFloat8}};

}  // namespace

ElementType openvino_element(std::string_view name) {
  for (const OpenvinoName& known : kOpenvino) {
    if (known.name == name) return known.type;
  }
  return ElementType{};
}

}  // namespace oree
