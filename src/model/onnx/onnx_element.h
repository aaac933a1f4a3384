// SPDX-License-Identifier: Apache-2.0
// ONNX's element types (onnx.proto, TensorProto.DataType).
#pragma once

#include <cstdint>

#include "core/base/element_type.h"

namespace oree {

// What a tensor of the file is called, and how large it is. Its dtype: only what engines exchange with us; what a graph
// can hold besides, ops/element_types.h says.
ElementType onnx_element(int64_t code);

}  // namespace oree
