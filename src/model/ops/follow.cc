// SPDX-License-Identifier: Apache-2.0
#include "model/ops/infer_parts.h"

namespace oree {

void follow_values(Inference&) {}

}  // namespace oree
