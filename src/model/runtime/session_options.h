// SPDX-License-Identifier: Apache-2.0
// SessionOptions as JSON: {"threads": 2, "provider": "", "precision": "f32"}; "cpus": [4, 5], "fused": false and
// "blocked": false where it is so. Used by tune reports, bundles and workers.
#pragma once

#include "core/codec/json.h"
#include "model/runtime/backend.h"

namespace oree {

inline constexpr int kSessionThreadsMax = 256;
inline constexpr int kCpuMax = 1023;  // the largest number of a CPU: what glibc's cpu_set_t holds

Json session_options_to_json(const SessionOptions& options);
// Absent members keep their defaults. kInvalid names the key that is unknown, of another type or out of range.
Result<SessionOptions> session_options_from_json(const Json& json);
// The value itself when it is "f32", "default", "bf16" or "f16"; kUsage otherwise.
Result<std::string> parse_precision(std::string_view text);
std::string cpus_text(const std::vector<int>& cpus);  // "0-3,6"; "" of none

}  // namespace oree
