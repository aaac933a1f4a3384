// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/base/result.h"

namespace oree {

// The calling thread, and all that it starts from now on, stay on these CPUs. Empty: nothing changes. kUnsupported when
// none of them is here and allowed.
Status confine_thread(const std::vector<int>& cpus);

}  // namespace oree
