// SPDX-License-Identifier: Apache-2.0
#include "model/graph/text_types.h"

namespace oree {

const char* dtype_text(Dtype dtype) {
  if (dtype == Dtype::kFloat32) return "float";
  return dtype == Dtype::kFloat64 ? "double" : dtype_name(dtype);  // the others are named as in numpy
}

std::optional<Dtype> dtype_from_text(std::string_view text) {
  if (text == "float") return Dtype::kFloat32;
  if (text == "double") return Dtype::kFloat64;
  if (text == "float32" || text == "float64") return std::nullopt;
  Result<Dtype> dtype = dtype_from_name(text);
  return dtype.ok() ? std::optional(*dtype) : std::nullopt;
}

}  // namespace oree
