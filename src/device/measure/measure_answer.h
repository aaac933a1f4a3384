// SPDX-License-Identifier: Apache-2.0
// Answers of the measuring process: JSON, and errors as docs/formats/measure.md has them.
#pragma once

#include "core/codec/json.h"
#include "core/io/http_server.h"

namespace oree {

ServerResponse json_response(int status, const Json& json);
ServerResponse error_response(const Error& error);  // {"error", "reason"} under the status that the code stands for

}  // namespace oree
