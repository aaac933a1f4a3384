// SPDX-License-Identifier: Apache-2.0
#include "model/graph/dims.h"

namespace oree {

Dims to_dims(const Shape& shape) {
  Dims dims;
  for (int64_t d : shape) dims.push_back(d < 0 ? Dim() : Dim(d));
  return dims;
}

Shape to_shape(const Dims& dims) {
  Shape shape;
  for (const Dim& d : dims) shape.push_back(d.size);
  return shape;
}

std::optional<Shape> known_shape(const Dims& dims) {
  for (const Dim& d : dims) {
    if (!d.known()) return std::nullopt;
  }
  return to_shape(dims);
}

std::string dims_text(const Dims& dims) {
  std::string out;
  for (const Dim& d : dims) {
    if (!out.empty()) out += ',';
    out += d.known() ? std::to_string(d.size) : d.symbol.empty() ? "?" : d.symbol;
  }
  return out;
}

}  // namespace oree
