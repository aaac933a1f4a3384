// SPDX-License-Identifier: Apache-2.0
// Element types of TFLite files by their number in schema.fbs (TensorType), those included that no Tensor holds.
#pragma once

#include "core/base/element_type.h"

namespace oree {

ElementType tflite_type(int code);
int tflite_type_code(Dtype dtype);

}  // namespace oree
