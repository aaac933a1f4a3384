// SPDX-License-Identifier: Apache-2.0
// Element types of OpenVINO files; those of the other formats are in model/onnx and model/tflite.
#pragma once

#include <string_view>

#include "core/base/element_type.h"

namespace oree {

ElementType openvino_element(std::string_view name);  // "f32", "FP32", "i64", …

}  // namespace oree
