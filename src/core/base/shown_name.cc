// SPDX-License-Identifier: Apache-2.0
#include "core/base/shown_name.h"

#include "core/base/text.h"

namespace oree {

std::string shown_name(std::string_view name) {
  if (name.size() <= kShownNameBytes) return utf8_text(name);
  size_t end = kShownNameBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return utf8_text(name.substr(0, end)) + "…";
}

}  // namespace oree
