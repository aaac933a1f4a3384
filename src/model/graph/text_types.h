// SPDX-License-Identifier: Apache-2.0
// Element types as ONNX's text syntax names them. Internal to model/graph.
#pragma once

#include <optional>
#include <string_view>

#include "core/base/tensor.h"

namespace oree {

const char* dtype_text(Dtype dtype);  // "float", "double", "int64", …
std::optional<Dtype> dtype_from_text(std::string_view text);

}  // namespace oree
