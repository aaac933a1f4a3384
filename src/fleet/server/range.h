// SPDX-License-Identifier: Apache-2.0
// One byte range of a representation, RFC 9110 section 14.
#pragma once

#include <cstdint>
#include <string_view>

namespace oree {

enum class RangeKind {
  kWhole,          // no range, another unit, several ranges, or not well-formed: send everything (200)
  kPart,           // 206
  kUnsatisfiable,  // 416
};
struct ByteRange {
  RangeKind kind = RangeKind::kWhole;
  int64_t offset = 0, length = 0;  // of kPart
};
ByteRange parse_range(std::string_view header, int64_t size);

}  // namespace oree
