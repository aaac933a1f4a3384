// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/process.h"

namespace oree {

// fork and exec, the child in a process group of its own with standard input from /dev/null (or the pipe that was
// asked for) and no other descriptor of ours. When the child ends, what is left of its group is killed.
//
// Spawn from a thread that lives as long as the child: the kernel's "die with parent" means the spawning thread.
// Linux counts the spawning process's own size into a child's rss_bytes_peak of ProcessExit; usage() does not.
class PosixProcesses : public Processes {
 public:
  Result<std::unique_ptr<Process>> spawn(const ProcessSpec& spec) override;
  std::string own_path() override;
  Result<ProcessUsage> own_usage() override;
};

}  // namespace oree
