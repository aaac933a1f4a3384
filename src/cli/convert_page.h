// SPDX-License-Identifier: Apache-2.0
// oree convert --html: what the passes did, how far source and result agree, and the result drawn by its errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/convert/convert.h"
#include "model/convert/self_check.h"

namespace oree::cli {

struct ConvertPage {
  std::string source, result;  // paths
  ConvertSteps steps;
  double tolerance = 0;
  std::optional<SelfCheck> check;
  std::vector<LayerCheck> layers;  // empty: not compared
  std::string layers_refused;      // why not
};

std::string fused_text(const EngineCheck& engine);  // which has `fused`

// kExhausted when the result is too large to draw.
Result<std::string> convert_page(const ConvertPage& page, const Graph& result);

}  // namespace oree::cli
