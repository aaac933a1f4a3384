// SPDX-License-Identifier: Apache-2.0
// Element types of TFLite files by their number in schema.fbs (TensorType), those included that no Tensor holds.
#pragma once

#include <optional>

#include "core/base/tensor.h"

namespace oree {

struct TfliteType {
  const char* name = "unknown";  // numpy's name where it has one
  int bits = 0;                  // 0: no fixed size
  std::optional<Dtype> dtype;    // nothing: strings, complex numbers, resources, …
};

TfliteType tflite_type(int code);
int tflite_type_code(Dtype dtype);

}  // namespace oree
