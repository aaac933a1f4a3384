// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace oree {

inline constexpr size_t kShownNameBytes = 96;

// As a table shows the name of a layer: converters call what they fused by the names of all that went into it, and that
// may be many. Longer ones are cut, with an ellipsis; no character is cut in two. Bytes that are no UTF-8 become
// U+FFFD.
std::string shown_name(std::string_view name);

}  // namespace oree
