// SPDX-License-Identifier: Apache-2.0
// Which colour an operator has. Internal to model/draw.
#pragma once

#include <string>

#include "model/graph/graph.h"

namespace oree {

std::string look_of(const Node& node);  // Box::look

}  // namespace oree
