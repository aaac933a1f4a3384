// SPDX-License-Identifier: Apache-2.0
// Element types of model files, those included that orée does not exchange as tensors (string, complex64, …).
#pragma once

#include <optional>

#include "core/base/tensor.h"

namespace oree {

struct ElementType {
  const char* name = "unknown";  // numpy's name where it has one
  int bits = 0;                  // 0: no fixed size
  std::optional<Dtype> dtype;    // nothing: never enters or leaves a session
};

}  // namespace oree
