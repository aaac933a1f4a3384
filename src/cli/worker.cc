// SPDX-License-Identifier: Apache-2.0
#include "model/eval/worker.h"

#include <CLI/CLI.hpp>

#include "cli/context.h"

namespace oree::cli {

void add_worker(CLI::App& app, Context& context) {
  CLI::App* command = add_command(app, context, "worker", "Measure one candidate for a parent process (internal)",
                                  "  started by oree bench, eval and tune", [&context]() -> Status {
                                    int status = worker_main(context.ports);
                                    if (status == 0) return {};
                                    return Error(Code::kUsage, "worker: bad command line on the pipe");
                                  });
  command->group("");  // hidden
}

}  // namespace oree::cli
