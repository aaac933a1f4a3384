// SPDX-License-Identifier: Apache-2.0
// SessionOptions as JSON: {"threads": 2, "provider": "", "precision": "f32"}, and "fused": false where it is so. Used
// by tune reports, bundles and workers.
#pragma once

#include "core/codec/json.h"
#include "model/runtime/backend.h"

namespace oree {

inline constexpr int kSessionThreadsMax = 256;

Json session_options_to_json(const SessionOptions& options);
// Absent members keep their defaults. kInvalid names the key that is unknown, of another type or out of range.
Result<SessionOptions> session_options_from_json(const Json& json);
// The value itself when it is "f32", "default", "bf16" or "f16"; kUsage otherwise.
Result<std::string> parse_precision(std::string_view text);

}  // namespace oree
