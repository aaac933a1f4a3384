// SPDX-License-Identifier: Apache-2.0
// Element types of model files, those included that orée does not exchange as tensors (bfloat16, int4, string, …).
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/tensor.h"

namespace oree {

struct ElementType {
  const char* name = "unknown";  // numpy's name where it has one
  int bits = 0;                  // 0: no fixed size
  std::optional<Dtype> dtype;    // nothing: never enters or leaves a session
};

ElementType onnx_element(int64_t code);               // onnx.proto, TensorProto.DataType
ElementType openvino_element(std::string_view name);  // "f32", "FP32", "i64", …

}  // namespace oree
