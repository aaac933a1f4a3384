// SPDX-License-Identifier: Apache-2.0
// --dim batch=1 and --shape image=1,3,320,320: sizes for what a model leaves free. Shared by convert and inspect.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/tensor.h"

namespace oree::cli {

// kUsage, quoting the option, on anything that is not NAME=SIZE or NAME=SIZE,SIZE,…; names may hold '=' themselves.
Result<std::map<std::string, int64_t>> parse_dims(const std::vector<std::string>& settings);
Result<std::map<std::string, Shape>> parse_shapes(const std::vector<std::string>& settings);

}  // namespace oree::cli
