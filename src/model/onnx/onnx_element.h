// SPDX-License-Identifier: Apache-2.0
// ONNX's element types (onnx.proto, TensorProto.DataType).
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/element_type.h"

namespace oree {

ElementType onnx_element(int64_t code);  // dtype: only what engines exchange with us

// What a graph can hold, bfloat16 and 4-bit integers included; nothing for strings, complex numbers and float8.
std::optional<Dtype> onnx_dtype(int64_t code);
int64_t onnx_code(Dtype dtype);

}  // namespace oree
