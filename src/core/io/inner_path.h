// SPDX-License-Identifier: Apache-2.0
// The check of a name that came from outside before it is joined to a folder of ours.
#pragma once

#include <string_view>

#include "core/base/result.h"

namespace oree {

// Safe to join to a folder: relative, '/'-separated, no empty, "." or ".." part, no control character, no backslash.
Status check_inner_path(std::string_view path);

}  // namespace oree
