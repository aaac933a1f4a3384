// SPDX-License-Identifier: Apache-2.0
// Element types of TFLite and OpenVINO files; those of ONNX are in model/onnx.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/element_type.h"

namespace oree {

ElementType tflite_element(int code);                 // schema.fbs, TensorType
ElementType openvino_element(std::string_view name);  // "f32", "FP32", "i64", …

}  // namespace oree
