// SPDX-License-Identifier: Apache-2.0
// The way to a measuring child of this process: commands by its standard input, answers by its message pipe. For
// Worker, and for who passes commands on as they are.
#pragma once

#include <memory>
#include <string_view>

#include "model/eval/worker_client.h"

namespace oree {

Result<std::unique_ptr<WorkerChannel>> start_channel(const Ports& ports, const WorkerSettings& settings);

Code code_from_name(std::string_view name);  // as an answer has it; kInternal for one that is not known

}  // namespace oree
