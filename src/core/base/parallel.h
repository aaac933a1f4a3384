// SPDX-License-Identifier: Apache-2.0
// Work on several threads at once, of which each piece stands alone.
#pragma once

#include <cstddef>
#include <functional>

#include "core/base/result.h"

namespace oree {

// Calls each(0) … each(count - 1), handed out in this order to up to `threads` threads, of which the caller's is one.
// After a failure no more are begun, those begun end, and of all failures that with the lowest index is told: the same
// one however many threads there are.
Status each_in_parallel(size_t count, int threads, const std::function<Status(size_t index)>& each);

}  // namespace oree
