// SPDX-License-Identifier: Apache-2.0
#include "model/ops/element_types.h"

#include <iterator>

namespace oree {
namespace {

constexpr int64_t kOnnxTypeMax = 26;  // of the ONNX IR version 13

// ONNX's numbers in the order of Dtype.
constexpr int64_t kNumbers[] = {1, 10, 11, 3, 2, 5, 4, 6, 12, 7, 13, 9, 16, 22, 21};

}  // namespace

std::optional<Dtype> dtype_from_onnx(int64_t number) {
  for (size_t i = 0; i < std::size(kNumbers); ++i) {
    if (kNumbers[i] == number) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

int64_t dtype_to_onnx(Dtype dtype) { return kNumbers[static_cast<size_t>(dtype)]; }

bool onnx_knows_dtype(int64_t number) { return number >= 1 && number <= kOnnxTypeMax; }

}  // namespace oree
