// SPDX-License-Identifier: Apache-2.0
// What `oree-agent status` and `prove` print. Reads only; the agent may be running meanwhile.
#pragma once

#include <string>

#include "core/codec/json.h"
#include "core/io/files.h"
#include "device/agent/prove.h"

namespace oree {

// kNotFound when the folder holds no agent's data.
Result<Json> describe_data(Files& files, const std::string& data);
std::string status_text(const Json& description);
std::string proof_text(const Proof& proof);
std::string look_text(const Proof& proof);  // of look_at_runtime()

}  // namespace oree
