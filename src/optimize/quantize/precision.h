// SPDX-License-Identifier: Apache-2.0
// Precision: in which numbers the result computes and stores. Which engine takes which is one table.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace oree {

enum class Precision {
  kInt8,         // weights and activations
  kInt16,        // activations of 16 bits, symmetric, and weights of 8
  kWeightsInt8,  // weights alone: they are stored so, and layers compute in float
  kWeightsInt4,
  kDynamic,  // weights, and activations by what is seen of them at run time
  kFloat16,  // weights are stored so
  kBfloat16,
};

const std::vector<std::string>& precision_names();  // "int8", "int16", "weights-int8" …, in the enum's order
std::string precision_name(Precision precision);
std::optional<Precision> find_precision(std::string_view name);

// Activations get integers of fixed scales, for which samples are needed.
bool calibrates(Precision precision);

// kUsage when the engine has nothing that runs such a file: why, and what to use there instead.
Status check_precision(const std::string& engine, Precision precision);

}  // namespace oree
