// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/range.h"

#include <algorithm>

#include "core/base/text.h"

namespace oree {
namespace {

constexpr int64_t kHuge = int64_t{1} << 59;  // larger positions mean the same; ten times this still fits

// Digits only; -1 when there is anything else, or nothing.
int64_t position(std::string_view text) {
  if (text.empty()) return -1;
  int64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return -1;
    value = std::min(kHuge, value * 10 + (c - '0'));
  }
  return value;
}

}  // namespace

ByteRange parse_range(std::string_view header, int64_t size) {
  const ByteRange whole{RangeKind::kWhole, 0, size}, none{RangeKind::kUnsatisfiable, 0, 0};
  header = trim(header);
  constexpr std::string_view kUnit = "bytes=";
  if (header.substr(0, kUnit.size()) != kUnit) return whole;
  std::string_view spec = trim(header.substr(kUnit.size()));
  size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  std::string_view from = trim(spec.substr(0, dash)), to = trim(spec.substr(dash + 1));
  if (from.empty()) {  // the last N bytes
    int64_t count = position(to);
    if (count < 0) return whole;
    count = std::min(count, size);
    return count == 0 ? none : ByteRange{RangeKind::kPart, size - count, count};
  }
  int64_t first = position(from), last = to.empty() ? kHuge : position(to);
  if (first < 0 || last < first) return whole;
  if (first >= size) return none;
  return {RangeKind::kPart, first, std::min(last, size - 1) - first + 1};
}

}  // namespace oree
