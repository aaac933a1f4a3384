// SPDX-License-Identifier: Apache-2.0
// Golden samples: inputs with the outputs that the bundle's author saw. The device's prover and `oree bundle` compare
// with the same code.
#pragma once

#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/io/files.h"
#include "deliver/bundle/manifest.h"

namespace oree {

struct GoldenSample {
  NamedTensors inputs;
  NamedTensors expected;
};

// Sample `index` of an unpacked bundle. kNotFound, kInvalid.
Result<GoldenSample> load_golden(Files& files, const std::string& folder, int index);

// One output against its expectation.
struct TensorDifference {
  double relative_error = 0;  // largest |a-b| over the range of `expected` (over its largest magnitude when it is flat)
  double cosine = 1;          // of the two flattened; 1 when both are all zero
  std::string problem;        // "" or what makes a comparison senseless: "shape 1x3, expected 1x4", "NaN at element 7"
};
// A NaN or an infinity must stand at the same place in both; such elements count in neither figure.
TensorDifference compare_tensors(const Tensor& output, const Tensor& expected);

struct GoldenVerdict {
  bool passed = true;
  std::string tensor;         // the first that fails, else the one that is furthest off
  double relative_error = 0;  // of that tensor
  double cosine = 1;
  std::string reason;  // for people; "" when passed
};
// Every expected tensor must be among the outputs (by name) and lie within the rules' tolerance; other outputs are
// ignored. A sample that expects nothing fails.
GoldenVerdict compare_golden(const NamedTensors& outputs, const NamedTensors& expected, const GoldenRules& rules);

}  // namespace oree
