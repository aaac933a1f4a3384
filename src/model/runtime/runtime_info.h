// SPDX-License-Identifier: Apache-2.0
// RuntimeInfo as JSON: what `oree runtimes --json` prints, and what a device says of itself to whoever measures on it.
#pragma once

#include <vector>

#include "core/codec/json.h"
#include "model/runtime/backend.h"

namespace oree {

Json runtime_info_to_json(const RuntimeInfo& info);
// kInvalid names the key that is absent, of another type or too long. Unknown members are ignored.
Result<RuntimeInfo> runtime_info_from_json(const Json& json);

std::vector<RuntimeInfo> runtimes_here();  // of every backend that this program knows; loads the engines
Json runtimes_to_json(const std::vector<RuntimeInfo>& infos);
Result<std::vector<RuntimeInfo>> runtimes_from_json(const Json& list);  // at most kRuntimesMax of them

}  // namespace oree
