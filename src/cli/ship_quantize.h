// SPDX-License-Identifier: Apache-2.0
// The step of `oree ship` that makes quantized variants of the model for tune to choose among: for each engine one all
// in integers, and one with some layers in float where that is more accurate.
#pragma once

#include "cli/ship_plan.h"

namespace oree::cli {

// The product has a [quantize]. An engine that cannot take this model is told in the step's line; the step fails when
// that is so of all.
Step quantize_step(const Ports& ports, std::shared_ptr<const Product> product);

// Those that the step made and that still stand.
struct QuantizedVariant {
  std::string path, runtime;  // the backend that opens files of its dialect
};
std::vector<QuantizedVariant> quantized_variants(Files& files, const Product& product);

}  // namespace oree::cli
