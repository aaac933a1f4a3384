// SPDX-License-Identifier: Apache-2.0
// Dims: a shape whose dimensions may be symbols ("batch") or unknown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace oree {

struct Dim {
  Dim() = default;             // unknown
  Dim(int64_t n) : size(n) {}  // NOLINT: implicit on purpose; n >= 0
  explicit Dim(std::string s) : symbol(std::move(s)) {}
  bool known() const { return size >= 0; }
  bool operator==(const Dim&) const = default;

  int64_t size = -1;   // -1: not known now
  std::string symbol;  // of an unknown one: two dimensions of the same symbol are equal; "": nothing is known of it
};

using Dims = std::vector<Dim>;

Dims to_dims(const Shape& shape);                    // -1 becomes unknown
Shape to_shape(const Dims& dims);                    // symbols become -1
std::optional<Shape> known_shape(const Dims& dims);  // nothing when a dimension is not known
std::string dims_text(const Dims& dims);             // "1,3,H,?"

}  // namespace oree
