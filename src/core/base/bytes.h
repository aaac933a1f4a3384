// SPDX-License-Identifier: Apache-2.0
// Byte ranges and their text forms.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace oree {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

inline ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string to_hex(ByteView bytes);                // lower case
Result<Bytes> from_hex(std::string_view text);     // kInvalid on an odd length or another character
std::string to_base64(ByteView bytes);             // RFC 4648 with padding
Result<Bytes> from_base64(std::string_view text);  // strict: canonical padding, no white space

}  // namespace oree
